import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import assume, given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from server.audit import AuditKeysInvalid, CheckpointInvalid, CheckpointKeys, CheckpointSigner, digest_of
from server.base.key_validity import PublishedKey, Validity
from tests.server.audit.samples import NOW, SIGNER, chain, checkpoint, head, verify

_CHAIN = chain(4)
_KEY = ec.generate_private_key(ec.SECP256R1())


def test_a_checkpoint_is_verified_with_the_published_keys() -> None:
    signed = checkpoint(_CHAIN[-1])
    keys = CheckpointKeys.from_jwks(json.dumps(SIGNER.jwks()).encode())
    found = keys.verify(signed.jws)
    assert (found.tenant, found.sequence, found.hash, found.time) == ("bank", 4, _CHAIN[-1].hash, NOW)


@given(position=st.integers(0, 500), character=st.sampled_from("Aa0-_."))
def test_an_altered_checkpoint_is_not_valid(position: int, character: str) -> None:
    signed = checkpoint(_CHAIN[-1]).jws
    altered = signed[: position % len(signed)] + character + signed[position % len(signed) + 1 :]
    assume(altered != signed)
    # The last character of an encoding has bits without meaning; the content is what was signed then.
    with suppress(CheckpointInvalid):
        assert SIGNER.keys.verify(altered) == SIGNER.keys.verify(signed)


@given(st.text(max_size=200))
def test_hostile_texts_are_refused(text: str) -> None:
    with pytest.raises(CheckpointInvalid):
        SIGNER.keys.verify(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda header, payload: header.update(typ="facegate-result"),
        lambda header, payload: payload.update(version=3),
        lambda header, payload: payload.update(version=1),
        lambda header, payload: payload.update(position=0),
        lambda header, payload: payload.update(accepted="x"),
        lambda header, payload: payload.update(sequence=0),
        lambda header, payload: payload.update(more="x"),
        lambda header, payload: payload.update(time="yesterday"),
        lambda header, payload: payload.pop("hash"),
    ],
)
def test_what_a_key_signed_otherwise_is_no_checkpoint(
    change: Callable[[dict[str, Any], dict[str, Any]], object],
) -> None:
    secret = ECKey.import_key(_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    payload = json.loads(jws.extract_compact(checkpoint(_CHAIN[0]).jws.encode()).payload)
    header = {"alg": "ES256", "kid": secret.thumbprint(), "typ": "facegate-audit-checkpoint"}

    def sign() -> str:
        return jws.serialize_compact(header, json.dumps(payload).encode(), secret)

    keys = CheckpointSigner(_KEY).keys
    assert keys.verify(sign()).sequence == 1
    change(header, payload)
    with pytest.raises(CheckpointInvalid):
        keys.verify(sign())


def test_a_retired_key_verifies_what_it_signed_in_its_time() -> None:
    day = timedelta(days=1)
    signed = CheckpointSigner(_KEY).sign(SIGNER.keys.verify(checkpoint(_CHAIN[0]).jws)).jws

    def keys(validity: Validity) -> CheckpointKeys:
        published = CheckpointKeys([PublishedKey(_KEY.public_key(), validity)])
        return CheckpointKeys.from_jwks(json.dumps(published.jwks()).encode())

    for validity in (Validity(), Validity(NOW - day, NOW + day), Validity(None, NOW)):
        assert keys(validity).verify(signed).sequence == 1
    for validity in (Validity(NOW + day), Validity(NOW - 2 * day, NOW - day)):
        with pytest.raises(CheckpointInvalid):
            keys(validity).verify(signed)


def test_the_published_keys_have_their_times() -> None:
    made, retired = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    keys = CheckpointKeys([PublishedKey(_KEY.public_key(), Validity(made, retired))])
    (entry,) = keys.jwks()["keys"]
    assert (entry["iat"], entry["exp"]) == (made.timestamp(), retired.timestamp())
    assert "d" not in entry


@pytest.mark.parametrize(
    "document",
    [b"", b"{}", b"[]", b'{"keys": 1}', b'{"keys": [{}]}', b'{"keys": [{"kty": "RSA"}]}', b"\xff", b'"x"'],
)
def test_a_document_of_no_keys_is_refused(document: bytes) -> None:
    with pytest.raises(AuditKeysInvalid):
        CheckpointKeys.from_jwks(document)


def test_keys_on_other_curves_are_refused() -> None:
    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    jwk = ECKey.import_key(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(AuditKeysInvalid):
        CheckpointKeys.from_jwks(json.dumps({"keys": [jwk.as_dict(private=False)]}).encode())


def test_checkpoints_refer_to_each_other() -> None:
    first = checkpoint(_CHAIN[1])
    second = checkpoint(_CHAIN[3], number=2, previous=digest_of(first.jws).hex())
    assert verify(_CHAIN, end=head(_CHAIN), checkpoints=(first, second)).covered == 4
    for wrong in ((second,), (second, first), (checkpoint(_CHAIN[0]), second)):
        assert not verify(_CHAIN, end=head(_CHAIN), checkpoints=wrong).whole

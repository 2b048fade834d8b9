"""Evidence of Android devices, and the operator's files for its verification."""

import functools
import json
import struct

from device_integrity.android import (
    AllowedApp,
    KeyAttestationPolicy,
    PlayPolicy,
    PlayTokenKind,
    Possession,
    open_classic_token,
    parse_payload,
    parse_revocation_list,
    verify_key_attestation,
    verify_payload,
)
from device_integrity.android.key_description import (
    read_application_id,
    read_certificates_issued,
    read_key_description,
)
from device_integrity.errors import EvidenceMalformed, ReferenceDataMalformed
from formats import der
from formats.errors import DerMalformed
from tests.device_integrity.android.phones import (
    APP_DIGEST,
    NOW,
    PACKAGE,
    Description,
    RootOfTrust,
    der_chain,
    factory_phone,
    new_key,
    remote_phone,
    trust,
)
from tests.device_integrity.android.play_tokens import CHALLENGE, KEYS, mint, payload

_LENGTH = struct.Struct(">H")
_POLICY = KeyAttestationPolicy(
    apps=(AllowedApp(package=PACKAGE, certificate_digests=frozenset({APP_DIGEST})),)
)
_PLAY = PlayPolicy(apps=_POLICY.apps)
_KEY = new_key("of the leaf")
_NOBODY = Possession(message=b"message", signature=b"")


@functools.cache
def chain_seeds() -> tuple[bytes, ...]:
    """Chains of both shapes, each certificate after its length."""
    chains = (der_chain(phone.attest(Description(), _KEY)[1]) for phone in (factory_phone(), remote_phone()))
    return tuple(b"".join(_LENGTH.pack(len(one)) + one for one in chain) for chain in chains)


@functools.cache
def _authorities() -> frozenset[tuple[bytes, ...]]:
    """The certificates between leaf and root of the two phones."""
    return frozenset(
        tuple(der_chain(phone.attest(Description(), _KEY)[1])[1:-1])
        for phone in (factory_phone(), remote_phone())
    )


def verify_chain(data: bytes) -> None:
    """Verifies a chain; no exception may be raised, and only a complete one may pass."""
    chain: list[bytes] = []
    position = 0
    while position + _LENGTH.size <= len(data):
        (size,) = _LENGTH.unpack_from(data, position)
        position += _LENGTH.size
        chain.append(data[position : position + size])
        position += size
    result = verify_key_attestation(
        certificate_chain=chain,
        challenge=b"challenge",
        possession=_NOBODY,
        policy=_POLICY,
        roots=(*trust(factory_phone()), *trust(remote_phone())),
        revocation=None,
        now=NOW,
    )
    # The root's own certificate may have any content, because only its key counts.
    assert result.attested_key is None or tuple(chain[1:-1]) in _authorities()


@functools.cache
def description_seeds() -> tuple[bytes, ...]:
    """Descriptions, and the structures in them and beside them."""
    return (
        Description().der(),
        Description(root_of_trust=RootOfTrust(locked=b"\x01\x01\x01"), version=900).der(),
        bytes.fromhex("a301184002f50366476f6f676c65"),
    )


def read_description(data: bytes) -> None:
    """Reads it in every way."""
    for reader in (read_key_description, read_application_id, read_certificates_issued):
        try:
            reader(data)
        except EvidenceMalformed:
            continue
    for encoding in der.Encoding:
        try:
            element = der.read(data, encoding=encoding)
            while element.constructed:
                element = element.children()[0]
        except (DerMalformed, IndexError):
            continue


@functools.cache
def play_seeds() -> tuple[bytes, ...]:
    """A token and a payload."""
    return (mint(payload()).encode(), json.dumps(payload()).encode())


def read_play(data: bytes) -> None:
    """Opens a token, and reads and judges a payload."""
    for document in (None, data):
        try:
            opened = open_classic_token(data.decode("latin-1"), keys=KEYS) if document is None else document
            read = parse_payload(opened)
        except EvidenceMalformed:
            continue
        verify_payload(read, kind=PlayTokenKind.CLASSIC, challenge=CHALLENGE, policy=_PLAY, now=NOW)


@functools.cache
def revocation_seeds() -> tuple[bytes, ...]:
    """A list as Google publishes it."""
    entries = {
        "6681152659205225093": {"status": "REVOKED", "reason": "KEY_COMPROMISE"},
        "cc66e9a93713b6e643b26c15879786f7": {"status": "SUSPENDED", "comment": "for tests"},
    }
    return (json.dumps({"entries": entries}).encode(),)


def read_revocation(data: bytes) -> None:
    """Reads a list."""
    try:
        parse_revocation_list(data, fetched_at=NOW)
    except ReferenceDataMalformed:
        return

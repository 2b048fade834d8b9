"""Proof of possession of a browser's key."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.check import Assurance, DeviceFinding
from device_integrity.web import RelyingParty, verify_web_crypto
from device_integrity.web.webcrypto import WebCryptoResult
from facegate_protocol import (
    KeyMaterialError,
    attestation_message,
    public_key_der,
    resume_message,
    sha256,
    sign,
)

_ORIGIN = "https://verify.bank.example"
_SITE = RelyingParty(rp_id="bank.example", origins=frozenset({_ORIGIN}))
_KEY, _SESSION = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
_DER = public_key_der(_KEY.public_key())
_H = sha256(b"the binding hash of a scan")


def _verify(**other: object) -> WebCryptoResult:
    arguments: dict[str, object] = {
        "public_key": _DER,
        "signature": sign(_KEY, attestation_message(binding=_H)),
        "origin": _ORIGIN,
        "binding": _H,
        "session_public_key": public_key_der(_SESSION.public_key()),
        "relying_party": _SITE,
        "header_origin": _ORIGIN,
    }
    return verify_web_crypto(**(arguments | other))  # type: ignore[arg-type]


def test_an_honest_browser_gets_a_low_ceiling() -> None:
    result = _verify()
    assert [check.outcome for check in result.checks] == [DeviceFinding.PASS] * 5
    assert (result.public_key, result.ceiling) == (_DER, Assurance.LOW)
    unseen = _verify(header_origin=None)
    assert (unseen.public_key, unseen.ceiling) == (_DER, Assurance.LOW)
    assert unseen.checks[2].outcome is DeviceFinding.NOT_EVALUATED


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ({"public_key": b"x"}, "format"),
        ({"public_key": bytes(129)}, "format"),
        ({"signature": bytes(81)}, "format"),
        ({"origin": "https://evil.example", "header_origin": "https://evil.example"}, "origin"),
        ({"header_origin": "https://evil.example"}, "page"),
        ({"session_public_key": _DER}, "independent_key"),
        ({"signature": b""}, "signature"),
        ({"binding": sha256(b"another")}, "signature"),
        ({"signature": sign(_KEY, _H)}, "signature"),
        ({"signature": sign(_KEY, resume_message(binding=_H))}, "signature"),
        ({"signature": sign(_SESSION, attestation_message(binding=_H))}, "signature"),
    ],
)
def test_each_broken_condition_fails_its_test(other: dict[str, object], name: str) -> None:
    result = _verify(**other)
    (check,) = (one for one in result.checks if one.outcome is DeviceFinding.FAIL)
    assert check.name == f"web_crypto.{name}"
    assert (result.public_key, result.ceiling) == (None, Assurance.NONE)


def test_the_sessions_key_in_other_words_is_still_the_sessions_key() -> None:
    """A point may be written compressed (SEC 1, 2.3.3), which gives the same key other bytes."""
    point = _KEY.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    head = _DER[2:23]
    compressed = bytes([0x30, len(head) + 3 + len(point)]) + head + bytes([3, len(point) + 1, 0]) + point
    for other in ({"session_public_key": compressed}, {"session_public_key": _DER, "public_key": compressed}):
        result = _verify(**other)
        assert [one.reason for one in result.checks if one.outcome is DeviceFinding.FAIL] == [
            "KEY_IS_SESSION_KEY"
        ]
    with pytest.raises(KeyMaterialError):
        _verify(session_public_key=b"")


@given(key=st.binary(max_size=130), signature=st.binary(max_size=90))
def test_any_bytes_give_checks(key: bytes, signature: bytes) -> None:
    assert _verify(public_key=key, signature=signature).public_key is None

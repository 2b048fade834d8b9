"""Recognition of the kind of evidence."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from cli.attest.evidence import RecognisedKind, recognise
from cli.errors import CommandError
from tests.device_integrity.apple.apple_in_software import SoftwareApple, SoftwareKey
from tests.device_integrity.web.authenticator_in_software import Authenticator

_APPLE = SoftwareApple()
_KEY = SoftwareKey(key=ec.derive_private_key(3, ec.SECP256R1()))
_PHONE = Authenticator(key=ec.derive_private_key(3, ec.SECP256R1()))
_CERTIFICATES = (_APPLE.intermediate, _APPLE.root)
_TOKEN = b"eyJhbGciOiJBMjU2S1cifQ.AAAA.AAAA.AAAA.AAAA"
_PAYLOAD = b'{"requestDetails": {}}'
_SAMPLES = [
    (RecognisedKind.APP_ATTEST, _APPLE.attestation(_KEY, b"")),
    (RecognisedKind.APP_ATTEST_ASSERTION, _KEY.assertion(b"")),
    (RecognisedKind.APP_ATTEST_RECEIPT, _APPLE.changed_receipt(_KEY)),
    (RecognisedKind.APP_ATTEST_RECEIPT, _APPLE.changed_receipt(_KEY, indefinite=False)),
    (RecognisedKind.WEB_AUTHN, _PHONE.attestation(b"", _PHONE.data(attested=True))),
    (RecognisedKind.ANDROID_CHAIN, b"".join(one.der for one in _CERTIFICATES)),
]


@pytest.mark.parametrize(("kind", "data"), _SAMPLES)
def test_binary_and_both_kinds_of_base64(kind: RecognisedKind, data: bytes) -> None:
    for written in (
        data,
        base64.b64encode(data),
        base64.urlsafe_b64encode(data).rstrip(b"="),
        base64.encodebytes(data),
    ):
        found = recognise(written)
        assert found.kind is kind
        assert b"".join(found.parts) == data


def test_certificates_in_pem_and_in_a_row() -> None:
    pem = b"leaf first\n" + b"\n".join(one.certificate.public_bytes(Encoding.PEM) for one in _CERTIFICATES)
    parts = tuple(one.der for one in _CERTIFICATES)
    assert recognise(pem).parts == parts
    assert recognise(pem.replace(b"\n", b"\r\n")).parts == parts
    assert recognise(b"".join(parts)).parts == parts


def test_a_play_token_is_recognised() -> None:
    assert recognise(_TOKEN + b"\n").kind is RecognisedKind.PLAY_TOKEN
    assert recognise(_PAYLOAD).kind is RecognisedKind.PLAY_PAYLOAD
    assert recognise(b'{"tokenPayloadExternal": {}}').kind is RecognisedKind.PLAY_PAYLOAD


@pytest.mark.parametrize("data", [b"", b"{}", b'{"a": 1}', b"[", b"{" * 5000, b"A", b"AAAA", b"\xa1\x00\x00"])
@pytest.mark.usefixtures("without_collection")
def test_nothing_that_is_known(data: bytes) -> None:
    with pytest.raises(CommandError, match="not a known kind of evidence"):
        recognise(data)


def test_a_file_of_certificates_that_never_end_takes_no_time() -> None:
    """With a search to the file's end from every start this takes minutes."""
    with pytest.raises(CommandError):
        recognise(b"-----BEGIN CERTIFICATE-----\n" * 20_000)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_a_kind_or_the_error(data: bytes) -> None:
    try:
        assert recognise(data).parts
    except CommandError:
        return

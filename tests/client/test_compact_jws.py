import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from facegate_client.result_signature import CompactJws, base64url, from_base64url

KEY = ECKey.generate_key("P-256")
PUBLIC = KEY.public_key
HEADER = {"alg": "ES256", "kid": "a"}


def _signed(payload: bytes = b"payload", header: dict[str, str] | None = None) -> str:
    return jws.serialize_compact(header or HEADER, payload, KEY)


def _public() -> ec.EllipticCurvePublicKey:
    assert isinstance(PUBLIC, ec.EllipticCurvePublicKey)
    return PUBLIC


@given(st.binary(max_size=100))
def test_signatures_of_another_library_are_verified(payload: bytes) -> None:
    signed = CompactJws.parse(_signed(payload))
    assert signed.header == HEADER
    assert signed.payload == payload
    assert signed.is_signed_by(_public())


def test_a_signature_of_another_key_is_not_accepted() -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert not CompactJws.parse(_signed()).is_signed_by(other)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_any_altered_character_breaks_it(part: int) -> None:
    parts = _signed().split(".")
    for at, character in enumerate(parts[part]):
        altered = parts[part][:at] + ("A" if character != "A" else "B") + parts[part][at + 1 :]
        try:
            signed = CompactJws.parse(".".join((*parts[:part], altered, *parts[part + 1 :])))
        except ValueError:
            continue
        assert not signed.is_signed_by(_public())


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES384", "es256", "", None, 1, ["ES256"]])
def test_only_es256_is_verified(algorithm: object) -> None:
    _, payload, signature = _signed().split(".")
    head = base64url(json.dumps({"alg": algorithm}).encode())
    assert not CompactJws.parse(f"{head}.{payload}.{signature}").is_signed_by(_public())


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(63), bytes(65), b"\xff" * 64])
def test_a_malformed_signature_is_refused(signature: bytes) -> None:
    text = _signed().rpartition(".")[0] + "." + base64url(signature)
    assert not CompactJws.parse(text).is_signed_by(_public())


def _with_header(header: bytes) -> str:
    return f"{base64url(header)}.e30.AA"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a.b",
        _signed() + ".",
        _signed() + ".e30",
        _signed() + "=",
        _signed() + "\n",
        " " + _signed(),
        _signed().replace(".", "..", 1),
        "\udcff.e30.AA",
        "\u00e9.e30.AA",
        "e30.e30.AB",  # bits that are not used
        "e30.e30.A",
        _with_header(b"[]"),
        _with_header(b"{"),
        _with_header(b"\xff"),
        _with_header('{"alg":"ES256"}'.encode("utf-16")),
        _with_header(b'{"alg":"ES256","alg":"none"}'),
        _with_header(b'{"a":' + b"[" * 100_000),
    ],
)
def test_anything_but_a_compact_jws_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        CompactJws.parse(text)


@given(st.binary(max_size=50))
def test_base64url_is_read_as_it_is_written(data: bytes) -> None:
    assert from_base64url(base64url(data)) == data


@given(st.text(max_size=12))
def test_base64url_has_one_spelling(text: str) -> None:
    try:
        data = from_base64url(text)
    except ValueError:
        return
    assert base64url(data) == text

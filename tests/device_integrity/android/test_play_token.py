"""Opening classic tokens: the minted vectors, every wrong algorithm, every changed byte."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.android.play_token import (
    MAX_PAYLOAD_BYTES,
    MAX_TOKEN_BYTES,
    ClassicKeys,
    load_classic_keys,
    open_classic_token,
    parse_payload,
)
from device_integrity.errors import PlayTokenMalformed, ReferenceDataMalformed
from tests.device_integrity.android.play_tokens import (
    CHALLENGE,
    DIGEST,
    KEYS,
    MILLIS,
    PACKAGE,
    b64,
    encrypt,
    mint,
    payload,
    sign,
)
from tests.device_integrity.android.vectors import PLAY_FOLDER

_GOOD = ["classic", "doc_sample_standard", "emulator_gpg_pc", "repackaged", "rooted_empty", "strong"]
_BAD = [
    "bad_alg_hs256_confusion.jwe",
    "bad_alg_none.jwe",
    "bad_enc_a128gcm.jwe",
    "bad_no_jwe_layer.jws",
    "bad_sig_other_key.jwe",
    "bad_truncated_tag.jwe",
    "bad_zip_def_bomb.jwe",
]


def _minted_keys(assets: Path) -> ClassicKeys:
    keys = json.loads((assets / PLAY_FOLDER / "minted_keys.json").read_text())
    return load_classic_keys(
        decryption_key=keys["decryption_key_b64_std"], verification_key=keys["verification_key_spki_b64_std"]
    )


@pytest.mark.parametrize("name", _GOOD)
def test_good_vectors_are_opened(assets: Path, name: str) -> None:
    token = (assets / PLAY_FOLDER / f"token_{name}.jwe").read_text().strip()
    opened = open_classic_token(token, keys=_minted_keys(assets))
    assert json.loads(opened) == json.loads((assets / PLAY_FOLDER / f"payload_{name}.json").read_text())


@pytest.mark.parametrize("file", _BAD)
def test_bad_vectors_are_refused(assets: Path, file: str) -> None:
    token = (assets / PLAY_FOLDER / file).read_text().strip()
    with pytest.raises(PlayTokenMalformed):
        open_classic_token(token, keys=_minted_keys(assets))


def test_every_vector_is_tested(assets: Path) -> None:
    files = {file.name for pattern in ("*.jwe", "*.jws") for file in (assets / PLAY_FOLDER).glob(pattern)}
    assert files == {*_BAD, *(f"token_{name}.jwe" for name in _GOOD)}


def test_a_token_of_our_own_is_opened() -> None:
    assert json.loads(open_classic_token(mint(payload()), keys=KEYS)) == payload()
    harmless = sign(b"{}", header={"alg": "ES256", "typ": "JWT", "kid": "1"})
    assert open_classic_token(encrypt(harmless.encode()), keys=KEYS) == b"{}"


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"alg": "dir", "enc": "A256GCM"},
        {"alg": "A128KW", "enc": "A256GCM"},
        {"alg": "A256KW", "enc": "A256CBC-HS512"},
        {"alg": "A256KW", "enc": "A256GCM", "crit": ["exp"], "exp": 1},
        {"alg": "A256KW", "enc": "A256GCM", "jwk": {}},
        {"alg": ["A256KW"], "enc": "A256GCM"},
        [],
        1,
    ],
    ids=range(9),
)
def test_another_encryption_header_is_refused(header: Any) -> None:
    token = encrypt(sign(b"{}").encode(), header=json.dumps(header).encode())
    with pytest.raises(PlayTokenMalformed, match="header"):
        open_classic_token(token, keys=KEYS)


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"A256KW","enc":"A256GCM","alg":"A256KW"}',
        b"\xff",
        b"[" * 600,
        b'{"alg":"A256KW","enc":"A256GCM","kid":"' + b"a" * 1000 + b'"}',
    ],
    ids=range(4),
)
@pytest.mark.usefixtures("without_collection")
def test_an_encryption_header_that_is_no_header(header: bytes) -> None:
    with pytest.raises(PlayTokenMalformed, match="header"):
        open_classic_token(encrypt(sign(b"{}").encode(), header=header), keys=KEYS)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "ES384"},
        {"alg": "ES256", "b64": False, "crit": ["b64"]},
        {"alg": "ES256", "jku": "https://example.org"},
        {"alg": "ES256", "jwk": {}},
        {"alg": "ES256", "x5c": []},
    ],
    ids=range(5),
)
def test_another_signature_header_is_refused(header: dict[str, Any]) -> None:
    with pytest.raises(PlayTokenMalformed, match="header"):
        open_classic_token(encrypt(sign(b"{}", header=header).encode()), keys=KEYS)


@pytest.mark.parametrize(
    "inner",
    [b"", b"{}", b"\xff\xfe", sign(b"{}", key=ec.generate_private_key(ec.SECP256R1())).encode(), b"a.b"],
    ids=range(5),
)
def test_an_encrypted_text_that_is_no_jws_is_refused(inner: bytes) -> None:
    with pytest.raises(PlayTokenMalformed):
        open_classic_token(encrypt(inner), keys=KEYS)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".....",
        encrypt(sign(b"{}").encode(), key=bytes(32)),
        encrypt(sign(b"{}").encode()) + ".x",
        encrypt(sign(b"{}").encode()) + "=",
        encrypt(sign(b"{}").encode())[:-2],
        "é" + encrypt(sign(b"{}").encode()),
        "a" * (MAX_TOKEN_BYTES + 1),
    ],
    ids=range(8),
)
def test_invalid_tokens_are_refused(token: str) -> None:
    with pytest.raises(PlayTokenMalformed):
        open_classic_token(token, keys=KEYS)


_SOUND = mint(payload())
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


@given(st.integers(0, len(_SOUND) - 1), st.text(_ALPHABET, max_size=4) | st.text(max_size=3))
def test_a_mutated_token_parses_to_the_same_or_is_refused(start: int, put: str) -> None:
    mutated = _SOUND[:start] + put + _SOUND[start + len(put) + 1 :]
    try:
        opened = open_classic_token(mutated, keys=KEYS)
    except PlayTokenMalformed:
        return
    # The last character of a part has unused bits.
    assert json.loads(opened) == payload()


def _spki(key: ec.EllipticCurvePrivateKey) -> str:
    data = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(data).decode()


_AES, _EC = base64.b64encode(bytes(32)).decode(), _spki(ec.generate_private_key(ec.SECP256R1()))


@pytest.mark.parametrize(
    ("decryption_key", "verification_key"),
    [
        ("", _EC),
        ("no base64!", _EC),
        (base64.b64encode(bytes(16)).decode(), _EC),
        (_AES, ""),
        (_AES, _AES),
        (_AES, _spki(ec.generate_private_key(ec.SECP256K1()))),
        (_AES, _spki(ec.generate_private_key(ec.SECP384R1()))),
    ],
    ids=range(7),
)
def test_keys_that_are_none(decryption_key: str, verification_key: str) -> None:
    with pytest.raises(ReferenceDataMalformed):
        load_classic_keys(decryption_key=decryption_key, verification_key=verification_key)


def test_keys_do_not_show() -> None:
    keys = load_classic_keys(decryption_key=_AES, verification_key=_EC)
    assert "decryption_key" not in repr(keys)


def _with(part: str, **changes: Any) -> dict[str, Any]:
    return payload(**{part: {**payload()[part], **changes}})


def test_every_field_is_read() -> None:
    read = parse_payload(json.dumps(payload()).encode())
    assert (read.request.package, read.request.nonce, read.request.request_hash) == (PACKAGE, CHALLENGE, None)
    assert read.request.time == datetime.fromtimestamp(MILLIS / 1000, UTC)
    assert (read.app.recognition, read.app.package, read.app.licensing) == (
        "PLAY_RECOGNIZED",
        PACKAGE,
        "LICENSED",
    )
    assert read.app.certificate_digests == {DIGEST}
    assert len(read.device.labels) == 3
    assert (read.device.sdk_version, read.device.activity) == (36, "LEVEL_1")
    assert (read.device.account_activity, read.device.recall_bits) == ("TYPICAL_STRONG", frozenset({2}))
    assert read.environment.apps_detected == frozenset({"KNOWN_INSTALLED"})
    assert read.environment.play_protect == "NO_ISSUES"
    assert read.environment.location_spoofing == frozenset({"LOW_RISK_DEVICE"})
    assert not read.is_test


def test_missing_fields_stay_missing() -> None:
    read = parse_payload(b'{"requestDetails": {"timestampMillis": "1"}}')
    assert read.environment.apps_detected is None
    assert read.environment.location_spoofing is None
    assert read.device.recall_bits is None
    assert read.device.sdk_version is None
    assert not read.device.labels
    assert not read.app.certificate_digests
    assert read.request.package == read.app.recognition == read.environment.play_protect == ""


@pytest.mark.parametrize(
    ("text", "challenge"),
    [
        (b64(CHALLENGE), CHALLENGE),
        (b64(CHALLENGE) + "=", CHALLENGE),
        ("", None),
        ("a", None),
        ("a b", None),
        ("a+/b", None),
        ("YQ", b"a"),
        ("YQ==", b"a"),
    ],
)
def test_challenges_are_base64url_with_or_without_padding(text: str, challenge: bytes | None) -> None:
    for name, field in (("nonce", "nonce"), ("requestHash", "request_hash")):
        document = _with("requestDetails", **{name: text})
        assert getattr(parse_payload(json.dumps(document).encode()).request, field) == challenge


def test_googles_answer_is_read_as_the_payload_in_it() -> None:
    wrapped = json.dumps({"tokenPayloadExternal": payload()}).encode()
    assert parse_payload(wrapped) == parse_payload(json.dumps(payload()).encode())


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"requestDetails": {}},
        {"requestDetails": []},
        _with("requestDetails", timestampMillis="soon"),
        _with("requestDetails", timestampMillis=-1),
        _with("requestDetails", timestampMillis="9" * 19),
        _with("requestDetails", timestampMillis=True),
        _with("requestDetails", timestampMillis=1.5),
        _with("requestDetails", nonce=1),
        _with("requestDetails", nonce="a" * 3000),
        _with("appIntegrity", certificateSha256Digest="abc"),
        _with("appIntegrity", certificateSha256Digest=[1]),
        _with("appIntegrity", certificateSha256Digest=["a"] * 65),
        _with("deviceIntegrity", deviceAttributes={"sdkVersion": "x"}),
        _with("deviceIntegrity", deviceRecall={"values": {"bitFirst": 1}}),
        payload(testingDetails={"isTestingResponse": "false"}),
        payload(environmentDetails=1),
    ],
    ids=range(18),
)
def test_invalid_payloads_are_refused(document: Any) -> None:
    with pytest.raises(PlayTokenMalformed):
        parse_payload(json.dumps(document).encode())


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[" * 50_000, b'{"a":1,"a":2}', b" " * (MAX_PAYLOAD_BYTES + 1)], ids=range(5)
)
@pytest.mark.usefixtures("without_collection")
def test_invalid_json_is_refused(data: bytes) -> None:
    with pytest.raises(PlayTokenMalformed):
        parse_payload(data)

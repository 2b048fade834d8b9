"""The published vectors and recorded scans, against the code and a second derivation from the page."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from facegate.v1 import device_pb2, scan_pb2

from docs.make_transcripts import SCHEMA_FILE, TRANSCRIPTS_FILE, Transcript, rendered, tiny_jpeg
from docs.make_vectors import VECTORS_FILE, Vectors, make_vectors
from facegate_protocol import load_public_key, verify
from formats.image_format import ImageFormat
from tests.protos.transcripts import Refused, verify_transcript
from vision.image import DecodeLimits, decode_image

# The published vectors, against the code and against a second derivation from the page.


@pytest.fixture(scope="module")
def published() -> Vectors:
    vectors: Vectors = json.loads(VECTORS_FILE.read_text(encoding="utf-8"))
    return vectors


def _hex(published: Vectors, section: str, name: str) -> bytes:
    return bytes.fromhex(published[section][name])


def _framed(*fields: bytes) -> bytes:
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_code_gives_the_published_vectors(published: Vectors) -> None:
    assert make_vectors() == published


def test_the_document_names_every_section_of_the_vectors(published: Vectors) -> None:
    page = (VECTORS_FILE.parents[2] / "docs" / "device_protocol.md").read_text(encoding="utf-8")
    described = page.split("## Test vectors")[1].split("\n## ")[0]
    assert "`protos/conformance/vectors.json`" in described
    assert [section for section in published if f"`{section}`" not in described] == []


def test_binding_hash_follows_the_document(published: Vectors) -> None:
    expected = _sha256(
        _framed(
            b"facegate/v1/binding",
            _sha256(published["handshake"]["token_text"].encode()),
            _hex(published, "handshake", "challenge_nonce"),
            _hex(published, "keys", "device_x25519_public"),
            _hex(published, "keys", "server_x25519_public"),
            _hex(published, "keys", "session_public_key_der"),
            _hex(published, "handshake", "server_spki_sha256"),
            _sha256(_hex(published, "handshake", "scan_start_bytes")),
        )
    )
    assert _hex(published, "derivations", "binding_hash_h") == expected


def test_mac_key_follows_the_document(published: Vectors) -> None:
    private = X25519PrivateKey.from_private_bytes(_hex(published, "keys", "device_x25519_private"))
    public = X25519PublicKey.from_public_bytes(_hex(published, "keys", "server_x25519_public"))
    secret = private.exchange(public)
    assert secret == _hex(published, "derivations", "x25519_shared_secret")
    extracted = hmac.digest(_hex(published, "derivations", "hkdf_salt"), secret, "sha256")
    info = _framed(b"facegate/v1/mac-key", _hex(published, "derivations", "binding_hash_h"))
    assert _hex(published, "derivations", "mac_key") == hmac.digest(extracted, info + b"\x01", "sha256")


def test_chain_follows_the_document(published: Vectors) -> None:
    key = _hex(published, "derivations", "mac_key")

    def mac(*fields: bytes) -> bytes:
        return hmac.digest(key, _framed(*fields), "sha256")

    value = mac(b"facegate/v1/chain-start", _hex(published, "derivations", "binding_hash_h"))
    assert value == _hex(published, "chain", "mac_chain_start")
    value = mac(
        b"facegate/v1/chain-attempt",
        value,
        int(published["chain"]["attempt_number"]).to_bytes(4, "big"),
        _hex(published, "chain", "attempt_nonce"),
    )
    assert value == _hex(published, "chain", "mac_attempt_1")
    for index in range(2):
        value = mac(
            b"facegate/v1/chain-frame",
            value,
            _hex(published, "chain", f"frame_{index}_header_bytes"),
            _sha256(_hex(published, "chain", f"frame_{index}_image_bytes")),
        )
        assert value == _hex(published, "chain", f"frame_{index}_mac")
    value = mac(
        b"facegate/v1/chain-attempt",
        value,
        (2).to_bytes(4, "big"),
        _hex(published, "chain", "second_attempt_nonce"),
    )
    assert value == _hex(published, "chain", "mac_attempt_2")


@pytest.mark.parametrize(
    ("section", "name", "key"),
    [
        ("handshake", "challenge", "challenge_public_key_der"),
        ("chain", "attempt_end", "session_public_key_der"),
        ("resume", "resume", "session_public_key_der"),
        ("attestation", "attestation", "attested_public_key_der"),
        ("attestation with findings", "attestation", "attested_public_key_der"),
    ],
)
def test_published_signatures_verify(published: Vectors, section: str, name: str, key: str) -> None:
    assert verify(
        public_key=load_public_key(_hex(published, "keys", key)),
        message=_hex(published, section, f"{name}_message"),
        signature=_hex(published, section, f"{name}_signature"),
    )


def test_signed_messages_follow_the_document(published: Vectors) -> None:
    binding = _hex(published, "derivations", "binding_hash_h")
    assert _hex(published, "handshake", "challenge_message") == _framed(
        b"facegate/v1/challenge",
        _sha256(_hex(published, "handshake", "scan_start_bytes")),
        _hex(published, "handshake", "challenge_body_bytes"),
    )
    assert _hex(published, "resume", "resume_message") == _framed(b"facegate/v1/resume", binding)
    assert _hex(published, "attestation", "attestation_message") == _framed(
        b"facegate/v1/attestation", binding
    )
    reported = "attestation with findings"
    challenge = _sha256(
        _framed(
            b"facegate/v1/evidence-challenge",
            binding,
            _sha256(_hex(published, reported, "runtime_findings_bytes")),
        )
    )
    assert _hex(published, reported, "evidence_challenge_e") == challenge
    assert _hex(published, reported, "attestation_message") == _framed(b"facegate/v1/attestation", challenge)
    assert _hex(published, "chain", "attempt_end_message") == _framed(
        b"facegate/v1/attempt-end", binding, _hex(published, "chain", "attempt_end_body_bytes")
    )


def test_published_messages_are_the_wires(published: Vectors) -> None:
    start = scan_pb2.ScanStart.FromString(_hex(published, "handshake", "scan_start_bytes"))
    assert start.token == published["handshake"]["token_text"]
    assert start.key_share == _hex(published, "keys", "device_x25519_public")
    header = scan_pb2.FrameHeader.FromString(_hex(published, "chain", "frame_1_header_bytes"))
    assert (header.attempt, header.index, header.capture_time_us) == (1, 1, 1_040_000)
    raw = _hex(published, "attestation with findings", "runtime_findings_bytes")
    assert device_pb2.RuntimeFindings.FromString(raw).findings[0].name == "frida"
    end = scan_pb2.AttemptEndBody.FromString(_hex(published, "chain", "attempt_end_body_bytes"))
    assert end.last_mac == _hex(published, "chain", "frame_1_mac")


# The recorded scans for authors of SDKs, against the code and their schema.

_PUBLISHED: dict[str, Any] = json.loads(TRANSCRIPTS_FILE.read_text(encoding="utf-8"))


def _by_name(kind: str) -> dict[str, Transcript]:
    return {transcript["name"]: transcript for transcript in _PUBLISHED[kind]}


def test_code_gives_the_published_scans_byte_for_byte() -> None:
    assert rendered() == TRANSCRIPTS_FILE.read_text(encoding="utf-8")


def test_the_published_scans_keep_to_their_schema() -> None:
    # Imported here: its grammars take every process seconds that collects the tests.
    import jsonschema

    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(_PUBLISHED, schema)


@pytest.mark.parametrize("name", _by_name("accepted"))
def test_a_right_scan_is_accepted(name: str) -> None:
    verify_transcript(_by_name("accepted")[name])


@pytest.mark.parametrize("name", _by_name("refused"))
def test_a_wrong_scan_is_refused_where_it_says_so(name: str) -> None:
    transcript = _by_name("refused")[name]
    with pytest.raises(Refused) as refused:
        verify_transcript(transcript)
    assert refused.value == Refused(transcript["stream"], transcript["message"], transcript["reason"])
    sender = transcript["streams"][transcript["stream"]]["messages"][transcript["message"]]["from"]
    assert sender != transcript["refused_by"]


def test_a_frame_is_a_jpeg_of_three_channels() -> None:
    limits = DecodeLimits(max_bytes=4096, max_pixels=64, max_side=8)
    formats = frozenset({ImageFormat.JPEG})
    decoded = decode_image(tiny_jpeg(100), limits=limits, formats=formats, honour_exif_orientation=False)
    assert decoded.pixels.shape == (8, 8, 3)
    assert decoded.header.channels == 3

"""The cryptography of the protocol: agreement, binding, chain, framing and signatures."""

import dataclasses
import hashlib
import hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from facegate_protocol import (
    MAC_BYTES,
    MAC_KEY_BYTES,
    SHARE_BYTES,
    BindingInputs,
    KeyMaterialError,
    MacChain,
    attempt_end_message,
    attestation_message,
    binding_hash,
    challenge_message,
    derive_mac_key,
    evidence_challenge,
    fingerprint,
    length_prefixed,
    load_public_key,
    public_key_der,
    resume_message,
    sha256,
    sign,
    verify,
)

# RFC 7748, section 6.1.
ALICE = X25519PrivateKey.from_private_bytes(
    bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
)
BOB = X25519PrivateKey.from_private_bytes(
    bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
)
SHARED = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
BOB_SHARE = BOB.public_key().public_bytes_raw()
NONCE, BINDING = bytes(range(32)), bytes(range(32, 64))

# The points of small order on curve25519, as RFC 7748's security considerations warn of them.
SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


def test_key_is_hkdf_over_the_shared_secret_of_rfc_7748() -> None:
    domain = b"facegate/v1/mac-key"
    info = len(domain).to_bytes(4, "big") + domain + len(BINDING).to_bytes(4, "big") + BINDING
    extracted = hmac.digest(NONCE, SHARED, hashlib.sha256)
    expected = hmac.digest(extracted, info + b"\x01", hashlib.sha256)
    key = derive_mac_key(private_key=ALICE, peer_share=BOB_SHARE, nonce=NONCE, binding=BINDING)
    assert key == expected
    assert len(key) == MAC_KEY_BYTES


@given(nonce=st.binary(min_size=32, max_size=32), binding=st.binary(min_size=32, max_size=32))
def test_nonce_and_binding_enter_the_key(nonce: bytes, binding: bytes) -> None:
    usual = derive_mac_key(private_key=ALICE, peer_share=BOB_SHARE, nonce=NONCE, binding=BINDING)
    other = derive_mac_key(private_key=ALICE, peer_share=BOB_SHARE, nonce=nonce, binding=binding)
    assert (usual == other) == ((nonce, binding) == (NONCE, BINDING))


@pytest.mark.parametrize("share", SMALL_ORDER)
def test_point_of_small_order_is_refused(share: str) -> None:
    with pytest.raises(KeyMaterialError, match="small order"):
        derive_mac_key(private_key=ALICE, peer_share=bytes.fromhex(share), nonce=NONCE, binding=BINDING)


@given(st.binary(max_size=80).filter(lambda share: len(share) != SHARE_BYTES))
def test_share_of_another_length_is_refused(share: bytes) -> None:
    with pytest.raises(KeyMaterialError, match="32 bytes"):
        derive_mac_key(private_key=ALICE, peer_share=share, nonce=NONCE, binding=BINDING)


USUAL = BindingInputs(
    token="token",
    nonce=bytes(32),
    device_share=b"\x01" * 32,
    server_share=b"\x02" * 32,
    session_public_key=b"\x03" * 91,
    server_spki_sha256=b"\x04" * 32,
    start=b"start",
)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(BindingInputs)])
@given(value=st.binary(max_size=100))
def test_every_input_enters_the_binding(name: str, value: bytes) -> None:
    change: dict[str, Any] = {name: value.hex() if name == "token" else value}
    changed = dataclasses.replace(USUAL, **change)
    assert (binding_hash(changed) == binding_hash(USUAL)) == (changed == USUAL)


def test_evidence_is_made_for_the_findings_beside_it() -> None:
    fields = [b"facegate/v1/evidence-challenge", b"h" * 32, hashlib.sha256(b"findings").digest()]
    framed = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    made = evidence_challenge(binding=b"h" * 32, findings=b"findings")
    assert made == hashlib.sha256(framed).digest()
    assert evidence_challenge(binding=b"h" * 32, findings=b"") == b"h" * 32


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_other_findings_are_another_challenge(one: bytes, other: bytes) -> None:
    challenges = [evidence_challenge(binding=b"h" * 32, findings=each) for each in (one, other)]
    assert (challenges[0] == challenges[1]) is (one == other)


KEY, CHAIN_BINDING, CHAIN_NONCE = b"k" * 32, b"h" * 32, b"n" * 16

Frame = tuple[bytes, bytes]
frames = st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=40)), min_size=2, max_size=8)


def _chain(
    *, key: bytes = KEY, binding: bytes = CHAIN_BINDING, attempt: int = 1, nonce: bytes = CHAIN_NONCE
) -> MacChain:
    chain = MacChain(key=key, binding=binding)
    chain.mark_attempt(attempt=attempt, nonce=nonce)
    return chain


def _sent(content: list[Frame], *, binding: bytes = CHAIN_BINDING) -> list[tuple[bytes, bytes, bytes]]:
    sender = _chain(binding=binding)
    return [(header, image, sender.add_frame(header=header, image=image)) for header, image in content]


def _accepted(received: list[tuple[bytes, bytes, bytes]], receiver: MacChain | None = None) -> int:
    chain = receiver or _chain()
    for count, (header, image, mac) in enumerate(received):
        if not chain.accept_frame(header=header, image=image, mac=mac):
            return count
    return len(received)


@given(frames)
def test_a_sent_chain_is_accepted(content: list[Frame]) -> None:
    assert _accepted(_sent(content)) == len(content)


@given(frames, st.data())
def test_any_changed_bit_is_detected_at_its_frame(content: list[Frame], data: st.DataObject) -> None:
    sent = _sent(content)
    place = data.draw(st.integers(0, len(sent) - 1))
    part = data.draw(st.integers(0, 2).filter(lambda part: len(sent[place][part]) > 0))
    field = bytearray(sent[place][part])
    bit = data.draw(st.integers(0, len(field) * 8 - 1))
    field[bit // 8] ^= 1 << (bit % 8)
    changed = list(sent[place])
    changed[part] = bytes(field)
    sent[place] = (changed[0], changed[1], changed[2])
    assert _accepted(sent) == place


@pytest.mark.parametrize("change", ["dropped", "swapped", "repeated"])
@given(content=frames, data=st.data())
def test_frames_out_of_order_are_detected(change: str, content: list[Frame], data: st.DataObject) -> None:
    sent = _sent(content)
    first = data.draw(st.integers(0, len(sent) - 2))
    second = data.draw(st.integers(first + 1, len(sent) - 1))
    match change:
        case "dropped":
            del sent[first]
        case "swapped":
            sent[first], sent[second] = sent[second], sent[first]
        case _:
            sent.insert(second, sent[first])
    assert _accepted(sent) == (second if change == "repeated" else first)


def test_frames_of_another_key_binding_attempt_or_nonce_are_refused() -> None:
    sent = _sent([(b"header", b"image")])
    assert _accepted(sent, _chain()) == 1
    assert _accepted(sent, _chain(key=b"x" * 32)) == 0
    assert _accepted(sent, _chain(binding=b"x" * 32)) == 0
    assert _accepted(sent, _chain(attempt=2)) == 0
    assert _accepted(sent, _chain(nonce=b"x" * 16)) == 0
    assert _accepted(sent, MacChain(key=KEY, binding=CHAIN_BINDING)) == 0


def test_refused_frame_leaves_the_chain_as_it_was() -> None:
    sent = _sent([(b"0", b"a"), (b"1", b"b")])
    chain = _chain()
    before = chain.value
    assert not chain.accept_frame(header=b"0", image=b"forged", mac=sent[0][2])
    assert chain.value == before
    assert _accepted(sent, chain) == 2


@pytest.mark.parametrize("mac", [b"", b"\x00", bytes(31), bytes(33), bytes(1000)])
def test_mac_of_another_length_is_refused(mac: bytes) -> None:
    assert not _chain().accept_frame(header=b"h", image=b"i", mac=mac)


@given(frames)
def test_chain_runs_on_over_attempts(content: list[Frame]) -> None:
    sender, receiver = _chain(), _chain()
    first = [(h, i, sender.add_frame(header=h, image=i)) for h, i in content]
    sender.mark_attempt(attempt=2, nonce=b"m" * 16)
    second = [(h, i, sender.add_frame(header=h, image=i)) for h, i in content]
    assert _accepted(first, receiver) == len(content)
    assert _accepted(second, receiver) == 0
    receiver.mark_attempt(attempt=2, nonce=b"m" * 16)
    assert _accepted(second, receiver) == len(content)
    assert receiver.value == sender.value == second[-1][2]
    assert len(receiver.value) == MAC_BYTES


def test_markers_of_different_attempts_differ() -> None:
    marks = {
        MacChain(key=KEY, binding=CHAIN_BINDING).mark_attempt(attempt=attempt, nonce=nonce)
        for attempt in (1, 2, 256, 65536)
        for nonce in (CHAIN_NONCE, b"m" * 16)
    }
    assert len(marks) == 8


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ((), ""),
        ((b"",), "00000000"),
        ((b"abc",), "00000003616263"),
        ((b"ab", b"c"), "000000026162" + "0000000163"),
        ((b"a", b"bc"), "0000000161" + "000000026263"),
        ((bytes(256),), "00000100" + "00" * 256),
    ],
)
def test_each_field_follows_its_big_endian_length(fields: tuple[bytes, ...], expected: str) -> None:
    assert length_prefixed(*fields).hex() == expected


@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.binary(max_size=40), max_size=6))
def test_different_fields_never_give_the_same_bytes(one: list[bytes], other: list[bytes]) -> None:
    assert (length_prefixed(*one) == length_prefixed(*other)) == (one == other)


PRIVATE = ec.generate_private_key(ec.SECP256R1())
PUBLIC = PRIVATE.public_key()
SIGNATURE = sign(PRIVATE, b"message")
OTHER = ec.generate_private_key(ec.SECP256R1()).public_key()


def test_signature_of_rfc_6979_is_accepted() -> None:
    # RFC 6979, appendix A.2.5: P-256, SHA-256, message "sample".
    key = ec.EllipticCurvePublicNumbers(
        0x60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6,
        0x7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299,
        ec.SECP256R1(),
    ).public_key()
    signature = encode_dss_signature(
        0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
        0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
    )
    assert verify(public_key=key, message=b"sample", signature=signature)
    assert not verify(public_key=key, message=b"Sample", signature=signature)


@given(st.binary(max_size=200))
def test_signature_verifies_for_its_message_alone(message: bytes) -> None:
    signature = sign(PRIVATE, message)
    assert len(signature) <= 72
    assert verify(public_key=PUBLIC, message=message, signature=signature)
    assert not verify(public_key=PUBLIC, message=message + b"\x00", signature=signature)
    assert not verify(public_key=OTHER, message=message, signature=signature)


@given(st.binary(max_size=100))
def test_noise_is_no_signature_and_no_exception(noise: bytes) -> None:
    assert not verify(public_key=PUBLIC, message=b"message", signature=noise)


@given(st.data())
def test_changed_signature_is_refused(data: st.DataObject) -> None:
    signature = bytearray(SIGNATURE)
    bit = data.draw(st.integers(0, len(signature) * 8 - 1))
    signature[bit // 8] ^= 1 << (bit % 8)
    assert not verify(public_key=PUBLIC, message=b"message", signature=bytes(signature))


def test_messages_of_different_purposes_never_pass_for_each_other() -> None:
    binding = bytes(32)
    messages = {
        challenge_message(start=b"", body=binding),
        resume_message(binding=binding),
        attestation_message(binding=binding),
        attempt_end_message(binding=binding, body=b""),
    }
    assert len(messages) == 4


@given(st.binary(max_size=50), st.binary(max_size=50), st.binary(max_size=50), st.binary(max_size=50))
def test_challenge_message_covers_start_and_body(a: bytes, b: bytes, c: bytes, d: bytes) -> None:
    assert (challenge_message(start=a, body=b) == challenge_message(start=c, body=d)) == ((a, b) == (c, d))
    assert (attempt_end_message(binding=a, body=b) == attempt_end_message(binding=c, body=d)) == (
        (a, b) == (c, d)
    )
    assert (resume_message(binding=a) == resume_message(binding=c)) == (a == c)


def test_public_key_goes_out_and_in() -> None:
    der = public_key_der(PUBLIC)
    assert len(der) == 91
    assert load_public_key(der).public_numbers() == PUBLIC.public_numbers()
    assert fingerprint(der) == sha256(der)


def _spki(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"\x30",
        bytes(91),
        bytes(129),
        public_key_der(PUBLIC)[:-1],
        public_key_der(PUBLIC) + b"\x00" * 40,
        _spki(ed25519.Ed25519PrivateKey.generate().public_key()),
        _spki(ec.generate_private_key(ec.SECP384R1()).public_key()),
        _spki(ec.generate_private_key(ec.SECP256K1()).public_key()),
        _spki(rsa.generate_private_key(65537, 2048).public_key()),
    ],
    ids=["empty", "cut", "zeros", "long", "short", "tail", "ed25519", "p384", "secp256k1", "rsa"],
)
def test_anything_but_a_p256_key_is_refused(der: bytes) -> None:
    with pytest.raises(KeyMaterialError):
        load_public_key(der)


def test_point_that_is_not_on_the_curve_is_refused() -> None:
    der = bytearray(public_key_der(PUBLIC))
    der[-1] ^= 1
    with pytest.raises(KeyMaterialError):
        load_public_key(bytes(der))


@given(st.binary(max_size=200))
def test_noise_is_no_key(noise: bytes) -> None:
    with pytest.raises(KeyMaterialError):
        load_public_key(noise)

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from facegate_protocol import MAC_KEY_BYTES, SHARE_BYTES, KeyMaterialError, derive_mac_key

# RFC 7748, section 6.1.
ALICE = X25519PrivateKey.from_private_bytes(
    bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
)
BOB = X25519PrivateKey.from_private_bytes(
    bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
)
SHARED = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
ALICE_SHARE = ALICE.public_key().public_bytes_raw()
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


def test_both_sides_get_the_same_key() -> None:
    alice = derive_mac_key(private_key=ALICE, peer_share=BOB_SHARE, nonce=NONCE, binding=BINDING)
    bob = derive_mac_key(private_key=BOB, peer_share=ALICE_SHARE, nonce=NONCE, binding=BINDING)
    assert alice == bob


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

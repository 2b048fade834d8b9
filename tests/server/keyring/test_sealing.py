import itertools
import secrets
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.keyring.sealing import (
    Context,
    Random,
    SealBroken,
    Sealed,
    WrappingKeys,
    WrappingKeyUnknown,
    context,
    seal,
    unseal,
)

_OLD = WrappingKeys(newest="old", keys={"old": bytes(range(32))})
_BOTH = WrappingKeys(newest="new", keys={"old": bytes(range(32)), "new": bytes(range(32, 64))})
_CHECK = UUID("6f2c1f7e-0d35-4c9b-8a41-8f5f7f3c2a11")
_AAD = context(tenant="default", check_id=_CHECK, kind="EVIDENCE_FRAME")


def counting() -> Random:
    """Replaces secrets.token_bytes: 1, 1, 1..., then 2, 2, 2..., and so on."""
    numbers = itertools.count(1)
    return lambda count: bytes([next(numbers)]) * count


@given(st.binary(max_size=2000))
def test_sealed_data_are_opened(plaintext: bytes) -> None:
    sealed = seal(plaintext, wrapping_keys=_OLD, aad=_AAD, random=secrets.token_bytes)
    assert unseal(sealed, wrapping_keys=_OLD, aad=_AAD) == plaintext
    assert len(sealed.ciphertext) == 1 + 12 + len(plaintext) + 16
    assert len(sealed.wrapped_key) == 61


def test_the_form_is_fixed() -> None:
    """A vector: later versions must open the data that this version seals."""
    sealed = seal(b"a picture", wrapping_keys=_OLD, aad=_AAD, random=counting())
    vector = Sealed(
        ciphertext=bytes.fromhex(
            "0202020202020202020202020266f6b9202923b48fb6be1bad50ecb5d49d8d55d73c301e6bbe"
        ),
        wrapped_key=bytes.fromhex(
            "02030303030303030303030303ef4a3dd70a935317df5c077fccab55061b57f7f1dbf93db083bc47"
            "1c0523a853ad1b1f0fedc7fe8190fdb3217e198238"
        ),
        key_id="old",
    )
    assert sealed == vector
    assert unseal(vector, wrapping_keys=_BOTH, aad=_AAD) == b"a picture"


def test_an_unknown_format_is_refused() -> None:
    sealed = seal(b"x", wrapping_keys=_OLD, aad=_AAD, random=secrets.token_bytes)
    for form in (b"\x00", b"\x01", b"\x03"):
        for damaged in (
            replace(sealed, ciphertext=form + sealed.ciphertext[1:]),
            replace(sealed, wrapped_key=form + sealed.wrapped_key[1:]),
        ):
            with pytest.raises(SealBroken):
                unseal(damaged, wrapping_keys=_OLD, aad=_AAD)


def test_every_record_has_its_own_key_and_nonces() -> None:
    first, second = (
        seal(b"same", wrapping_keys=_OLD, aad=_AAD, random=secrets.token_bytes) for _ in range(2)
    )
    assert first.ciphertext != second.ciphertext
    assert first.wrapped_key != second.wrapped_key


def test_the_newest_key_wraps_and_old_ones_open() -> None:
    old = seal(b"x", wrapping_keys=_OLD, aad=_AAD, random=secrets.token_bytes)
    new = seal(b"x", wrapping_keys=_BOTH, aad=_AAD, random=secrets.token_bytes)
    assert (old.key_id, new.key_id) == ("old", "new")
    assert unseal(old, wrapping_keys=_BOTH, aad=_AAD) == b"x"
    with pytest.raises(WrappingKeyUnknown) as caught:
        unseal(new, wrapping_keys=_OLD, aad=_AAD)
    assert caught.value.key_id == "new"


@given(st.data())
def test_any_flipped_bit_is_noticed(data: st.DataObject) -> None:
    sealed = seal(b"evidence", wrapping_keys=_OLD, aad=_AAD, random=secrets.token_bytes)
    part = data.draw(st.sampled_from(["ciphertext", "wrapped_key"]))
    content = bytearray(getattr(sealed, part))
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    parts = {"ciphertext": sealed.ciphertext, "wrapped_key": sealed.wrapped_key, part: bytes(content)}
    with pytest.raises(SealBroken):
        unseal(Sealed(**parts, key_id="old"), wrapping_keys=_OLD, aad=_AAD)


@given(st.data())
def test_any_shorter_data_are_noticed(data: st.DataObject) -> None:
    sealed = seal(b"evidence", wrapping_keys=_OLD, aad=_AAD, random=secrets.token_bytes)
    part = data.draw(st.sampled_from(["ciphertext", "wrapped_key"]))
    content = getattr(sealed, part)
    parts = {"ciphertext": sealed.ciphertext, "wrapped_key": sealed.wrapped_key}
    parts[part] = content[: data.draw(st.integers(0, len(content) - 1))]
    with pytest.raises(SealBroken):
        unseal(Sealed(**parts, key_id="old"), wrapping_keys=_OLD, aad=_AAD)


@pytest.mark.parametrize(
    "aad",
    [
        replace(_AAD, tenant="another"),
        replace(_AAD, check_id=uuid4()),
        replace(_AAD, kind="AUDIT_IMAGE"),
        replace(_AAD, version=2),
    ],
    ids=["tenant", "check", "kind", "version"],
)
def test_a_record_opens_in_its_own_context_only(aad: Context) -> None:
    sealed = seal(b"x", wrapping_keys=_OLD, aad=_AAD, random=secrets.token_bytes)
    with pytest.raises(SealBroken):
        unseal(sealed, wrapping_keys=_OLD, aad=aad)


def test_a_key_wrapped_for_another_record_does_not_open_this_one() -> None:
    one = seal(b"one", wrapping_keys=_OLD, aad=_AAD, random=secrets.token_bytes)
    two = seal(b"two", wrapping_keys=_OLD, aad=_AAD, random=secrets.token_bytes)
    with pytest.raises(SealBroken):
        unseal(Sealed(one.ciphertext, two.wrapped_key, "old"), wrapping_keys=_OLD, aad=_AAD)


@given(
    st.tuples(st.text(max_size=8), st.text(max_size=8)), st.tuples(st.text(max_size=8), st.text(max_size=8))
)
def test_different_contexts_have_different_associated_data(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    first, second = (
        context(tenant=tenant, check_id=_CHECK, kind=kind).aad(b"\x02") for tenant, kind in (one, other)
    )
    assert (first == second) is (one == other)


def test_wrapping_keys_must_be_whole() -> None:
    with pytest.raises(WrappingKeyUnknown):
        WrappingKeys(newest="missing", keys={"old": bytes(32)})
    with pytest.raises(SealBroken):
        WrappingKeys(newest="short", keys={"short": bytes(16)})


def test_nothing_secret_is_in_a_repr() -> None:
    sealed = seal(b"x", wrapping_keys=_OLD, aad=_AAD, random=secrets.token_bytes)
    assert repr(sealed) == "Sealed(key_id='old')"
    assert repr(_OLD) == "WrappingKeys(wrapping={'': 'old'})"

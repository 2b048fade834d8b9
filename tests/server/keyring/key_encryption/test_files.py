import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.keyring.key_encryption import (
    FileContext,
    KeyEncryptionUnavailable,
    KeyFileCipher,
    KeyNotDecrypted,
    LocalKey,
    is_encrypted,
)

_CONTEXT = FileContext("evidence", "bank")
_OLD, _NEW = LocalKey("file:old", os.urandom(32)), LocalKey("file:new", os.urandom(32))


@given(st.binary(max_size=2000))
def test_content_comes_back(content: bytes) -> None:
    cipher = KeyFileCipher([_NEW])
    encrypted = cipher.encrypt(content, _CONTEXT)
    assert is_encrypted(encrypted)
    assert cipher.decrypt(encrypted, _CONTEXT) == content


def test_without_a_key_content_stays_as_it_is() -> None:
    assert KeyFileCipher([]).encrypt(b"key", _CONTEXT) == b"key"


def test_clear_content_is_read_until_it_is_encrypted() -> None:
    assert KeyFileCipher([_NEW]).decrypt(b"\x00" * 32, _CONTEXT) == b"\x00" * 32


def test_every_listed_key_decrypts_and_the_first_encrypts() -> None:
    before = KeyFileCipher([_OLD]).encrypt(b"key", _CONTEXT)
    both = KeyFileCipher([_NEW, _OLD])
    assert both.decrypt(before, _CONTEXT) == b"key"
    assert not both.current(before)
    assert both.current(both.encrypt(b"key", _CONTEXT))


def test_a_key_that_is_not_listed_is_named() -> None:
    with pytest.raises(KeyEncryptionUnavailable, match="file:old"):
        KeyFileCipher([_NEW]).decrypt(KeyFileCipher([_OLD]).encrypt(b"key", _CONTEXT), _CONTEXT)


@pytest.mark.parametrize(
    "other", [FileContext("token", "bank"), FileContext("evidence"), FileContext("evidencebank")]
)
def test_a_file_is_of_one_purpose_and_tenant(other: FileContext) -> None:
    cipher = KeyFileCipher([_NEW])
    with pytest.raises(KeyNotDecrypted):
        cipher.decrypt(cipher.encrypt(b"key", _CONTEXT), other)


@given(st.integers(min_value=0, max_value=400), st.integers(min_value=1, max_value=255))
def test_altered_content_never_decrypts_to_another_key(place: int, change: int) -> None:
    cipher = KeyFileCipher([_NEW])
    content = bytearray(cipher.encrypt(bytes(32), _CONTEXT))
    content[place % len(content)] ^= change
    try:
        key = cipher.decrypt(bytes(content), _CONTEXT)
    except (KeyNotDecrypted, KeyEncryptionUnavailable):
        return
    # Outside of the ciphertext, a change may leave the key or make the file one that is not encrypted.
    assert key in {bytes(32), bytes(content)}

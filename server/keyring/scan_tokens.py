"""Scan tokens, with which a device scans for a check."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Final
from uuid import UUID

__all__ = ["ScanTokens"]

_TOKEN_VERSION: Final = b"\x01"
_TOKEN_DOMAIN: Final = b"facegate/v1/scan-token"
_TOKEN_KEY_ID_DOMAIN: Final = b"facegate/v1/scan-token-key-id"
_KEY_ID_BYTES: Final = 4
_CHECK_ID_BYTES: Final = 16
_HEAD_BYTES: Final = 1 + _KEY_ID_BYTES + _CHECK_ID_BYTES
_TOKEN_BYTES: Final = _HEAD_BYTES + 32
_TOKEN_CHARACTERS: Final = 71


class ScanTokens:
    """Issues and verifies scan tokens, which a keyed PRF derives from the check, so that no secret is stored.

    A token is base64url, without padding, of: format version (1 byte), key identifier (4 bytes), check
    identifier (16 bytes), HMAC-SHA-256 (RFC 2104) of the domain and all preceding bytes (32 bytes).
    """

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        """Sets PRF keys of 32 bytes, newest first: the first issues tokens, all of them verify."""
        self._keys = {_token_key_id(key): key for key in reversed(keys)}
        self._newest = _token_key_id(keys[0])

    def add(self, keys: tuple[bytes, ...]) -> None:
        """Adds PRF keys that verify; the same key as before issues tokens."""
        self._keys = {_token_key_id(key): key for key in keys} | self._keys

    def issue(self, check_id: UUID) -> str:
        """Returns the token of a check, 71 characters; it depends on the check and the key only."""
        head = _TOKEN_VERSION + self._newest + check_id.bytes
        return urlsafe_b64encode(head + _token_mac(self._keys[self._newest], head)).rstrip(b"=").decode()

    def check_id_of(self, token: str) -> UUID | None:
        """Returns the check of a token; ``None`` for a text that was not issued with one of the keys."""
        if len(token) != _TOKEN_CHARACTERS or not token.isascii():
            return None
        try:
            data = urlsafe_b64decode(token + "=")
        except ValueError:
            return None
        # Base64 has several encodings of the same bytes; only the issued one is accepted.
        if len(data) != _TOKEN_BYTES or urlsafe_b64encode(data).rstrip(b"=").decode() != token:
            return None
        head, mac = data[:_HEAD_BYTES], data[_HEAD_BYTES:]
        key = self._keys.get(head[1 : 1 + _KEY_ID_BYTES])
        if key is None or head[:1] != _TOKEN_VERSION or not hmac.compare_digest(mac, _token_mac(key, head)):
            return None
        return UUID(bytes=head[1 + _KEY_ID_BYTES :])


def _token_key_id(key: bytes) -> bytes:
    return sha256(_TOKEN_KEY_ID_DOMAIN + key).digest()[:_KEY_ID_BYTES]


def _token_mac(key: bytes, head: bytes) -> bytes:
    return hmac.digest(key, _TOKEN_DOMAIN + head, "sha256")

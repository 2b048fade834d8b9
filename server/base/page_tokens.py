"""Page tokens: a place in a list, encrypted and bound to its tenant and its conditions (AES-256-GCM)."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.base.errors import Reason, Refusal

_TOKEN_DOMAIN: Final = b"facegate/v1/page-token"
_NONCE_BYTES: Final = 12


_Entry = TypeVar("_Entry")
_Place = TypeVar("_Place")


@dataclass(frozen=True, slots=True)
class Page(Generic[_Entry]):
    """A page of a list.

    Attributes:
        entries: Its entries, in the order of the list.
        next_page_token: Gives the next page; empty after the last one.
    """

    entries: tuple[_Entry, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTokens:
    """Makes pages and their tokens, and opens these.

    Attributes:
        tenant_keys: Returns the keys that a tenant has and had, newest first.
    """

    tenant_keys: Callable[[str], tuple[bytes, ...]] = field(repr=False)

    def page(
        self,
        found: Sequence[_Entry],
        size: int,
        *,
        place: Callable[[_Entry], bytes],
        tenant: str,
        conditions: Sequence[str],
    ) -> Page[_Entry]:
        """Return a page of at most ``size`` entries.

        Args:
            found: One entry more than the page may have, if there are more.
            place: Returns the position of an entry; see ``make``.
        """
        last = place(found[size - 1]) if len(found) > size else b""
        return Page(tuple(found[:size]), self.make(last, tenant=tenant, conditions=conditions))

    def make(self, place: bytes, *, tenant: str, conditions: Sequence[str]) -> str:
        """Return the token of the page that follows an entry of a list; empty if none follows.

        Args:
            place: The position of the entry, as the list encodes it; empty for the last page.
        """
        if not place:
            return ""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        key = self._ciphers(tenant)[0]
        sealed = nonce + key.encrypt(nonce, place, _bound(tenant, conditions))
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(
        self, token: str, parse: Callable[[bytes], _Place], *, tenant: str, conditions: Sequence[str]
    ) -> _Place | None:
        """Return the position after which the page of a token begins; ``None`` for the first page.

        Args:
            token: The token; empty for the first page.
            parse: Parses the position that ``make`` was given.

        Raises:
            Refusal: The token is altered, or of another tenant or other conditions (INVALID_FIELD).
        """
        if not token:
            return None
        try:
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raise _refused() from None
        nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for key in self._ciphers(tenant):
            with suppress(InvalidTag, ValueError):
                return parse(key.decrypt(nonce, body, _bound(tenant, conditions)))
        raise _refused()

    def _ciphers(self, tenant: str) -> tuple[AESGCM, ...]:
        return tuple(AESGCM(hmac.digest(key, _TOKEN_DOMAIN, "sha256")) for key in self.tenant_keys(tenant))


def _bound(tenant: str, conditions: Sequence[str]) -> bytes:
    digest = hashlib.sha256(_TOKEN_DOMAIN)
    for text in (tenant, *conditions):
        data = text.encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.digest()


def _refused() -> Refusal:
    return Refusal(
        Reason.INVALID_FIELD,
        "page_token is not one of this list; send `next_page_token` with otherwise the same fields, or leave "
        "it empty for the first page",
        details={"field": "page_token"},
    )

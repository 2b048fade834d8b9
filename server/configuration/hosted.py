"""The settings of the server's own scan page."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator
from yarl import URL

from server.base.table import Table, WebOrigin, is_loopback

MOST_URL: Final = 1024
_RETURN_URL: Final = re.compile(r"(https?://[^/?#\\@\s%]+)((?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*/?)")
_LOWEST_CONTRAST: Final = 4.5
"""Of text and its background, WCAG 2.2, 1.4.3."""

Language = Literal["en", "de", "fr", "es", "pt", "hi", "ar"]


def expect_return_url(url: str) -> str:
    """Return an address that pages may return to, which has only an origin and a path.

    Raises:
        ValueError: It has more, is not written as browsers write it, or would cross a network in clear text.
    """
    parts = _RETURN_URL.fullmatch(url) if len(url) <= MOST_URL else None
    if parts is None:
        raise ValueError(f"not an origin and a path of at most {MOST_URL} characters, without a query")
    origin, path = parts.groups()
    try:
        written = str(URL(origin).origin())
    except ValueError:
        raise ValueError("not the address of a page") from None
    if origin != written:
        raise ValueError("not written as browsers write it: small letters, punycode, no default port")
    if {".", ".."} & set(path.split("/")):
        raise ValueError("its path has a part that is . or ..")
    if origin.startswith("http:") and not is_loopback(urlsplit(origin).hostname or ""):
        raise ValueError("write https://")
    return url


def _expect_readable(color: str) -> str:
    """Refuse a colour on which white text cannot be read."""

    def linear(channel: int) -> float:
        value = channel / 255
        return float(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)

    red, green, blue = (linear(int(color[at : at + 2], 16)) for at in (1, 3, 5))
    contrast = 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)
    if contrast < _LOWEST_CONTRAST:
        raise ValueError(
            f"white text on it has a contrast of {contrast:.1f}, and needs {_LOWEST_CONTRAST}; "
            "take a darker one"
        )
    return color


Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Address = Annotated[str, StringConstraints(pattern=r"^https://[^\s\\]+$", max_length=MOST_URL)]
ReturnUrl = Annotated[str, AfterValidator(expect_return_url)]


class HostedTexts(Table):
    """Texts in one language that replace those of the page."""

    title: Text | None = None
    """The heading."""
    consent: Text | None = None
    """What the person agrees to before the scan; blank lines divide paragraphs."""
    end: Text | None = None
    """What the person reads after the scan."""


class HostedLinks(Table):
    """Pages of the operator, linked below the scan."""

    privacy: Address | None = None
    """The privacy notice."""
    imprint: Address | None = None
    """Who the operator is."""
    help: Address | None = None
    """Help."""


class HostedSettings(Table):
    """The server's own scan page, on the web listener; see ``docs/hosted_scan.md``."""

    origin: WebOrigin
    """The page's origin in browsers, such as ``https://verify.bank.example``: this listener's, or that of a
    proxy before it. It may scan as those of ``device_integrity.web.origins``. HTTPS unless it is on this
    machine."""
    return_urls: tuple[ReturnUrl, ...] = Field(default=(), max_length=64)
    """The addresses to which the page may return people: an origin, and a path below which every path is
    allowed, such as ``https://bank.example/onboarding``."""
    name: str = Field(min_length=1, max_length=64)
    """The name of the operator, as people know it."""
    logo_file: Path | None = None
    """A PNG or SVG of at most 256 KiB, shown beside the name. It is read at the start."""
    color: Annotated[
        str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$"), AfterValidator(_expect_readable)
    ] = "#0b5cad"
    """The colour of buttons, which have white text."""
    links: HostedLinks = HostedLinks()
    """Pages of the operator, linked below the scan."""
    texts: dict[Language, HostedTexts] = Field(default_factory=dict)
    """Texts that replace those of the page, by language: ``en``, ``de``, ``fr``, ``es``, ``pt``, ``hi`` or
    ``ar``."""

    @field_validator("name")
    @classmethod
    def _shown(cls, value: str) -> str:
        if not value.isprintable() or not value.strip():
            raise ValueError("write the name as people know it, in printable characters")
        return value

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        place = urlsplit(self.origin)
        if place.scheme == "http" and not is_loopback(place.hostname or ""):
            raise ValueError("origin: write https://: browsers have no camera for other pages")
        return self

    def may_return_to(self, url: str) -> bool:
        """Return whether an address is one of ``return_urls``, or below one.

        It must be one that ``expect_return_url`` returns.
        """
        return any(url == listed or url.startswith(f"{listed.rstrip('/')}/") for listed in self.return_urls)

"""The templates of the demo's page."""

from typing import Final

from cli.markup import Html, Templates, data_uri, joined

__all__ = ["Html", "fill", "joined", "jpeg_uri"]

_TEMPLATES: Final = Templates("cli.demo")

fill = _TEMPLATES.fill
"""Fills a template of this folder; see ``cli.markup.Templates.fill``."""


def jpeg_uri(image: bytes) -> str:
    """A JPEG as a data URI, so that a page needs no other file."""
    return data_uri(image, media_type="image/jpeg")

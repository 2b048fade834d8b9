"""Validates references to trusted images.

A reference is a relative path of plain names, such as ``2031/05/4711.jpg``, and has the same form for a
folder and for a bucket. Characters that a file system, gateway or decoder could interpret in another way are
refused before the store is accessed. A reference is never decoded, cleaned or truncated.
"""

import re
import unicodedata
from typing import Final

from server.trusted_images.errors import ReferenceInvalid

__all__ = ["MAX_REFERENCE_BYTES", "parse_reference"]

MAX_REFERENCE_BYTES: Final = 512
"""Maximum size of a reference in UTF-8; a limit of the wire contract."""

_MAX_SEGMENT_BYTES: Final = 255
"""``NAME_MAX`` of Linux."""
_ASCII: Final = re.compile(r"[A-Za-z0-9 !$&'()+,\-.=@_;~#\[\]{}^]")
_ALLOWED: Final = "letters, digits, spaces and !#$&'()+,-.;=@[]^_{}~"
# Letters, marks and numbers of any script; no symbols, controls, formats (such as those that change the
# direction of text), private or unassigned characters.
_CATEGORIES: Final = ("L", "M", "N")


def parse_reference(text: str) -> tuple[str, ...]:
    """Splits a reference into its segments.

    Segments are joined by ``/``. A segment has 1 to 255 bytes of letters, digits and marks of any script, and
    of the ASCII characters ``!#$&'()+,-.;=@[]^_{}~`` and space. It does not begin with a dot, which excludes
    ``.``, ``..``, and hidden files such as the snapshots of deleted files. It does not begin or end with a
    space. A reference thus cannot be an absolute path or a URL, or contain ``%``-encoding, a backslash
    or a drive. It also has no character whose compatibility form (Unicode NFKC, which some file systems and
    gateways apply) contains a character with a meaning in a path, such as U+FF0F or U+2025.

    Args:
        text: The reference that the caller sent.

    Raises:
        ReferenceInvalid: The text is not such a path.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise ReferenceInvalid("is not valid Unicode") from error
    if not text:
        raise ReferenceInvalid("is empty")
    if size > MAX_REFERENCE_BYTES:
        raise ReferenceInvalid(f"has {size} bytes; at most {MAX_REFERENCE_BYTES} are allowed")
    if "://" in text:
        raise ReferenceInvalid("is a URL; it is a path, relative to the store's own prefix")
    if text.startswith("/"):
        raise ReferenceInvalid("begins with a slash; it is relative to the store's own prefix")
    segments = tuple(text.split("/"))
    for segment in segments:
        _check(segment)
    return segments


def _check(segment: str) -> None:
    if not segment:
        raise ReferenceInvalid("has an empty segment: two slashes in a row, or one at the end")
    if segment.startswith("."):
        raise ReferenceInvalid("has a segment that begins with a dot; neither `..` nor hidden files are read")
    if segment[0] == " " or segment[-1] == " ":
        raise ReferenceInvalid("has a segment that begins or ends with a space")
    if len(segment.encode()) > _MAX_SEGMENT_BYTES:
        raise ReferenceInvalid(f"has a segment of more than {_MAX_SEGMENT_BYTES} bytes")
    for character in segment:
        if not _is_allowed(character):
            raise ReferenceInvalid(f"has a character that is not allowed; allowed are {_ALLOWED}")


def _is_allowed(character: str) -> bool:
    if character.isascii():
        return _ASCII.fullmatch(character) is not None
    if not unicodedata.category(character).startswith(_CATEGORIES):
        return False
    # A file system may normalise a similar character to a dot, a slash or another special character.
    plain = unicodedata.normalize("NFKC", character)
    return all(part.isalnum() or unicodedata.category(part).startswith(_CATEGORIES) for part in plain)

"""References to trusted images: what may be one.

A reference is a relative path of plain names, such as ``2031/05/4711.jpg``, and the same for a folder and
for a bucket. What could mean something else to some file system, gateway or decoder on the way is refused
before anything is looked up, and nothing is ever decoded, cleaned or cut.
"""

import re
import unicodedata
from typing import Final

from server.trusted_images.errors import ReferenceInvalid

__all__ = ["MAX_REFERENCE_BYTES", "parse_reference"]

MAX_REFERENCE_BYTES: Final = 512
"""Most bytes of a reference in UTF-8; the wire contract's own limit."""

_MAX_SEGMENT_BYTES: Final = 255
"""``NAME_MAX`` of Linux."""
_ASCII: Final = re.compile(r"[A-Za-z0-9 !$&'()+,\-.=@_;~#\[\]{}^]")
_ALLOWED: Final = "letters, digits, spaces and !#$&'()+,-.;=@[]^_{}~"
# Letters, marks and numbers of any script; no symbols, controls, formats (such as those that turn the
# direction of writing), private or unassigned characters.
_CATEGORIES: Final = ("L", "M", "N")


def parse_reference(text: str) -> tuple[str, ...]:
    """The segments of a reference.

    Segments are joined by ``/``. A segment has 1 to 255 bytes of letters, digits and marks of any script,
    and of the ASCII characters ``!#$&'()+,-.;=@[]^_{}~`` and space. It does not begin with a dot, which rules
    out ``.``, ``..``, and hidden files such as a file system's snapshots of what was deleted; nor does it
    begin or end with a space. So there is no absolute path, no URL, no ``%``-encoding, no backslash and no
    drive. Nor is there any character whose compatibility form (Unicode NFKC, which some file systems and
    gateways apply) has one of the characters that mean something in a path, such as U+FF0F or U+2025.

    Args:
        text: What the caller sent.

    Raises:
        ReferenceInvalid: It is no such path.
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
    # A look-alike that some file system may turn into a dot, a slash or the like.
    plain = unicodedata.normalize("NFKC", character)
    return all(part.isalnum() or unicodedata.category(part).startswith(_CATEGORIES) for part in plain)

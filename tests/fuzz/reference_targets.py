"""References to trusted images, in a real folder with all kinds of paths that could lead out of it."""

import functools
import os
import tempfile
from pathlib import Path

from server.trusted_images.fetching import parse_reference
from server.trusted_images.stores import ImageFolder, ReferenceInvalid, TrustedImagesError

_INSIDE = b"an image of the store"
_REFERENCES = (
    "2031/05/4711.jpg",
    "../secret.jpg",
    "2031/../../secret.jpg",
    "up/secret.jpg",
    "link.jpg",
    "here/2031/05/4711.jpg",
    "%2e%2e/secret.jpg",
    "\uff0e\uff0e\uff0fsecret.jpg",
    "/etc/passwd",
    "file:///etc/passwd",
    "2031\\05\\4711.jpg",
    "pipe",
)


@functools.cache
def _store() -> tuple[tempfile.TemporaryDirectory[str], ImageFolder]:
    kept = tempfile.TemporaryDirectory()
    top = Path(kept.name)
    (top / "secret.jpg").write_bytes(b"a file outside of the store")
    store = top / "store"
    (store / "2031" / "05").mkdir(parents=True)
    (store / "2031" / "05" / "4711.jpg").write_bytes(_INSIDE)
    (store / "up").symlink_to("..")
    (store / "here").symlink_to(".")
    (store / "link.jpg").symlink_to("../secret.jpg")
    os.mkfifo(store / "pipe")
    return kept, ImageFolder(store)


def reference_seeds() -> tuple[bytes, ...]:
    """A good reference, and some that lead elsewhere."""
    return tuple(reference.encode() for reference in _REFERENCES)


def follow_reference(data: bytes) -> None:
    """Any text gives the image of the store, or one of the documented errors."""
    try:
        segments = parse_reference(data.decode(errors="replace"))
    except ReferenceInvalid:
        return
    _, folder = _store()
    try:
        content = folder.read(segments, 1000)
    except TrustedImagesError:
        return
    assert content == _INSIDE

"""Frames made by hand."""

from typing import Any

from attempt.frame import Frame

__all__ = ["frame_of", "undecodable"]


def frame_of(index: int = 0, **changes: Any) -> Frame:
    """A frame, with ``changes``."""
    fields: dict[str, Any] = {
        "image": b"image %d" % index,
        "index": index,
        "capture_time_us": 1000 + index * 40_000,
        "rotation_degrees": 0,
        "mirrored": False,
        "width": 360,
        "height": 480,
    }
    return Frame(**(fields | changes))


def undecodable(jpeg: bytes) -> bytes:
    """A JPEG with the header of another, and nothing behind it that decodes."""
    tables = jpeg.index(b"\xff\xdb"), jpeg.index(b"\xff\xc4")
    assert jpeg.index(b"\xff\xc0") > tables[0]
    return jpeg.replace(b"\xff\xc4\x00", b"\xff\xc4\xff")

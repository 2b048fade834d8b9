"""Finds the kind of a file by its first bytes; the file name does not matter."""

from cli.analyze.finding import FileKind
from formats.image_header import detect_format
from vision.isolation.video import detect_container

__all__ = ["kind_of"]

_EBML = b"\x1a\x45\xdf\xa3"
_RIFF = b"RIFF"


def kind_of(content: bytes) -> FileKind | None:
    """Returns whether the content is an image or a video; None if it is neither.

    A container that is not a video of a supported format, such as a RIFF file with sound, counts
    as a video: the decoder gives the better error message.
    """
    if detect_format(content) is not None:
        return FileKind.IMAGE
    if detect_container(content) is not None or content[:4] in {_EBML, _RIFF}:
        return FileKind.VIDEO
    return None

"""A folder of still images as a frame source."""

from collections.abc import Iterator
from pathlib import Path

from facegate_client.errors import SourceError
from facegate_client.extras import needed_by
from facegate_client.frame_source import CameraDescription, Pace, Pixels
from facegate_client.recording import Recording

__all__ = ["open_image_folder"]

_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg"})
_SUFFIXES = _JPEG_SUFFIXES | {".png"}


def open_image_folder(folder: Path, *, frames_per_second: float = 15.0, pace: Pace = "realtime") -> Recording:
    """Opens a folder of JPEG and PNG files, in the order of their names; PNG needs the extra ``video``.

    Args:
        folder: The folder; its subfolders are not read.
        frames_per_second: The rate of the images, above 0.
        pace: ``realtime`` or ``fast``.

    Raises:
        SourceError: The folder is missing or has no JPEG or PNG files, or the rate is not above 0.
    """
    if not frames_per_second > 0:
        raise SourceError(f"a rate of {frames_per_second} frames per second is not above 0")
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    except OSError as error:
        raise SourceError(f"the folder {folder} cannot be read") from error
    if not files:
        raise SourceError(f"the folder {folder} has no .jpg, .jpeg or .png files")
    camera = CameraDescription(
        label="image folder", frames_per_second=frames_per_second, timestamp_source="nominal"
    )
    return Recording(_images(files, frames_per_second), camera=camera, pace=pace, skip_late=True)


def _images(files: list[Path], frames_per_second: float) -> Iterator[tuple[Pixels | bytes, int]]:
    for index, path in enumerate(files):
        content = path.read_bytes()
        time_us = round(index * 1_000_000 / frames_per_second)
        yield (content if path.suffix.lower() in _JPEG_SUFFIXES else _decoded(content, path)), time_us


def _decoded(content: bytes, path: Path) -> Pixels:
    with needed_by("video"):
        from facegate_client.pixel_codec import decode
    try:
        return decode(content)
    except SourceError as error:
        raise SourceError(f"{path.name} cannot be decoded") from error

"""Opens the source of `facegate verify --scan`: a video, a folder or a camera."""

from pathlib import Path

from facegate_client import FrameSource, SourceError, open_camera, open_image_folder, open_video

__all__ = ["open_scan"]

_CAMERA = "camera"


def open_scan(scan: str, *, frames_per_second: float) -> FrameSource:
    """Opens a source in real time; must be called in a running event loop.

    Args:
        scan: ``camera``, ``camera:<index>``, or the path of a video file or of a folder of images.
        frames_per_second: Rate of a folder's images.

    Raises:
        SourceError: There is no such source.
    """
    kind, _, index = scan.partition(":")
    if kind == _CAMERA and not Path(scan).exists():
        if index and not (index.isascii() and index.isdigit()):
            raise SourceError(f"{scan!r} does not name a camera: write camera or camera:<number>")
        return open_camera(int(index or 0))
    path = Path(scan)
    if path.is_dir():
        return open_image_folder(path, frames_per_second=frames_per_second)
    return open_video(path)

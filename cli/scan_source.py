"""What `facegate verify --scan` and `--simulate` mean: a video, a folder, a camera, a simulated person."""

from collections.abc import Iterator
from pathlib import Path

from client import (
    FrameSource,
    Pixels,
    SourceError,
    generated_source,
    open_camera,
    open_image_folder,
    open_video,
)

__all__ = ["open_scan", "open_simulated"]

_CAMERA = "camera"
_PHOTO_BYTES = 20_000_000


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
            raise SourceError(f"{scan!r} names no camera: write camera or camera:<number>")
        return open_camera(int(index or 0))
    path = Path(scan)
    if path.is_dir():
        return open_image_folder(path, frames_per_second=frames_per_second)
    return open_video(path)


def open_simulated(kind: str, photo: Path, *, seed: int) -> FrameSource:
    """Simulates somebody in front of a camera, from one photo. Needs the `embedded` extra.

    Args:
        kind: A `simulator.ScanKind`, such as ``genuine`` or ``waved-photo``.
        photo: A photo with one large face, or a facial record that holds one.
        seed: Draws what differs between two scans.

    Raises:
        SourceError: There is no such kind, or no head can be made from the photo.
    """
    from matcher.errors import TrustedImageRefused
    from matcher.records import Representations, open_trusted_image
    from simulator import ScanKind, ScanSettings, SimulatorError, photo_from_image, simulate_scan
    from vision.errors import VisionError
    from vision.image import DecodeLimits, decode_image
    from vision.image_header import ImageFormat
    from vision.isolation.pool import DecoderPool
    from vision.packs import load_pack

    known = [known.value for known in ScanKind]
    if kind not in known:
        raise SourceError(f"{kind!r} cannot be simulated; known are {', '.join(known)}")
    try:
        settings = ScanSettings(kind=ScanKind(kind), seed=seed, seconds=8.0)
        content = open_trusted_image(
            photo.read_bytes(), representations=Representations.FIRST, max_bytes=_PHOTO_BYTES
        )
        with DecoderPool() as decoder:
            decoded = decode_image(
                content.image,
                limits=DecodeLimits(max_bytes=_PHOTO_BYTES, max_pixels=50_000_000, max_side=12_000),
                formats=frozenset(ImageFormat),
                honour_exif_orientation=True,
                still_decoder=decoder,
            )
        pack = load_pack("embedded")
        if pack.landmarker is None:
            raise SourceError("the embedded pack has no landmarks, which a simulated head needs")
        person = photo_from_image(decoded.pixels, detector=pack.detector, landmarker=pack.landmarker)
    except OSError as error:
        raise SourceError(f"the photo {photo} cannot be read: {error.strerror}") from error
    except (VisionError, SimulatorError, TrustedImageRefused) as error:
        raise SourceError(f"nobody can be simulated from {photo}: {error}") from error

    def frames() -> Iterator[tuple[Pixels, float]]:
        for frame in simulate_scan(person, settings):
            yield frame.pixels, frame.capture_time

    return generated_source(frames(), label=f"simulated {kind}", frames_per_second=settings.frames_per_second)

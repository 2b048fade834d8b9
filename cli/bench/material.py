"""The material of the benchmark: a portrait and the frames of a genuine scan, simulated in advance."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.errors import BenchFailed
from formats.image_format import ImageFormat
from simulator import ScanKind, SceneSettings, SimulatorError, builtin_photos, simulate_scan
from vision.errors import VisionError
from vision.face import BgrImage
from vision.image import DecodeLimits, decode_image, encode_jpeg

__all__ = ["BenchMaterial", "frame_pictures", "make_material"]

_PERSON: Final = "astronaut"
_SEED: Final = 1
_PORTRAIT_QUALITY: Final = 92
_FRAME_QUALITY: Final = 85
_LIMITS: Final = DecodeLimits(max_bytes=1_000_000, max_pixels=1_000_000, max_side=2000)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchMaterial:
    """The material to send.

    Attributes:
        portrait: The trusted image, JPEG.
        frames: Folder with the frames of one scan, JPEG files in the order of their names.
        frames_per_second: Their rate.
        seconds: Length of the scan.
    """

    portrait: bytes
    frames: Path
    frames_per_second: float
    seconds: float


def make_material(folder: Path, *, seconds: float, frames_per_second: float) -> BenchMaterial:
    """Renders and encodes a genuine scan of 480 x 640 pixels.

    Args:
        folder: Empty folder for the frames.
        seconds: Length of the scan.
        frames_per_second: Rate of the camera.

    Raises:
        BenchFailed: The photos or the embedded pack are not installed, or a value is out of range.
    """
    try:
        photo = builtin_photos(names=(_PERSON,))[_PERSON]
        settings = SceneSettings(
            kind=ScanKind.GENUINE, seed=_SEED, seconds=seconds, frames_per_second=frames_per_second
        )
        for number, frame in enumerate(simulate_scan(photo, settings)):
            (folder / f"{number:05d}.jpg").write_bytes(encode_jpeg(frame.pixels, quality=_FRAME_QUALITY))
        portrait = encode_jpeg(photo.pixels, quality=_PORTRAIT_QUALITY)
    except (SimulatorError, VisionError) as error:
        raise BenchFailed(f"no scan can be simulated: {error}") from error
    return BenchMaterial(
        portrait=portrait, frames=folder, frames_per_second=frames_per_second, seconds=seconds
    )


def frame_pictures(folder: Path) -> list[BgrImage]:
    """Decodes the frames of a folder, in the order of their names.

    Raises:
        BenchFailed: A file is not a frame that ``make_material`` wrote.
    """
    try:
        return [
            decode_image(
                path.read_bytes(),
                limits=_LIMITS,
                formats=frozenset({ImageFormat.JPEG}),
                honour_exif_orientation=False,
            ).pixels
            for path in sorted(folder.iterdir())
        ]
    except VisionError as error:
        raise BenchFailed(f"a frame cannot be decoded: {error}") from error

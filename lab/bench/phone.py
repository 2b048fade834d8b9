"""The scan that the benchmark's devices send, simulated in advance. All frames are encoded before."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from cli.errors import CommandError
from lab.simulator import ScanKind, SceneSettings, SimulatorError, builtin_photos, simulate_scan
from vision.errors import VisionError
from vision.face import BgrImage
from vision.image import encode_jpeg

PERSON: Final = "astronaut"
PORTRAIT_QUALITY: Final = 92
FRAME_QUALITY: Final = 85
_SEED: Final = 1
_MOST_FRAMES_PER_SECOND: Final = 24.0
"""The server's maximum. A device with a faster camera does not send more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedScan:
    """One scan on disk, as captured by a device's camera."""

    name: str
    portrait: bytes
    frames: Path
    frames_per_second: float
    genuine: bool

    @property
    def sent_per_second(self) -> float:
        """The frames a second that a device sends of it unless the server requests fewer."""
        return min(self.frames_per_second, _MOST_FRAMES_PER_SECOND)

    def offered(self, seconds: float) -> int:
        """Return the number of frames that a device could have sent in ``seconds``, both ends included."""
        return 1 + round(seconds * self.sent_per_second)

    def as_sent(self, count: int) -> list[Path]:
        """Return the first ``count`` frames that a device could send, at most 24 a second."""
        files = sorted(self.frames.iterdir())
        step = self.frames_per_second / self.sent_per_second
        chosen = [int(number * step) for number in range(count)]
        return [files[at] for at in chosen if at < len(files)]


def make_material(folder: Path, *, seconds: float, frames_per_second: float) -> RecordedScan:
    """Render and encode a genuine scan of 480 x 640 pixels."""
    try:
        photo = builtin_photos(names=(PERSON,))[PERSON]
        settings = SceneSettings(
            kind=ScanKind.GENUINE, seed=_SEED, seconds=seconds, frames_per_second=frames_per_second
        )
        for number, frame in enumerate(simulate_scan(photo, settings)):
            (folder / f"{number:05d}.jpg").write_bytes(encode_jpeg(frame.pixels, quality=FRAME_QUALITY))
        portrait = encode_jpeg(photo.pixels, quality=PORTRAIT_QUALITY)
    except (SimulatorError, VisionError) as error:
        raise CommandError(f"no scan can be simulated: {error}") from error
    return RecordedScan(
        name="simulated",
        portrait=portrait,
        frames=folder,
        frames_per_second=frames_per_second,
        genuine=True,
    )


def decoded(jpeg: bytes) -> BgrImage:
    """Decode a JPEG that the benchmark wrote."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("the benchmark's own image cannot be decoded")
    return image.astype(np.uint8, copy=False)

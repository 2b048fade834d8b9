"""The naive pipeline: every model of a pack on every frame, and plain means for a verdict.

It is a simple implementation, with which a server's cost is compared: same pack, same frames, one thread.
It does less than a server (no transcript, no motion, no evidence), so the comparison does not favour the
server.
"""

import time
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from matcher import cosine_similarity, fmr_bound
from vision.face import BgrImage, Embedding
from vision.packs import Pack

__all__ = ["NaivePipeline", "NaiveVerdict"]

_MAX_FMR: Final = 1e-2
"""The value that the policy ``evaluation`` demands of a match."""

_REAL_LINE: Final = 0.5
_FEWEST_FACES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NaiveVerdict:
    """The naive pipeline's verdict on a scan.

    Attributes:
        success: Whether it is the same person and, if the pack has a PAD network, real.
        cosine: Mean over the frames; ``None`` with too few faces.
        real_probability: Mean over frames and networks; ``None`` without networks or faces.
        frames: Number of frames.
        seconds: CPU seconds of its thread.
    """

    success: bool
    cosine: float | None
    real_probability: float | None
    frames: int
    seconds: float

    @property
    def seconds_a_frame(self) -> float:
        """CPU seconds of a frame."""
        return self.seconds / self.frames


class NaivePipeline:
    """Judges one scan. Create one for each scan. Not thread-safe."""

    def __init__(self, pack: Pack, *, portrait: bytes) -> None:
        """Takes the models and makes the portrait's template, whose cost is not counted.

        Args:
            pack: The models.
            portrait: The trusted image, JPEG.
        """
        self._pack = pack
        self._portrait = self._template(_decoded(portrait))
        self._cosines: list[float] = []
        self._real: list[float] = []
        self._frames = 0
        self._seconds = 0.0

    def run(self, jpeg: bytes) -> None:
        """Runs every model on a frame."""
        began = time.thread_time()
        image = _decoded(jpeg)
        faces = self._pack.detector.detect(image)
        if faces:
            template = self._pack.embedder.embed(image, faces[0])
            if self._portrait is not None:
                self._cosines.append(cosine_similarity(self._portrait, template))
            self._real += [network.real_probability(image, faces[0]) for network in self._pack.pad_networks]
        self._frames += 1
        self._seconds += time.thread_time() - began

    def verdict(self) -> NaiveVerdict:
        """Returns the verdict on the frames so far."""
        cosine = float(np.mean(self._cosines)) if len(self._cosines) >= _FEWEST_FACES else None
        real = float(np.mean(self._real)) if self._real else None
        same = cosine is not None and (
            fmr_bound(cosine, calibration=self._pack.match_calibration) <= _MAX_FMR
        )
        return NaiveVerdict(
            success=same and (real is None or real >= _REAL_LINE),
            cosine=cosine,
            real_probability=real,
            frames=self._frames,
            seconds=self._seconds,
        )

    def _template(self, image: BgrImage) -> Embedding | None:
        faces = self._pack.detector.detect(image)
        return self._pack.embedder.embed(image, faces[0]) if faces else None


def _decoded(jpeg: bytes) -> BgrImage:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("the benchmark's own image cannot be decoded")
    return image.astype(np.uint8, copy=False)

"""The embedded pack, whose models run once for each image in a test process."""

import functools
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from tests.packs import real_pack
from vision.face import BgrImage, DetectedFace, Embedding, Landmarks
from vision.packs import Pack
from vision.packs.interfaces import Embedder, FaceDetector, Landmarker, PadNetwork

_Answer = TypeVar("_Answer")
_BORDER: Final = 24


class _Remembered:
    """Runs a real model once for each image, because tests send the same images again and again.

    Borders do not count: ``fresh_pictures`` of ``tests.server.live`` differ only there, where no face is.
    """

    def __init__(self) -> None:
        self._answers: dict[bytes, object] = {}

    def ask(self, what: str, pixels: BgrImage, model: Callable[[], _Answer]) -> _Answer:
        inside = pixels[_BORDER:-_BORDER, _BORDER:-_BORDER] if min(pixels.shape[:2]) > 8 * _BORDER else pixels
        key = f"{what} {pixels.shape}".encode() + hashlib.blake2b(inside.tobytes(), digest_size=16).digest()
        if key not in self._answers:
            self._answers[key] = model()
        answer: _Answer = self._answers[key]  # type: ignore[assignment]  # `what` names the one kind of answer
        return answer


class _Detector:
    def __init__(self, model: FaceDetector, memory: _Remembered) -> None:
        self._model, self._memory = model, memory

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        return self._memory.ask("detect", image, lambda: self._model.detect(image))


class _Landmarker:
    def __init__(self, model: Landmarker, memory: _Remembered) -> None:
        self._model, self._memory = model, memory
        self.scheme = model.scheme

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        return self._memory.ask(f"locate {face.box}", image, lambda: self._model.locate(image, face))


class _Embedder:
    def __init__(self, model: Embedder, memory: _Remembered) -> None:
        self._model, self._memory = model, memory
        self.dimensions = model.dimensions

    def embed(
        self,
        image: BgrImage,
        face: DetectedFace,
        landmarks: Landmarks | None = None,
        *,
        mirrored: bool = True,
    ) -> Embedding:
        return self._memory.ask(
            f"embed {face.box} {mirrored}",
            image,
            lambda: self._model.embed(image, face, landmarks, mirrored=mirrored),
        )


class _PadNetwork:
    def __init__(self, model: PadNetwork, memory: _Remembered) -> None:
        self._model, self._memory = model, memory
        self.name = model.name

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        what = f"{self.name} of {face.box}"
        return self._memory.ask(what, image, lambda: self._model.real_probability(image, face))


@functools.cache
def remembering_pack() -> Pack:
    """The embedded pack, with real answers that are computed once for each image."""
    pack, memory = real_pack(), _Remembered()
    assert pack.landmarker is not None
    return replace(
        pack,
        detector=_Detector(pack.detector, memory),
        landmarker=_Landmarker(pack.landmarker, memory),
        embedder=_Embedder(pack.embedder, memory),
        pad_networks=tuple(_PadNetwork(network, memory) for network in pack.pad_networks),
    )

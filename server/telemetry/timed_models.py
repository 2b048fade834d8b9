"""A pack whose models report how long each call took."""

import time
from collections.abc import Callable
from dataclasses import replace

from server.telemetry.metrics import WorkMetrics
from server.telemetry.stages import Stage, Stages
from vision.face import BgrImage, DetectedFace, Embedding, Landmarks
from vision.packs import Embedder, FaceDetector, Landmarker, Pack, PadNetwork

__all__ = ["staged_embedder", "timed_pack"]

_Observe = Callable[[float], None]


def timed_pack(pack: Pack, metrics: WorkMetrics) -> Pack:
    """Returns the pack with models that record their times."""
    landmarker = pack.landmarker
    pad = metrics.model_times("pad")
    return replace(
        pack,
        detector=_Detector(pack.detector, metrics.model_times("detector")),
        landmarker=None if landmarker is None else _Landmarker(landmarker, metrics.model_times("landmarks")),
        embedder=_Embedder(pack.embedder, metrics.model_times("embedder")),
        pad_networks=tuple(_PadNetwork(network, pad) for network in pack.pad_networks),
    )


def staged_embedder(pack: Pack, stages: Stages) -> Pack:
    """Returns the pack with an embedder whose calls are a stage; for portraits, not for frames."""
    return replace(pack, embedder=_StagedEmbedder(pack.embedder, stages))


class _Detector:
    def __init__(self, model: FaceDetector, observe: _Observe) -> None:
        self._model, self._observe = model, observe

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        began = time.perf_counter()
        faces = self._model.detect(image)
        self._observe(time.perf_counter() - began)
        return faces


class _Landmarker:
    def __init__(self, model: Landmarker, observe: _Observe) -> None:
        self._model, self._observe = model, observe
        self.scheme = model.scheme

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        began = time.perf_counter()
        landmarks = self._model.locate(image, face)
        self._observe(time.perf_counter() - began)
        return landmarks


class _Embedder:
    def __init__(self, model: Embedder, observe: _Observe) -> None:
        self._model, self._observe = model, observe
        self.dimensions = model.dimensions

    def embed(self, image: BgrImage, face: DetectedFace) -> Embedding:
        began = time.perf_counter()
        embedding = self._model.embed(image, face)
        self._observe(time.perf_counter() - began)
        return embedding


class _PadNetwork:
    def __init__(self, model: PadNetwork, observe: _Observe) -> None:
        self._model, self._observe = model, observe
        self.name = model.name

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        began = time.perf_counter()
        probability = self._model.real_probability(image, face)
        self._observe(time.perf_counter() - began)
        return probability


class _StagedEmbedder:
    def __init__(self, model: Embedder, stages: Stages) -> None:
        self._model, self._stages = model, stages
        self.dimensions = model.dimensions

    def embed(self, image: BgrImage, face: DetectedFace) -> Embedding:
        with self._stages.stage(Stage.EMBEDDING):
            return self._model.embed(image, face)

"""Measures the cost of a pack's models while other code uses them.

The models are wrapped, not changed. Each call is timed with the CPU clock of its thread
(``CLOCK_THREAD_CPUTIME_ID``), so that waiting for a core is not counted. Packs run their models with one
thread per call, so that this is the whole cost on the CPU; with a GPU it is only the CPU's part.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType

from evaluation.bench.errors import NothingMeasured
from vision.face import BgrImage, DetectedFace, Embedding, Landmarks
from vision.packs import Embedder, FaceDetector, Landmarker, Pack, PadNetwork

__all__ = ["ModelClock", "ModelUse", "timed_pack"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """The cost of a pack's models in a span of time.

    Attributes:
        calls: Calls by model: ``detector``, ``landmarker``, ``embedder``, ``pad:<name>``.
        seconds: CPU seconds of these calls by model.
    """

    calls: Mapping[str, int]
    seconds: Mapping[str, float]

    @property
    def total_seconds(self) -> float:
        """CPU seconds of all models."""
        return sum(self.seconds.values())

    @property
    def one_frame_seconds(self) -> float:
        """CPU seconds of every model once: the sum of each model's mean call.

        Raises:
            NothingMeasured: No model ran.
        """
        if not self.calls:
            raise NothingMeasured("no model ran")
        return sum(self.seconds[model] / calls for model, calls in self.calls.items())


class ModelClock:
    """Sums the cost of models. Safe to call from several threads at once."""

    def __init__(self, *, clock: Callable[[], float] = time.thread_time) -> None:
        """Starts at 0.

        Args:
            clock: Returns CPU seconds; ``time.process_time`` if one model runs at a time, to count its other
                threads too.
        """
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def call(self, model: str) -> Iterator[None]:
        """Times one call of ``model``; a call that raises is counted too."""
        began = self._clock()
        try:
            yield
        finally:
            spent = self._clock() - began
            with self._lock:
                self._calls[model] += 1
                self._seconds[model] = self._seconds.get(model, 0.0) + spent

    def read_and_reset(self) -> ModelUse:
        """Return the sums since the last call, and reset them."""
        with self._lock:
            use = ModelUse(
                calls=MappingProxyType(dict(self._calls)), seconds=MappingProxyType(dict(self._seconds))
            )
            self._calls.clear()
            self._seconds.clear()
        return use


def timed_pack(pack: Pack, clock: ModelClock) -> Pack:
    """Return the same pack, with every model timed."""
    return replace(
        pack,
        detector=_TimedDetector(pack.detector, clock),
        landmarker=None if pack.landmarker is None else _TimedLandmarker(pack.landmarker, clock),
        embedder=_TimedEmbedder(pack.embedder, clock),
        pad_networks=tuple(_TimedPadNetwork(network, clock) for network in pack.pad_networks),
    )


class _TimedDetector:
    def __init__(self, model: FaceDetector, clock: ModelClock) -> None:
        self._model = model
        self._clock = clock

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        with self._clock.call("detector"):
            return self._model.detect(image)


class _TimedLandmarker:
    def __init__(self, model: Landmarker, clock: ModelClock) -> None:
        self._model = model
        self._clock = clock

    @property
    def scheme(self) -> str:
        return self._model.scheme

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        with self._clock.call("landmarker"):
            return self._model.locate(image, face)


class _TimedEmbedder:
    def __init__(self, model: Embedder, clock: ModelClock) -> None:
        self._model = model
        self._clock = clock

    @property
    def dimensions(self) -> int:
        return self._model.dimensions

    def embed(self, image: BgrImage, face: DetectedFace) -> Embedding:
        with self._clock.call("embedder"):
            return self._model.embed(image, face)


class _TimedPadNetwork:
    def __init__(self, model: PadNetwork, clock: ModelClock) -> None:
        self._model = model
        self._clock = clock

    @property
    def name(self) -> str:
        return self._model.name

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        with self._clock.call(f"pad:{self._model.name}"):
            return self._model.real_probability(image, face)

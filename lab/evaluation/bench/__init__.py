"""Measures cost: clocks around a pack's models, figures over several runs, and the machine.

Models are wrapped, not changed. Each call is timed with the CPU clock of its thread
(``CLOCK_THREAD_CPUTIME_ID``), so that waiting for a core is not counted. Packs run their models with one
thread per call, so that this is the whole cost on the CPU; with a GPU it is only the CPU's part.
"""

import json
import os
import platform
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from vision.face import BgrImage, DetectedFace, Embedding, Landmarks
from vision.packs import Embedder, FaceDetector, Landmarker, Pack, PadNetwork

__all__ = [
    "BenchError",
    "BenchReport",
    "Machine",
    "Measurement",
    "ModelClock",
    "ModelUse",
    "NothingMeasured",
    "describe_machine",
    "timed_pack",
]

_CPU_INFO: Final = Path("/proc/cpuinfo")
_SCHEMA: Final = 1


class BenchError(Exception):
    """Base class of the errors of this module."""


class NothingMeasured(BenchError):
    """A value could not be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine on which a figure was measured.

    Attributes:
        cpu: Model of its CPU, as named by the system.
        cores: Logical cores that this process may use.
        load: Runnable processes, mean of the last minute, before the measurement; None if the system does not
            report it. If it is not small, the measurement includes other load.
    """

    cpu: str
    cores: int
    system: str
    python: str
    load: float | None

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def describe_machine() -> Machine:
    """Describe the machine of this process."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    # macOS and Windows do not report the affinity, and Windows no load.
    affinity = getattr(os, "sched_getaffinity", None)
    try:
        load: float | None = round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        load = None
    return Machine(
        cpu=next(named, "") or platform.processor() or "unknown",
        cores=len(affinity(0)) if affinity is not None else os.cpu_count() or 1,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        load=load,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One figure with a value for each run.

    Attributes:
        name: Name of the figure, in a few words.
        load: The load, such as ``4 scans at once``.
        unit: Unit of the values, such as ``model frames`` or ``ms``; empty for a ratio.
        values: One value for each run, at least one.

    Raises:
        NothingMeasured: There are no values.
    """

    pack: str
    name: str
    load: str
    unit: str
    meaning: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise NothingMeasured(f"no run gave a value for {self.name} ({self.load})")

    @property
    def least(self) -> float:
        """The smallest value."""
        return min(self.values)

    @property
    def median(self) -> float:
        """The median (of two middle values, their mean)."""
        return statistics.median(self.values)

    @property
    def most(self) -> float:
        """The largest value."""
        return max(self.values)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        figures = {"min": self.least, "median": self.median, "max": self.most, "values": list(self.values)}
        return {name: value for name, value in asdict(self).items() if name != "values"} | figures


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchReport:
    """All figures of one run of a benchmark.

    Attributes:
        made: Time of the run, with a time zone.
        runtimes: The runtime of each pack's models, in one sentence.
        measurements: The figures, in the order in which they are shown.
    """

    command: str
    made: datetime
    version: str
    machine: Machine
    runtimes: dict[str, str]
    measurements: tuple[Measurement, ...]

    def to_json(self) -> str:
        """The report as a JSON document."""
        return json.dumps(
            {
                "schema": _SCHEMA,
                "command": self.command,
                "made": self.made.isoformat(),
                "version": self.version,
                "machine": self.machine.to_json(),
                "runtimes": self.runtimes,
                "measurements": [measurement.to_json() for measurement in self.measurements],
            },
            indent=2,
        )


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
        """Start at 0.

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
        """Time one call of ``model``; a call that raises is counted too."""
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
        self.scheme = model.scheme

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        with self._clock.call("landmarker"):
            return self._model.locate(image, face)


class _TimedEmbedder:
    def __init__(self, model: Embedder, clock: ModelClock) -> None:
        self._model = model
        self._clock = clock
        self.dimensions = model.dimensions

    def embed(
        self,
        image: BgrImage,
        face: DetectedFace,
        landmarks: Landmarks | None = None,
        *,
        mirrored: bool = True,
    ) -> Embedding:
        with self._clock.call("embedder"):
            return self._model.embed(image, face, landmarks, mirrored=mirrored)


class _TimedPadNetwork:
    def __init__(self, model: PadNetwork, clock: ModelClock) -> None:
        self._model = model
        self._clock = clock
        self.name = model.name

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        with self._clock.call(f"pad:{self.name}"):
            return self._model.real_probability(image, face)

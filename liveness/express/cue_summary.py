"""From a cue's values in several frames to one value, from that to a score, and to the scan's signal."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from liveness.express.interface import FrameCues
from liveness.express.settings import CueLine, ExpressSettings
from liveness.observation import ScanObservations
from liveness.signal import Signal, assessed, not_assessed

__all__ = ["CueSignal", "CueSummary", "score_of_cue", "summarise_cue"]

_LIVE_LOG_ODDS = math.log(0.8 / 0.2)
_FURTHEST = 30.0


@dataclass(frozen=True, slots=True)
class CueSummary:
    """A cue over the frames in which it could be measured.

    Attributes:
        value: Median, in the cue's own unit, so that less than half of the frames decide nothing.
        frames: How many frames that is.
    """

    value: float
    frames: int

    @property
    def counted(self) -> str:
        """The number of frames in words."""
        return "1 frame" if self.frames == 1 else f"{self.frames} frames"


def summarise_cue(cues: Sequence[FrameCues], name: str) -> CueSummary | None:
    """The cue ``name`` over the frames; ``None`` where no frame has it."""
    values = [frame.values[name] for frame in cues if name in frame.values]
    return CueSummary(value=float(np.median(values)), frames=len(values)) if values else None


def score_of_cue(value: float, lines: CueLine) -> float:
    """0..1 by a logistic: 0.5 where ``value`` is on the line, 0.8 where a typical live frame has it.

    Args:
        value: In the cue's unit.
        lines: In the cue's unit.
    """
    exponent = _LIVE_LOG_ODDS * (value - lines.line) / (lines.live - lines.line)
    return 1 / (1 + math.exp(-min(_FURTHEST, max(-_FURTHEST, exponent))))


class CueSignal(ABC):
    """A single-frame cue as a signal of the scan: the median over the frames; an ``ExpressSignal``."""

    name: ClassVar[str]
    """The cue's, and so the signal's."""
    label: ClassVar[str]
    unseen: ClassVar[str]
    """Why no frame has the cue, in words."""

    def __init__(self, cues: Sequence[FrameCues]) -> None:
        """Take the frames' cues; see ``frame_cues.measure_frame_cues``."""
        self._cues = tuple(cues)

    @abstractmethod
    def lines(self, settings: ExpressSettings) -> CueLine:
        """The cue's lines among the settings."""

    @abstractmethod
    def told(self, found: CueSummary, lines: CueLine) -> str:
        """What was found, in plain words with the numbers."""

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; of the frames nothing but their cues is read."""
        del scan
        found = summarise_cue(self._cues, self.name)
        if found is None:
            return not_assessed(name=self.name, label=self.label, reason=self.unseen)
        lines = self.lines(settings)
        return assessed(
            name=self.name,
            label=self.label,
            score=score_of_cue(found.value, lines),
            detail=self.told(found, lines),
        )

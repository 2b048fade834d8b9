"""Combines a cue's values in several frames into one value, its score, and the signal of the scan."""

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
"""The log odds of the score at the value that is typical of live frames (``CueLine.live``): a score of
0.8."""
_FURTHEST = 30.0
"""The limit of the log odds of a score, so that the exponential does not overflow."""


@dataclass(frozen=True, slots=True)
class CueSummary:
    """A cue over the frames in which it could be measured.

    Attributes:
        value: The median, in the cue's own unit. With a median, a minority of the frames cannot decide.
        frames: The number of these frames.
    """

    value: float
    frames: int

    @property
    def counted(self) -> str:
        """The number of frames, such as "3 frames"."""
        return "1 frame" if self.frames == 1 else f"{self.frames} frames"


def summarise_cue(cues: Sequence[FrameCues], name: str) -> CueSummary | None:
    """Returns the summary of the cue ``name``; ``None`` if no frame has it."""
    values = [frame.values[name] for frame in cues if name in frame.values]
    return CueSummary(value=float(np.median(values)), frames=len(values)) if values else None


def score_of_cue(value: float, lines: CueLine) -> float:
    """Returns a logistic score, 0..1: 0.5 on the line, 0.8 at the value of a typical live frame.

    Args:
        value: The measured value, in the cue's unit.
        lines: The line and the live value, in the cue's unit.
    """
    exponent = _LIVE_LOG_ODDS * (value - lines.line) / (lines.live - lines.line)
    return 1 / (1 + math.exp(-min(_FURTHEST, max(-_FURTHEST, exponent))))


class CueSignal(ABC):
    """An ``ExpressSignal`` whose value is the median of a single-frame cue over the frames."""

    name: ClassVar[str]
    """The name of the cue and of the signal."""
    label: ClassVar[str]
    unseen: ClassVar[str]
    """The reason if no frame has the cue, as a sentence."""

    def __init__(self, cues: Sequence[FrameCues]) -> None:
        """Takes the cues of the frames (``frame_cues.measure_frame_cues``)."""
        self._cues = tuple(cues)

    @abstractmethod
    def lines(self, settings: ExpressSettings) -> CueLine:
        """Returns the cue's lines from the settings."""

    @abstractmethod
    def detail(self, found: CueSummary, lines: CueLine) -> str:
        """Returns the signal's detail: the measurement in plain words, with numbers."""

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; reads only the cues, not ``scan``."""
        del scan
        found = summarise_cue(self._cues, self.name)
        if found is None:
            return not_assessed(name=self.name, label=self.label, reason=self.unseen)
        lines = self.lines(settings)
        return assessed(
            name=self.name,
            label=self.label,
            score=score_of_cue(found.value, lines),
            detail=self.detail(found, lines),
        )

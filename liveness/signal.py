"""A named measurement of a scan, as a result lists it; its score, and the log odds of a score."""

import math
from dataclasses import dataclass
from typing import ClassVar, Final

NEITHER: Final = 0.5
"""The score that counts for neither side."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One measurement of a scan.

    Attributes:
        name: Machine-readable name, such as ``"planar_motion"``; stable over versions.
        label: The name that is shown to people.
        score: 0..1; 1 is typical of a living person. ``None`` if it could not be assessed.
        weight: The signal's share of the decision, 0..1. The shares of the signals that took part sum to 1;
            a signal that took no part has 0.
        passed: Whether the score reached the signal's own line; ``None`` if it could not be assessed. For
            information only: no single signal decides.
        detail: The measurement in plain words, with numbers and without biometric data.
    """

    name: str
    label: str
    score: float | None
    weight: float
    passed: bool | None
    detail: str

    @property
    def assessed(self) -> bool:
        """Whether the signal was measured."""
        return self.score is not None


def assessed(*, name: str, label: str, score: float, detail: str, line: float = 0.5) -> Signal:
    """Returns a signal that was measured. The fusion sets its weight.

    Args:
        name: See ``Signal``.
        label: See ``Signal``.
        score: 0..1; clamped.
        detail: See ``Signal``.
        line: The score from which the signal counts as passed.
    """
    clamped = min(1.0, max(0.0, score))
    return Signal(name=name, label=label, score=clamped, weight=0.0, passed=clamped >= line, detail=detail)


def not_assessed(*, name: str, label: str, reason: str) -> Signal:
    """Returns a signal that could not be measured, with the reason. It counts for neither verdict."""
    return Signal(name=name, label=label, score=None, weight=0.0, passed=None, detail=reason)


class NamedSignal:
    """A measurement that always gives the same signal, with its name and label."""

    name: ClassVar[str]
    """``Signal.name``."""
    label: ClassVar[str]
    """``Signal.label``."""

    def scored(self, score: float, detail: str) -> Signal:
        """Returns the signal if it was measured; see ``assessed``."""
        return assessed(name=self.name, label=self.label, score=score, detail=detail)

    def unknown(self, reason: str) -> Signal:
        """Returns the signal if it could not be measured; see ``not_assessed``."""
        return not_assessed(name=self.name, label=self.label, reason=reason)


_LEAST = 0.02
"""The least score; with its complement, it limits a signal's log odds to 3.9."""
_FAR_LEAST = 1e-6
"""The same for evidence that is certain only far beyond its line; it limits log odds to 13.8."""
_NETWORK_LEAST = 1 / (1 + math.exp(8.0))
"""The clamp of PAD networks: 8.0 as log odds. Of 3.9, 6, 8 and 10, which differ by one or two of 98 scans
with sources left out (``research/liveness_fusion/NOTES.md``)."""


def score_against_line(value: float, line: float, steepness: float) -> float:
    """Returns a score, 0..1: 0.5 if ``value`` equals ``line``, rising with the ratio of the two.

    The score is a logistic of the ratio's logarithm, so twice the line and half the line are equally far from
    0.5.

    Args:
        value: 0 or more.
        line: Above 0.
        steepness: Log odds for each e-fold of the ratio.
    """
    if value <= 0:
        return 0.0
    return 1 / (1 + math.exp(-steepness * math.log(value / line)))


def log_odds(score: float) -> float:
    """Returns the natural log odds of ``score``, clamped to 0.02..0.98 so that no signal is certain."""
    return _log_odds(score, _LEAST)


def far_log_odds(score: float) -> float:
    """Returns the natural log odds of ``score``, clamped to 1e-6..1 - 1e-6.

    Use this for evidence that is certain only far beyond its line, and that is limited in another way.
    """
    return _log_odds(score, _FAR_LEAST)


def network_log_odds(score: float) -> float:
    """Returns the natural log odds of a PAD network's probability, clamped to -8..8.

    The limit keeps one network that is certain from outvoting two that are not.
    """
    return _log_odds(score, _NETWORK_LEAST)


def _log_odds(score: float, least: float) -> float:
    held = min(1 - least, max(least, score))
    return math.log(held / (1 - held))

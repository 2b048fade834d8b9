"""A named measurement of a scan, as a result lists it."""

from dataclasses import dataclass


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

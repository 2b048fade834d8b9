"""One named measurement of a scan, as it stands in the result."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signal:
    """What one check of a scan found.

    Attributes:
        name: Machine-readable name, such as ``"planar_motion"``; stable over versions.
        label: Name to show to a person.
        score: 0..1, 1 is live-like; ``None`` where it could not be assessed.
        weight: The signal's share of the decision, 0..1; the shares of the signals that took part
            sum to 1. 0 for a signal that took no part.
        passed: Whether the score reached the signal's own line; ``None`` where it could not be
            assessed. For information: no single signal passes or fails a scan by itself.
        detail: What was found, in plain words, with numbers and without biometric data.
    """

    name: str
    label: str
    score: float | None
    weight: float
    passed: bool | None
    detail: str

    @property
    def assessed(self) -> bool:
        """Whether there was enough to go by."""
        return self.score is not None


def assessed(*, name: str, label: str, score: float, detail: str, line: float = 0.5) -> Signal:
    """A signal that was measured; its weight is given by the fusion.

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
    """A signal that could not be measured, with the reason; it counts for neither side."""
    return Signal(name=name, label=label, score=None, weight=0.0, passed=None, detail=reason)

"""Decides whether an attempt shows one person throughout, and makes the signal of this."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from liveness import ScanObservations, Signal, examined_share, not_assessed
from matcher import IdentityConstancy, TemplateSample, measure_constancy, similarity_for_fmr
from vision.packs import MatchCalibration, Template

__all__ = ["identity_constancy"]

_NAME: Final = "identity_constancy"
_LABEL: Final = "One person throughout"
_LEAST_SPOKEN_FOR: Final = 2 / 3
"""The least share of frames whose person is identified. With less, one side of a loss is not known."""


def identity_constancy(
    scan: ScanObservations,
    samples: Mapping[int, TemplateSample],
    *,
    calibration: MatchCalibration,
    witnesses: int = 0,
    is_portrait: Callable[[Template], bool] | None = None,
) -> tuple[bool | None, Signal]:
    """Returns whether the frames show one person throughout, and the signal of this, without weight.

    Args:
        scan: The measurements of every frame.
        samples: The templates of the examined frames, by their index. Only those within the range of the
            calibration count (``TemplateSample.comparable``).
        calibration: The calibration of the embedder.
        witnesses: The number of frames that were identified because the face had been lost.
        is_portrait: Whether a fused template matches the portrait; ``None`` for a file, which has none.

    Returns:
        True, False, or ``None`` if it could not be assessed.
    """
    frames = sorted(index for index, sample in samples.items() if sample.comparable)
    constancy = measure_constancy(
        [samples[index] for index in frames], calibration=calibration, is_portrait=is_portrait
    )
    if constancy is None:
        reason = (
            f"Two frames or more that show the face from the front are needed, and there are {len(frames)}."
        )
        return None, not_assessed(name=_NAME, label=_LABEL, reason=reason)
    share = examined_share(scan, examined=set(frames))
    found = _detail(constancy, frames, witnesses=witnesses, share=share)
    if constancy.constant and share < _LEAST_SPOKEN_FOR:
        reason = f"{found} That is too little: the face was lost, and not seen from the front again."
        return None, not_assessed(name=_NAME, label=_LABEL, reason=reason)
    return constancy.constant, Signal(
        name=_NAME,
        label=_LABEL,
        score=similarity_for_fmr(constancy.fmr_bound) / 100.0,
        weight=0.0,
        passed=constancy.constant,
        detail=found,
    )


def _detail(constancy: IdentityConstancy, frames: Sequence[int], *, witnesses: int, share: float) -> str:
    apart = ", ".join(str(frames[place]) for place in constancy.apart)
    excused = constancy.constant and constancy.fmr_bound > constancy.max_fmr
    both = " Here both groups match the portrait, and count as one person." if excused else ""
    return (
        f"The face was identified in {constancy.samples} frames, in {witnesses} of them because it had been "
        f"lost; they represent {100 * share:.0f} % of the frames. Least similar to the others: frame "
        f"{apart}, at a bound on FMR of {constancy.fmr_bound:.2g}. Above {constancy.max_fmr:.2g}, frames "
        f"count as another person's.{both}"
    )

"""A capture that does not show enough of the face is never LIVE, and no other verdict changes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.capture_doubts import (
    downgrade_if_doubted,
    evidence_doubts,
    reasons_outside_calibration,
    undecided_if_unclear,
)
from liveness.express.settings import ExpressSettings
from liveness.observation import FrameObservation, ScanObservations
from liveness.policy import EVIDENCE_FLOOR, CaptureLimits, LivenessPolicy
from liveness.selection import FrameSelector, best_frame, frame_quality
from liveness.verdict import AttackType, LivenessResult, Verdict, VerdictReason
from tests.liveness.builders import face_at, observation, observations, scan
from tests.liveness.results import assert_consistent

_RANGE = ExpressSettings().calibrated
_ALWAYS = VerdictReason.LOOKS_ALIVE
_WIDTHS = st.floats(1, 2000)
_SHARPNESS = st.floats(0, 5000)
_LIGHT = st.floats(0, 255)


def _frame(index: int, width: float, sharpness: float, luminance: float) -> FrameObservation:
    return observation(index, face=face_at(width=width), sharpness=sharpness, luminance=luminance)


_FRAMES = st.lists(st.tuples(_WIDTHS, _SHARPNESS, _LIGHT), max_size=12).map(
    lambda rows: [_frame(index, *row) for index, row in enumerate(rows)]
)


def _result(verdict: Verdict) -> LivenessResult:
    score = 90.0 if verdict is Verdict.LIVE else 20.0
    return LivenessResult(
        verdict=verdict, score=score, policy=LivenessPolicy(), signals=(), reasons=(_ALWAYS,)
    )


@given(verdict=st.sampled_from(Verdict), frames=_FRAMES)
def test_only_live_changes_and_only_to_inconclusive(verdict: Verdict, frames: list[FrameObservation]) -> None:
    before, watched = _result(verdict), scan(frames)
    doubts = (*evidence_doubts(watched, EVIDENCE_FLOOR), *reasons_outside_calibration(watched))
    after = downgrade_if_doubted(before, doubts)
    assert_consistent(after)
    if verdict is Verdict.LIVE and doubts:
        assert after.verdict is Verdict.INCONCLUSIVE
        assert set(after.reasons) == set(doubts)
        assert len(after.reasons) == len(set(doubts))
    else:
        assert after is before


@given(width=_WIDTHS, sharpness=_SHARPNESS, light=_LIGHT)
def test_live_needs_everything_within_the_limits(width: float, sharpness: float, light: float) -> None:
    watched = scan([_frame(0, width, sharpness, light)])

    def kept(limits: CaptureLimits, *, slack: float) -> bool:
        # The extent of a face is computed from its points, with the precision of 32 bits.
        return (
            limits.min_face_width * (1 - slack) <= width <= limits.max_face_width * (1 + slack)
            and limits.min_sharpness <= sharpness <= limits.max_sharpness
            and limits.min_luminance <= light <= limits.max_luminance
        )

    for limits, doubts in (
        (EVIDENCE_FLOOR, evidence_doubts(watched, EVIDENCE_FLOOR)),
        (_RANGE, reasons_outside_calibration(watched)),
    ):
        if kept(limits, slack=-1e-3):
            assert not doubts
        if not kept(limits, slack=1e-3):
            assert doubts


@pytest.mark.parametrize(
    ("width", "sharpness", "light", "why"),
    [
        (230.0, 120.0, 25.0, (VerdictReason.EVIDENCE_TOO_DARK,)),
        (230.0, 120.0, 235.0, (VerdictReason.EVIDENCE_TOO_BRIGHT,)),
        (230.0, 5.0, 130.0, (VerdictReason.EVIDENCE_BLURRED,)),
        (40.0, 120.0, 130.0, (VerdictReason.FACE_TOO_SMALL,)),
        (
            40.0,
            5.0,
            25.0,
            tuple(map(VerdictReason, ("EVIDENCE_TOO_DARK", "FACE_TOO_SMALL", "EVIDENCE_BLURRED"))),
        ),
    ],
)
def test_each_cause_has_its_reason(
    width: float, sharpness: float, light: float, why: tuple[VerdictReason, ...]
) -> None:
    watched = scan([_frame(index, width, sharpness, light) for index in range(3)])
    assert evidence_doubts(watched, EVIDENCE_FLOOR) == why
    assert reasons_outside_calibration(watched) == why


def test_a_scan_outside_of_the_fit_has_its_reasons() -> None:
    assert reasons_outside_calibration(scan([_frame(0, 900.0, 1500.0, 200.0)])) == (
        VerdictReason.EVIDENCE_TOO_BRIGHT,
        VerdictReason.FACE_TOO_LARGE,
        VerdictReason.EVIDENCE_TOO_NOISY,
    )


def test_one_good_frame_is_evidence_and_does_not_make_a_dark_scan_one_that_the_fit_knows() -> None:
    watched = scan([_frame(index, 230.0, 120.0, 130.0 if index == 2 else 20.0) for index in range(5)])
    assert evidence_doubts(watched, EVIDENCE_FLOOR) == ()
    assert reasons_outside_calibration(watched) == (VerdictReason.EVIDENCE_TOO_DARK,)


def test_without_a_usable_frame_there_is_no_evidence() -> None:
    nobody = scan([observation(0, face=None, faces=0, sharpness=None, luminance=None)])
    for watched in (scan([]), nobody):
        assert evidence_doubts(watched, EVIDENCE_FLOOR) == (VerdictReason.TOO_FEW_USABLE_FACES,)
        assert reasons_outside_calibration(watched) == (VerdictReason.TOO_FEW_USABLE_FACES,)


@given(frames=_FRAMES, followed=st.sets(st.integers(0, 11)))
def test_the_best_frame_is_the_one_that_the_selector_keeps_as_evidence(
    frames: list[FrameObservation], followed: set[int]
) -> None:
    offered = [
        observation(one.index, face=one.face, sharpness=one.sharpness, luminance=one.luminance, followed=True)
        if one.index in followed
        else one
        for one in frames
    ]
    selector = FrameSelector(count=3)
    for one in offered:
        selector.offer(one)
    best = best_frame(offered)
    assert (None if best is None else best.index) == selector.best
    assert best is None or frame_quality(best) > 0


_DARK = VerdictReason.EVIDENCE_TOO_DARK
_BRIGHT = VerdictReason.EVIDENCE_TOO_BRIGHT


def _of_light(black: int, *, luminance: float = 130.0, **changes: object) -> ScanObservations:
    """A scan in which nothing is darker than ``black``, and the brightest thing is white."""
    samples = np.tile(np.asarray([black, 255], np.uint8), (64, 32))
    return scan(observations(5, samples=samples, luminance=luminance, **changes))


@pytest.mark.parametrize(
    ("watched", "live", "spoof"),
    [
        (_of_light(0), (), ()),
        (_of_light(48), (), ()),
        (_of_light(53), (), (_BRIGHT,)),
        (_of_light(70), (), (_BRIGHT,)),
        (_of_light(80), (_BRIGHT,), (_BRIGHT,)),
        (_of_light(0, luminance=60.0), (), ()),
        (_of_light(0, luminance=50.0), (_BRIGHT,), (_BRIGHT,)),
        (_of_light(0, luminance=35.0), (_DARK, _BRIGHT), (_DARK, _BRIGHT)),
        (_of_light(0, sharpness=3.0), (VerdictReason.EVIDENCE_BLURRED,), ()),
        (_of_light(0, face=face_at(width=400)), (), ()),
        (_of_light(0, face=face_at(width=430)), (), (VerdictReason.FACE_TOO_LARGE,)),
        (scan([]), (VerdictReason.TOO_FEW_USABLE_FACES,), ()),
    ],
)
def test_light_in_which_the_networks_err_decides_for_neither_side(
    watched: ScanObservations, live: tuple[VerdictReason, ...], spoof: tuple[VerdictReason, ...]
) -> None:
    assert reasons_outside_calibration(watched) == live
    attacked = _result(Verdict.SPOOF)
    after = undecided_if_unclear(watched, attacked)
    assert_consistent(after)
    if spoof:
        assert (after.verdict, after.reasons) == (Verdict.INCONCLUSIVE, spoof)
    else:
        assert after is attacked


def test_repeated_frames_prove_an_attack_in_any_light() -> None:
    injected = replace(_result(Verdict.SPOOF), attack=AttackType.INJECTION)
    assert undecided_if_unclear(_of_light(200), injected) is injected


@pytest.mark.parametrize("verdict", [Verdict.LIVE, Verdict.INCONCLUSIVE])
def test_only_spoof_is_undone(verdict: Verdict) -> None:
    found = _result(verdict)
    assert undecided_if_unclear(_of_light(200), found) is found

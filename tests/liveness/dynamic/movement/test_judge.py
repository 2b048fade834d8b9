from dataclasses import replace

import numpy as np
import pytest

from liveness.dynamic.challenge.ovals import OvalScript
from liveness.dynamic.movement.challenge import HeldOval, MovementRecord
from liveness.dynamic.movement.judge import judge_movement, measure_zoom
from liveness.dynamic.movement.perspective import PerspectiveFinding
from liveness.dynamic.policy import ChallengeFinding
from liveness.guidance import Oval
from tests.liveness.builders import scan, segment
from tests.liveness.dynamic.movement.perspectives import FILM, FLAT, HEAD, SETTINGS, SHEET
from tests.liveness.dynamic.random_source import seeded


@pytest.mark.parametrize(("around", "share"), [(1.0, 0.0), (1.3, 1.0), (1.14, 0.5)])
def test_the_share_of_the_face_s_growth(around: float, share: float) -> None:
    part = segment(
        lambda phase, points: points * (1 + 0.3 * phase),
        background=lambda phase, points: points * (1 + (around - 1) * phase),
    )
    found = measure_zoom(scan(motion=[part, part]))
    assert found is not None
    assert found.share == pytest.approx(share, abs=0.02)
    assert found.growth == pytest.approx(1.3**2, rel=0.02)


def test_a_face_that_does_not_come_closer_is_not_measured() -> None:
    part = segment(lambda phase, points: points * (1 + 0.05 * phase))
    back = segment(lambda phase, points: points * (1 - 0.3 * phase))
    assert measure_zoom(scan(motion=[part, back])) is None
    assert measure_zoom(scan()) is None


def test_lost_surroundings_are_not_measured() -> None:
    part = segment(lambda phase, points: points * (1 + 0.3 * phase))
    part.positions[1:, 70:] = np.nan
    assert measure_zoom(scan(motion=[part])) is None


def _record(*seen: PerspectiveFinding | None, filled: int | None = None) -> MovementRecord:
    script = OvalScript(seeded(4), rest=Oval())
    shown = 2 * len(seen)
    steps = [script.draw() for _ in range(shown)][: shown if filled is None else filled]
    held = tuple(HeldOval(step, (0, 1, 2, 3)) for step in steps)
    return MovementRecord(held=held, shown=shown, measured=seen, unfinished=None)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ((HEAD,), ChallengeFinding.RIGHT),
        ((FLAT,), ChallengeFinding.WRONG),
        ((SHEET,), ChallengeFinding.WRONG),
        ((FILM,), ChallengeFinding.WRONG),
        ((replace(HEAD, error=0.4),), ChallengeFinding.NOT_MEASURABLE),
        ((replace(HEAD, error=0.4), replace(HEAD, error=0.4)), ChallengeFinding.RIGHT),
        ((None, HEAD), ChallengeFinding.RIGHT),
        ((HEAD, FILM), ChallengeFinding.NOT_MEASURABLE),
        ((None,), ChallengeFinding.NOT_MEASURABLE),
    ],
    ids=[
        "head",
        "flat",
        "bent sheet",
        "film of a head",
        "unsure",
        "twice unsure",
        "lost, then a head",
        "head, then a film",
        "nothing",
    ],
)
def test_the_finding_follows_from_all_approaches(
    seen: tuple[PerspectiveFinding | None, ...], expected: ChallengeFinding
) -> None:
    record = _record(*seen)
    result = judge_movement(record, scan(), SETTINGS)
    assert result.finding is expected
    assert result.verified_bits == record.verified_bits
    assert result.signals[0].passed
    if expected in {ChallengeFinding.RIGHT, ChallengeFinding.NOT_MEASURABLE}:
        passed = [signal.passed for signal in result.signals[1:4]]
        assert (passed == [True, True, True]) == (expected is ChallengeFinding.RIGHT)


@pytest.mark.parametrize("filled", [0, 1, 3])
def test_not_following_proves_nothing(filled: int) -> None:
    result = judge_movement(_record(HEAD, HEAD, filled=filled), scan(), SETTINGS)
    assert result.finding is ChallengeFinding.ABSENT
    assert result.detail == f"The face filled {filled} of 4 ovals."
    assert not result.signals[0].passed


def test_before_the_first_oval_nothing_was_asked() -> None:
    result = judge_movement(_record(), scan(), SETTINGS)
    assert (result.finding, result.detail) == (ChallengeFinding.ABSENT, "The face filled 0 of 2 ovals.")

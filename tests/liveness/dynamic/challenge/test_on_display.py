"""The conditions under which a frame shows a held step."""

import pytest

from liveness.dynamic.challenge.flash import Display, DisplayClaim, StepOnDisplay
from liveness.dynamic.challenge.script import ColourScript
from liveness.errors import ObservationError
from tests.liveness.dynamic.random_source import seeded

_STEP = ColourScript(seeded(0)).lead_in()
_SINCE = 5.0


def _shown(*, earliest: float = 4.9) -> StepOnDisplay:
    return StepOnDisplay(_STEP, at=10.0, earliest=earliest)


def _frame(time: float, *, step: int = _STEP.number, since: float | None = _SINCE) -> DisplayClaim:
    return DisplayClaim(step, since, capture_time=time, arrival_time=time + 100)


def test_a_step_lasts_for_its_transition_and_its_hold() -> None:
    assert _shown().lasts == _STEP.transition_seconds + _STEP.hold_seconds


@pytest.mark.parametrize(("after", "holds"), [(-0.01, False), (0.01, True)])
def test_a_frame_holds_it_from_a_whole_hold_after_it_appeared(after: float, holds: bool) -> None:
    shown = _shown()
    assert shown.holds(_frame(_SINCE + shown.lasts + after)) is holds


@pytest.mark.parametrize(("step", "since"), [(_STEP.number + 1, _SINCE), (0, None), (_STEP.number, None)])
def test_a_frame_that_claims_no_time_or_another_step_does_not(step: int, since: float | None) -> None:
    assert not _shown().holds(_frame(100.0, step=step, since=since))


def test_a_step_cannot_appear_before_frames_that_precede_it() -> None:
    shown = _shown(earliest=5.3)
    early, late = _frame(_SINCE + shown.lasts + 0.1), _frame(5.3 + shown.lasts + 0.1)
    assert (shown.holds(early), shown.holds(late)) == (False, True)


def test_a_step_is_held_once_two_frames_show_it() -> None:
    shown = _shown()
    held: list[tuple[int, float | None]] = []
    nearly: list[bool] = []
    for after in (-0.1, 0.1, 0.2, 0.3):
        shown.count_claim(_frame(_SINCE + shown.lasts + after), at=20.0 + after)
        held.append((shown.held, shown.held_at))
        nearly.append(shown.nearly_held)
    assert held == [(0, None), (1, None), (2, 20.2), (3, 20.2)]
    assert nearly == [False, True, True, True]


def test_a_closing_step_is_over_once_one_frame_holds_it_or_none_came_for_long() -> None:
    shown = _shown()
    least = shown.at + shown.lasts
    assert least + 0.3 < shown.closed_at < least + 1.0
    shown.count_claim(_frame(_SINCE + shown.lasts + 0.1), at=20.0)
    assert shown.closed_at == least


def test_the_display_records_every_step_and_the_last_frame_before_it() -> None:
    script, display = ColourScript(seeded(0)), Display()
    display.display_claim(_frame(1.0, step=0, since=None), at=1.0)
    assert (display.current, display.revealed, display.closing) == (None, (), False)
    for at, step in enumerate((script.lead_in(), script.draw(), script.close())):
        display.show(step, now=10.0 + at)
        assert display.current is not None
        assert (display.current.step, display.current.earliest) == (step, 1.0 + at)
        assert display.closing is step.last
        # A frame that arrives late is older than the latest.
        for late in (0.0, -0.5):
            display.display_claim(_frame(2.0 + at + late, step=0, since=None), at=11.0 + at)
    assert [one.at for one in display.revealed] == [10.0, 11.0, 12.0]


def test_a_step_counts_from_when_it_was_sent_and_not_from_when_it_was_drawn() -> None:
    script, display = ColourScript(seeded(0)), Display()
    display.display_claim(_frame(1.0, step=0, since=None), at=101.0)
    display.show(script.lead_in(), now=110.0)
    display.note_sent(110.4)
    shown = display.current
    assert shown is not None
    assert [one.at for one in display.revealed] == [shown.at] == [110.4]
    assert shown.earliest == 1.0
    # The first waited at the server when the step was sent, so the step was not on display yet.
    for time, earliest in ((10.3, 10.3), (10.5, 10.3)):
        display.display_claim(_frame(time, step=0, since=None), at=time + 100)
        assert shown.earliest == earliest


def test_a_step_is_not_sent_before_it_is_drawn() -> None:
    display = Display()
    with pytest.raises(ObservationError):
        display.note_sent(1.0)
    display.show(_STEP, now=10.0)
    display.note_sent(9.0)
    assert [one.at for one in display.revealed] == [10.0]


def test_coloured_steps_count_once_they_were_shown_for_as_long_as_they_had_to_be() -> None:
    script, display = ColourScript(seeded(0)), Display()
    passed = []
    for step in (script.lead_in(), script.draw(), script.draw()):
        display.show(step, now=0.0)
        passed.append(display.passed)
        display.let_pass()
    assert [*passed, display.passed] == [0, 0, 1, 2]

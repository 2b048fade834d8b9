"""The parts of the challenges: what is asked, shown, seen and proven."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.dynamic.challenge.actions import (
    AskedSign,
    AskedSigns,
    ChallengeClock,
    Complete,
    EndReason,
    FallBack,
    Hint,
    HintPacing,
    Missing,
)
from liveness.dynamic.challenge.flash import (
    Display,
    DisplayClaim,
    LightWatch,
    Pauses,
    Presence,
    StepOnDisplay,
)
from liveness.dynamic.challenge.ovals import APPROACHES, CHANGES, OvalScript, distance_from
from liveness.dynamic.challenge.proof import Answers, Disturbance, Light, Proof, StepReading, count_answers
from liveness.dynamic.challenge.script import ColourScript, ColourStep, RevealedStep, bits_beyond_chance
from liveness.dynamic.policy import DynamicPolicy
from liveness.errors import LivenessPolicyError, ObservationError
from liveness.extent import FaceExtent
from liveness.guidance import HintCode, Oval
from tests.liveness.dynamic.flash_device import ScriptedMeter, chance_of, sample, seeded


def test_the_first_time_starts_the_challenge_and_time_never_goes_back() -> None:
    clock = ChallengeClock()
    assert clock.now == -math.inf
    for reading, now in ((5.0, 5.0), (7.0, 7.0), (6.0, 7.0)):
        clock.advance(reading)
        assert (clock.now, clock.began) == (now, 5.0)
    assert [clock.not_before(time) for time in (6.0, 8.0)] == [7.0, 8.0]
    clock.begin_anew()
    assert clock.began == 7.0


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf])
def test_nan_is_no_time(time: float) -> None:
    with pytest.raises(ObservationError):
        ChallengeClock().advance(time)


def test_the_same_is_reported_again_after_two_seconds() -> None:
    hints = HintPacing()
    given = [hints.paced(HintCode.BLINK, now=now / 4) is not None for now in range(20)]
    assert [index / 4 for index, one in enumerate(given) if one] == [0.0, 2.0, 4.0]


def test_something_else_is_reported_after_half_a_second() -> None:
    hints = HintPacing()
    assert hints.paced(HintCode.BLINK, now=0.0) is not None
    assert hints.paced(HintCode.HOLD_STILL, now=0.4) is None
    assert hints.paced(HintCode.HOLD_STILL, now=0.5) == Hint(HintCode.HOLD_STILL)
    assert hints.paced(HintCode.BLINK, now=0.9) is None
    assert hints.paced(HintCode.BLINK, now=1.0) == Hint(HintCode.BLINK)


def test_a_sign_is_awaited_from_the_request_until_it_is_seen_or_patience_ends() -> None:
    blink = AskedSign(HintCode.BLINK, patience_seconds=3)
    blink.record_sign(False)
    pending = [blink.pending]
    assert blink.wait_until(10.0) == blink.wait_until(12.9) == 13
    pending.append(blink.pending)
    blink.record_sign(True)
    pending.append(blink.pending)
    assert blink.wait_until(12.9) is None
    # The apparent blink was none.
    blink.record_sign(False)
    pending.append(blink.pending)
    assert blink.wait_until(12.9) == 13
    assert blink.wait_until(13.0) is None
    assert pending == [False, True, False, True]


def test_no_request_before_the_movement_so_far_is_measured() -> None:
    depth = AskedSign(HintCode.TURN_HEAD_SLIGHTLY, patience_seconds=3)
    assert depth.wait_until(10.0) == 13
    asked = []
    # A value that is not measured in a frame keeps its last value.
    for shown in (None, False, None):
        depth.record_sign(shown)
        assert depth.pending
        asked.append(depth.asks)
    assert asked == [None, HintCode.TURN_HEAD_SLIGHTLY, HintCode.TURN_HEAD_SLIGHTLY]
    depth.record_sign(True)
    assert depth.wait_until(11.0) is None


def test_a_movement_that_was_awaited_is_measured_to_the_end() -> None:
    depth = AskedSign(HintCode.TURN_HEAD_SLIGHTLY, patience_seconds=3)
    matters = [depth.matters]
    depth.wait_until(10.0)
    matters.append(depth.matters)
    depth.record_sign(True)
    matters.append(depth.matters)
    assert matters == [False, True, True]


def test_an_earlier_movement_is_not_awaited() -> None:
    blink = AskedSign(HintCode.BLINK, patience_seconds=3)
    blink.record_sign(True)
    assert blink.wait_until(10.0) is None
    assert not blink.pending


def _signs(*, depth: bool, blink: bool) -> AskedSigns:
    policy = DynamicPolicy(depth=depth, depth_patience_seconds=5.0, blink=blink, blink_patience_seconds=3.0)
    return AskedSigns(policy, depth_line=3.0)


def test_depth_is_waited_for_before_a_blink() -> None:
    signs = _signs(depth=True, blink=True)
    wanted = []
    for now, depth, blinked in ((10.0, 2.9, False), (11.0, 3.0, False), (12.0, 3.0, True), (13.0, 2.9, True)):
        signs.record_signs(blinked=blinked, depth=depth, at=now)
        wanted.append(signs.missing(now, shape_shows=True))
    # If depth decreases during the wait for the blink, the challenge waits for it again, within its time.
    turn, blink = Missing(15.0, HintCode.TURN_HEAD_SLIGHTLY), Missing(14.0, HintCode.BLINK)
    assert wanted == [turn, blink, None, turn]
    assert signs.awaits_depth
    assert not signs.awaits_blink


@pytest.mark.parametrize(
    ("depth", "blink", "shape_shows", "waits"),
    [
        (False, False, True, False),
        (True, False, True, True),
        (False, True, True, True),
        (False, False, False, True),
    ],
)
def test_only_received_frames_are_awaited(depth: bool, blink: bool, shape_shows: bool, waits: bool) -> None:
    signs = _signs(depth=depth, blink=blink)
    signs.record_signs(blinked=False, depth=0.0, at=10.0)
    assert (signs.missing(10.0, shape_shows=shape_shows) is not None) is waits
    assert signs.awaits_depth is (depth or not shape_shows)
    assert signs.awaits_blink is blink


_TURN, _BLINK = HintCode.TURN_HEAD_SLIGHTLY, HintCode.BLINK


def test_a_blink_is_requested_at_the_middle_of_the_colours() -> None:
    signs = _signs(depth=True, blink=True)
    wanted = []
    for share, blinked in ((0.0, False), (0.49, False), (0.5, False), (0.75, False), (0.75, True)):
        signs.prepare(share=share, last=False, shape_shows=True)
        signs.record_signs(blinked=blinked, depth=None, at=10.0)
        wanted.append((signs.ahead(0.1), signs.awaits_blink))
    assert wanted == [(None, False), (None, False), (_BLINK, True), (_BLINK, True), (None, False)]
    assert not signs.awaits_depth


def test_the_head_is_asked_for_as_the_last_colour_nears_its_end() -> None:
    signs = _signs(depth=True, blink=True)
    signs.record_signs(blinked=False, depth=0.0, at=9.0)
    signs.prepare(share=0.75, last=True, shape_shows=True)
    signs.record_signs(blinked=False, depth=2.9, at=10.0)
    # A person asked sooner would move in that colour; until then there is time for a blink.
    assert [signs.ahead(seconds) for seconds in (0.7, 0.41, 0.4, -0.1)] == [_BLINK, _BLINK, _TURN, _TURN]
    awaits = [signs.awaits_blink]
    signs.record_signs(blinked=False, depth=3.0, at=10.2)
    assert signs.ahead(0.1) == _BLINK
    awaits.append(signs.awaits_blink)
    assert awaits == [False, True], "landmarks of a head that turns are not looked at for it"
    signs.record_signs(blinked=False, depth=2.0, at=10.4)
    assert signs.missing(11.0, shape_shows=True) == Missing(16.0, _TURN), "its time begins here"


@pytest.mark.parametrize(
    ("depth", "shape_shows", "expected"), [(False, True, False), (True, True, True), (False, False, True)]
)
def test_depth_is_looked_for_in_the_last_colour_where_it_is_taken(
    depth: bool, shape_shows: bool, expected: bool
) -> None:
    signs = _signs(depth=depth, blink=False)
    signs.prepare(share=0.9, last=False, shape_shows=shape_shows)
    assert not signs.awaits_depth
    signs.prepare(share=0.9, last=True, shape_shows=shape_shows)
    assert signs.awaits_depth is expected
    assert signs.ahead(-1.0) is None


def test_without_a_wait_there_is_no_early_request() -> None:
    policy = DynamicPolicy(depth=True, depth_patience_seconds=0.0, blink=True, blink_patience_seconds=0.0)
    signs = AskedSigns(policy, depth_line=3.0)
    signs.prepare(share=1.0, last=True, shape_shows=False)
    signs.record_signs(blinked=False, depth=0.0, at=10.0)
    assert signs.ahead(0.0) is None
    assert not signs.awaits_depth
    assert not signs.awaits_blink


def test_depth_is_measured_a_few_times_a_second_and_with_the_frame_that_decides() -> None:
    signs = _signs(depth=True, blink=False)
    assert not signs.depth_due(10.0, decides=True), "it is not looked for"
    signs.prepare(share=1.0, last=True, shape_shows=True)
    assert signs.depth_due(10.0, decides=False), "it never was measured"
    signs.record_signs(blinked=False, depth=5.0, at=10.0)
    signs.record_signs(blinked=False, depth=None, at=10.1)
    due = [
        signs.depth_due(now, decides=decides)
        for now, decides in ((10.2, False), (10.2, True), (10.25, False))
    ]
    assert due == [False, True, True]


# The conditions under which a frame shows a held step.

_STEP = ColourScript(seeded(0)).lead_in()
_SINCE = 5.0


def _shown(*, earliest: float = 4.9) -> StepOnDisplay:
    return StepOnDisplay(_STEP, at=10.0, earliest=earliest)


def _frame(time: float, *, step: int = _STEP.number, since: float | None = _SINCE) -> DisplayClaim:
    return DisplayClaim(step, since, capture_time=time, arrival_time=time + 100)


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


def test_the_display_records_every_step_the_last_frame_before_it_and_the_colours_that_passed() -> None:
    script, display = ColourScript(seeded(0)), Display()
    display.display_claim(_frame(1.0, step=0, since=None), at=1.0)
    assert (display.current, display.revealed, display.closing) == (None, (), False)
    for at, step in enumerate((script.lead_in(), script.draw(), script.close())):
        display.show(step, now=10.0 + at)
        assert display.passed == max(0, at - 1)
        display.let_pass()
        assert display.current is not None
        assert (display.current.step, display.current.earliest) == (step, 1.0 + at)
        assert display.closing is step.last
        # A frame that arrives late is older than the latest.
        for late in (0.0, -0.5):
            display.display_claim(_frame(2.0 + at + late, step=0, since=None), at=11.0 + at)
    assert [one.at for one in display.revealed] == [10.0, 11.0, 12.0]


def test_a_step_counts_from_when_it_was_sent_and_not_from_when_it_was_drawn() -> None:
    display = Display()
    with pytest.raises(ObservationError):
        display.note_sent(1.0)
    display.display_claim(_frame(1.0, step=0, since=None), at=101.0)
    display.show(_STEP, now=110.0)
    display.note_sent(109.0)
    display.note_sent(110.4)
    shown = display.current
    assert shown is not None
    assert [one.at for one in display.revealed] == [shown.at] == [110.4]
    assert shown.earliest == 1.0
    # The first waited at the server when the step was sent, so the step was not on display yet.
    for time, earliest in ((10.3, 10.3), (10.5, 10.3)):
        display.display_claim(_frame(time, step=0, since=None), at=time + 100)
        assert shown.earliest == earliest


def _filling(oval: Oval, *, width: int = 480, height: int = 640) -> FaceExtent:
    placed = oval.placed(width=width, height=height)
    return FaceExtent(x=placed.x, y=placed.y, width=placed.width, height=1.35 * placed.width)


@given(seed=st.integers(0, 10_000))
def test_as_many_approaches_as_it_takes_each_drawn_anew(seed: int) -> None:
    script = OvalScript(seeded(seed), rest=Oval())
    drawn = []
    while script.left:
        drawn.append(script.draw())
    assert [step.number for step in drawn] == list(range(1, APPROACHES * CHANGES + 1))
    for far, near in zip(drawn[::2], drawn[1::2], strict=True):
        assert far.oval.width < Oval().width < near.oval.width
        assert 1.59 < near.oval.width / far.oval.width < 2.3
        assert far.transition_seconds < near.transition_seconds
        assert far.bits + near.bits == pytest.approx(script.bits)
    with pytest.raises(LivenessPolicyError, match="all ovals"):
        script.draw()


def test_no_face_that_fills_one_fills_another_as_well() -> None:
    script = OvalScript(seeded(1), rest=Oval())
    for step in (script.draw(), script.draw()):
        for width, height in ((480, 640), (480, 854), (720, 1280), (640, 480), (1280, 720)):
            face = _filling(step.oval, width=width, height=height)
            assert distance_from(step.oval, face, width=width, height=height) == pytest.approx(0)
            assert min(face.left, face.top, width - face.right, height - face.bottom) > 0
            assert all(distance_from(other, face, width=width, height=height) > 1 for other in step.others)


def test_every_oval_is_equally_likely_and_counted_in_bits() -> None:
    random = seeded(2)
    scripts = [OvalScript(random, rest=Oval()) for _ in range(1500)]
    steps = [(script.draw(), script.draw()) for script in scripts]
    for drawn, count in zip(zip(*steps, strict=True), (18, 4), strict=True):
        seen = Counter(step.oval for step in drawn)
        assert len(seen) == count
        assert chance_of(list(seen.values())) > 1e-4
        assert {1 + len(step.others) for step in drawn} == {count}
        assert drawn[0].bits == pytest.approx(math.log2(count))
    assert scripts[0].bits == pytest.approx(math.log2(18 * 4))


def test_nothing_is_drawn_before_it_is_needed() -> None:
    asked: list[int] = []
    random = seeded(3)

    def counting(count: int) -> bytes:
        asked.append(count)
        return random(count)

    script = OvalScript(counting, rest=Oval())
    assert not asked
    script.draw()
    assert sum(asked) <= 4


def test_an_oval_that_fills_the_frame_leaves_no_room() -> None:
    with pytest.raises(LivenessPolicyError, match="no room"):
        OvalScript(seeded(1), rest=Oval(centre_x=0.5, centre_y=0.5, width=0.95, height=0.95))


def test_frames_in_place_are_counted_in_a_row() -> None:
    presence = Presence()
    for at in range(3):
        presence.record_placement(face=True, guidance=None, at=float(at))
    assert (presence.frames_in_place, presence.away_since) == (3, None)
    presence.record_placement(face=True, guidance=HintCode.MOVE_BACK, at=3.0)
    presence.record_placement(face=True, guidance=HintCode.CENTER_FACE, at=4.0)
    assert (presence.frames_in_place, presence.away_since) == (0, 3.0)
    assert presence.code is HintCode.CENTER_FACE, "the newest hint helps most"
    presence.record_placement(face=True, guidance=HintCode.GOOD, at=5.0)
    assert (presence.frames_in_place, presence.away_since) == (1, None)


def test_a_missing_face_is_absent_whatever_the_guidance_shows() -> None:
    presence = Presence()
    presence.record_placement(face=False, guidance=HintCode.GOOD, at=1.0)
    assert (presence.away_since, presence.code) == (1.0, HintCode.NO_FACE)


@pytest.mark.parametrize(
    "code",
    [HintCode.TOO_DARK, HintCode.HOLD_STILL],
)
def test_only_guidance_about_position_interrupts(code: HintCode) -> None:
    presence = Presence()
    presence.record_placement(face=True, guidance=code, at=1.0)
    assert presence.frames_in_place == 1


def test_after_a_pause_the_face_has_to_show_again() -> None:
    presence = Presence()
    presence.record_placement(face=True, guidance=None, at=1.0)
    presence.reset(5.0)
    assert (presence.frames_in_place, presence.away_since, presence.unseen_since) == (0, None, 5.0)
    presence.record_placement(face=True, guidance=None, at=5.8)
    assert (presence.frames_in_place, presence.away_since, presence.unseen_since) == (1, None, None)


def test_after_a_pause_a_face_is_away_from_the_first_frame_on_that_shows_it_so() -> None:
    presence = Presence()
    presence.record_placement(face=False, guidance=None, at=1.0)
    presence.reset(5.0)
    presence.record_placement(face=False, guidance=None, at=5.8)
    assert (presence.away_since, presence.unseen_since) == (5.8, None)


def test_a_face_that_is_away_again_and_again_pauses_nothing_any_more() -> None:
    pauses = Pauses()
    for at in range(5):
        assert pauses.begin(10.0 * at)
        assert pauses.until == 10.0 * at + 1.0
    assert not pauses.begin(50.0)
    assert pauses.until == 41.0


def test_light_is_blamed_only_after_two_colours() -> None:
    watch = LightWatch(DynamicPolicy(falls_back=True, light_patience_seconds=0))
    assert watch.follow_light(Light.TOO_BRIGHT, coloured=1, verified=0, now=0.0) is None
    assert watch.follow_light(Light.TOO_BRIGHT, coloured=2, verified=0, now=1.0) == FallBack(
        HintCode.TOO_BRIGHT
    )


def test_patience_begins_anew_when_a_colour_is_verified() -> None:
    watch = LightWatch(DynamicPolicy(light_patience_seconds=3))
    assert watch.follow_light(Light.WEAK, coloured=2, verified=1, now=0.0) is HintCode.RAISE_SCREEN_BRIGHTNESS
    assert watch.follow_light(Light.OK, coloured=3, verified=2, now=2.0) is None
    assert watch.follow_light(Light.WEAK, coloured=3, verified=2, now=6.0) is HintCode.RAISE_SCREEN_BRIGHTNESS
    assert watch.follow_light(Light.TOO_BRIGHT, coloured=4, verified=3, now=8.0) is HintCode.TOO_BRIGHT
    assert watch.follow_light(Light.TOO_BRIGHT, coloured=5, verified=3, now=10.9) is HintCode.TOO_BRIGHT
    assert watch.follow_light(Light.TOO_BRIGHT, coloured=5, verified=3, now=11.0) == Complete(EndReason.LIGHT)


@pytest.mark.parametrize("falls_back", [False, True])
def test_light_that_seems_good_between_without_a_right_answer_does_not_prolong_it(falls_back: bool) -> None:
    watch = LightWatch(DynamicPolicy(light_patience_seconds=3, falls_back=falls_back))
    assert watch.follow_light(Light.TOO_BRIGHT, coloured=2, verified=1, now=4.0) is HintCode.TOO_BRIGHT
    assert watch.follow_light(Light.OK, coloured=3, verified=1, now=5.0) is None
    end = FallBack(HintCode.TOO_BRIGHT) if falls_back else Complete(EndReason.LIGHT)
    assert watch.follow_light(Light.TOO_BRIGHT, coloured=4, verified=1, now=7.0) == end


def test_darkness_is_reported_and_ends_nothing() -> None:
    watch = LightWatch(DynamicPolicy(falls_back=True))
    for now in (0.0, 50.0):
        told = watch.follow_light(Light.TOO_DARK_TO_SEE_FACE, coloured=9, verified=0, now=now)
        assert told is HintCode.TOO_DARK


_SCRIPT = ColourScript(seeded(1))
_STEPS = [_SCRIPT.lead_in(), *(_SCRIPT.draw() for _ in range(5)), _SCRIPT.close()]


def _reading(step: int, agrees: bool | None, *, settled: bool = True, moved: bool = False) -> StepReading:
    disturbed = frozenset({Disturbance.MOVED}) if moved else frozenset[Disturbance]()
    return StepReading(step=step, frames=4, snr=5.0, agrees=agrees, disturbed=disturbed, settled=settled)


def test_each_answer_counts_by_its_finding() -> None:
    readings = [
        _reading(1, True),
        _reading(2, True),
        _reading(3, False),
        _reading(4, True, moved=True),
        _reading(5, True, settled=False),
        _reading(7, True),
        _reading(99, True),
    ]
    answers = count_answers(_STEPS, readings)
    assert list(answers.verified) == pytest.approx([_STEPS[1].colour_bits])
    assert (answers.wrong, answers.shown, answers.answered, len(answers.open)) == (1, 5, 2, 3)
    assert answers.proven_bits == bits_beyond_chance(answers.verified, shown=5)


def test_a_right_answer_that_came_too_late_counts_as_shown_and_proves_nothing() -> None:
    readings = [
        replace(_reading(2, True), late=True),
        replace(_reading(3, False), late=True),
        _reading(4, True),
    ]
    answers = count_answers(_STEPS, readings)
    assert (len(answers.verified), answers.wrong, answers.late) == (1, 1, 1)
    assert (answers.shown, answers.answered) == (5, 2)
    # More frames do not make it younger.
    assert answers.reach(0) < Answers(answers.verified, (*answers.open, 2.8), answers.wrong).reach(0)


def test_the_reachable_bits_equal_those_of_a_full_script() -> None:
    script = ColourScript(seeded(2))
    script.lead_in()
    drawn = [script.draw().colour_bits for _ in range(9)]
    assert Answers().reach(9) == pytest.approx(bits_beyond_chance(drawn, shown=9))


def test_open_answers_can_be_right_yet_and_wrong_ones_cost() -> None:
    answers = Answers(verified=(3.0,), open=(2.8, 2.8), wrong=1)
    assert answers.reach(0) == pytest.approx(bits_beyond_chance((3.0, 2.8, 2.8), shown=4))
    assert answers.reach(0) < answers.reach(1) < answers.reach(2)


def test_one_more_right_answer_is_one_more_step_shown() -> None:
    assert Answers(verified=(3.0, 2.8)).proven_with(2.8) == Answers(verified=(3.0, 2.8, 2.8)).proven_bits
    missed = Answers(verified=(3.0,), open=(2.8,))
    assert missed.proven_with(2.8) == Answers(verified=(3.0, 2.8), open=(2.8,)).proven_bits


def test_the_challenge_is_hopeless_if_no_remaining_step_suffices() -> None:
    answers = Answers(verified=(3.0, 2.8))
    reached = answers.reach(2)
    assert not answers.hopeless(2, bits=reached)
    assert answers.hopeless(2, bits=reached + 0.1)
    assert not Answers(verified=(3.0,), wrong=1).hopeless(20, bits=3.0)
    assert Answers(verified=(3.0,), wrong=2).hopeless(20, bits=0.0), "one may be a misreading, two are none"


_BITS = 10.0


def _proof_shown(meter: ScriptedMeter, colours: int = 5) -> tuple[Proof, list[RevealedStep]]:
    """A proof after a lead-in and some colours with enough frames."""
    script, proof = ColourScript(seeded(0)), Proof(meter, minimum_bits=_BITS)
    revealed: list[RevealedStep] = []
    for at, step in enumerate([script.lead_in(), *(script.draw() for _ in range(colours))]):
        revealed.append(RevealedStep(step, float(at)))
        meter.note_drawn(step, float(at))
        for _ in range(meter.needed):
            _add(proof, step)
    return proof, revealed


def _add(proof: Proof, step: ColourStep, *, captured: bool = True) -> None:
    index = len(proof.samples)
    frame = sample(index, capture_time=float(index), arrival_time=float(index), step=step.number)
    proof.prove_frame(frame, captured=captured)


def test_frames_that_come_once_it_is_complete_take_no_part() -> None:
    meter = ScriptedMeter()
    proof, revealed = _proof_shown(meter)
    counted, measured = len(proof.samples), dict(meter.frames)
    complete = [proof.complete]
    assert proof.conclude(proof.answers(revealed), last=False, now=20.0)
    complete.append(proof.complete)
    assert complete == [False, True]
    _add(proof, revealed[-1].step)
    assert (len(proof.samples), meter.frames) == (counted, measured)


@pytest.mark.parametrize(("in_doubt", "wrong"), [(True, None), (False, 2)])
def test_doubts_and_wrong_answers_keep_it_open_while_more_may_come(in_doubt: bool, wrong: int | None) -> None:
    meter = ScriptedMeter(answer=lambda step: step.number != wrong, in_doubt=lambda _: in_doubt)
    proof, revealed = _proof_shown(meter, colours=7)
    answers = proof.answers(revealed)
    assert answers.proven_bits >= _BITS
    assert not proof.conclude(answers, last=False, now=20.0)
    assert not proof.complete
    assert proof.conclude(answers, last=True, now=20.0)


def test_the_proof_waits_for_the_frames_that_every_scan_needs() -> None:
    proof, revealed = _proof_shown(ScriptedMeter())
    _add(proof, revealed[-1].step, captured=False)
    assert proof.waits_until(19.0) is None
    assert proof.conclude(proof.answers(revealed), last=True, now=20.0)
    assert proof.waits_until(20.0) == 22.0
    assert proof.waits_until(22.0) is None
    _add(proof, revealed[-1].step)
    assert proof.waits_until(20.0) is None


def test_a_faint_answer_leaves_a_step_unmeasured() -> None:
    """It verifies the step, but longer light makes the measurement of its surface better."""
    proof, revealed = _proof_shown(ScriptedMeter(clear=lambda step: step.number != 3))
    assert [proof.measured(one.step) for one in revealed] == [True, True, False, True, True, True]
    assert len(proof.answers(revealed).verified) == 5


def test_a_step_is_measured_once_its_answer_is_known_and_nothing_disturbs_it() -> None:
    meter = ScriptedMeter(answer=lambda step: None if step.number == 3 else True)
    proof, revealed = _proof_shown(meter)
    assert [proof.measured(one.step) for one in revealed] == [True, True, False, True, True, True]
    meter.disturb = lambda step, _: frozenset({Disturbance.MOVED} if step.number == 2 else set())
    assert [proof.moved(one.step) for one in revealed] == [False, True, False, False, False, False]
    assert not proof.measured(revealed[1].step)

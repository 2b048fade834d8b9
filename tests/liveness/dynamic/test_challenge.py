import math
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from liveness.dynamic.actions import (
    Complete,
    EndReason,
    FallBack,
    Hint,
    HintCode,
    Pause,
    Resume,
    Reveal,
    Wait,
)
from liveness.dynamic.challenge import FlashChallenge
from liveness.dynamic.entropy import bits_beyond_chance
from liveness.dynamic.meter import Disturbance, Light
from liveness.dynamic.policy import BitFloor, DynamicPolicy, Fallback
from liveness.dynamic.script import ColourScript
from liveness.dynamic.steps import SHORTEST_HOLD_SECONDS, ColourStep
from liveness.errors import ObservationError, PolicyError
from liveness.guidance import GuidanceCode
from tests.liveness.dynamic.flash_device import FlashDevice, ScriptedMeter, sample
from tests.liveness.dynamic.random_source import seeded


def _challenge(
    meter: ScriptedMeter | None = None, policy: DynamicPolicy | None = None, seed: int = 0
) -> FlashChallenge:
    return FlashChallenge(
        script=ColourScript(seeded(seed)),
        meter=meter or ScriptedMeter(),
        policy=policy or DynamicPolicy(),
    )


def _hints(device: FlashDevice) -> list[HintCode]:
    return [action.code for _, action in device.actions if isinstance(action, Hint)]


@pytest.mark.parametrize(("floor", "steps"), [(BitFloor.LOW, 4), (BitFloor.STANDARD, 5), (BitFloor.HIGH, 7)])
def test_a_scan_without_trouble_stops_as_soon_as_enough_is_verified(floor: BitFloor, steps: int) -> None:
    challenge = _challenge(policy=DynamicPolicy(minimum_bits=floor))
    device = FlashDevice(challenge)
    assert device.run() == Complete(EndReason.PROVEN)
    shown = [step for _, step in device.reveals]
    assert len(shown) == steps + 2, "the lead-in, the colours, the closing step"
    assert [step.last for step in shown] == [False] * (steps + 1) + [True]
    assert challenge.proven_bits >= floor
    assert challenge.progress == 1
    assert challenge.ended == Complete(EndReason.PROVEN)
    assert [revealed.step for revealed in challenge.revealed] == shown


@pytest.mark.parametrize("floor", list(BitFloor))
def test_it_takes_less_than_six_seconds_at_fifty_milliseconds_round_trip(floor: BitFloor) -> None:
    durations = []
    for seed in range(15):
        device = FlashDevice(_challenge(policy=DynamicPolicy(minimum_bits=floor), seed=seed))
        device.run()
        durations.append(device.actions[-1][0])
    assert float(np.median(durations)) < 6


def _assert_never_early(device: FlashDevice) -> None:
    """By the frames alone: each reveal comes after frames captured a whole hold after the appearance."""
    for (at, step), (next_at, following) in pairwise(device.reveals):
        assert next_at - at >= step.transition_seconds + step.hold_seconds - 1e-9
        if following.last:
            continue
        held = [
            frame
            for frame in device.arrivals_before[following.number]
            if frame.step == step.number
            and frame.step_since is not None
            and frame.capture_time >= frame.step_since + step.transition_seconds + step.hold_seconds
        ]
        assert len(held) >= 2


def _assert_safe(reveals: list[tuple[float, ColourStep]]) -> None:
    times = [at for at, _ in reveals]
    for began in times:
        assert sum(began <= at < began + 1 for at in times) <= 3
    assert all(later - earlier >= SHORTEST_HOLD_SECONDS - 1e-9 for earlier, later in pairwise(times))


def test_a_step_comes_only_after_frames_that_held_the_one_before() -> None:
    device = FlashDevice(_challenge())
    device.run()
    _assert_never_early(device)
    _assert_safe(device.reveals)


def test_nothing_is_shown_before_the_face_is_in_its_place() -> None:
    device = FlashDevice(
        _challenge(), guidance=lambda time: GuidanceCode.OK if time > 2 else GuidanceCode.MOVE_CLOSER
    )
    device.run()
    assert device.reveals[0][0] > 2.1


def test_a_face_that_never_comes_ends_it_without_a_flash() -> None:
    device = FlashDevice(_challenge(), guidance=lambda _: GuidanceCode.NO_FACE)
    assert device.run() == Complete(EndReason.NOT_READY)
    assert not device.reveals


def test_a_short_disturbance_extends_the_step_and_costs_no_other() -> None:
    disturbed = {4}

    def disturb(step: ColourStep, frames: int) -> frozenset[Disturbance]:
        return frozenset({Disturbance.MOVED}) if step.number in disturbed and frames < 13 else frozenset()

    plain, extended = FlashDevice(_challenge()), FlashDevice(_challenge(ScriptedMeter(disturb=disturb)))
    assert plain.run() == extended.run() == Complete(EndReason.PROVEN)
    assert len(plain.reveals) == len(extended.reveals)
    assert 0.1 < extended.actions[-1][0] - plain.actions[-1][0] < 0.8


def test_a_step_that_stays_disturbed_is_replaced_by_a_fresh_draw_and_counts_as_shown() -> None:
    def disturb(step: ColourStep, _: int) -> frozenset[Disturbance]:
        return frozenset({Disturbance.MOVED}) if step.number == 3 else frozenset()

    challenge = _challenge(ScriptedMeter(disturb=disturb))
    device = FlashDevice(challenge)
    assert device.run() == Complete(EndReason.PROVEN)
    coloured = [step for _, step in device.reveals if step.bits]
    assert len(coloured) > 6
    verified = [step.colour_bits for step in coloured if step.number != 3]
    assert challenge.proven_bits == pytest.approx(bits_beyond_chance(verified, shown=len(coloured)))
    assert HintCode.HOLD_STILL in _hints(device)


def test_whoever_blinks_of_themselves_is_not_asked_to() -> None:
    plain = FlashDevice(_challenge())
    blinking = FlashDevice(_challenge(policy=DynamicPolicy(blink=True)), blinked=lambda time: time > 1)
    assert plain.run() == blinking.run() == Complete(EndReason.PROVEN)
    assert blinking.actions[-1][0] == plain.actions[-1][0]
    assert not _hints(blinking)


def test_whoever_did_not_blink_is_asked_to_and_waited_for() -> None:
    plain = FlashDevice(_challenge())
    plain.run()
    done = plain.reveals[-1][0]
    late = FlashDevice(_challenge(policy=DynamicPolicy(blink=True)), blinked=lambda time: time > done + 2.5)
    assert late.run() == Complete(EndReason.PROVEN)
    assert _hints(late) == [HintCode.BLINK] * 2, "told again after two seconds"
    assert [step for _, step in late.reveals] == [step for _, step in plain.reveals], "no further colour"
    assert late.reveals[-1][0] - done == pytest.approx(2.5, abs=0.2)
    assert late.challenge.progress == 1


@pytest.mark.parametrize("patience", [0.0, 3.0])
def test_whoever_never_blinks_is_waited_for_no_longer_than_the_policy_says(patience: float) -> None:
    plain = FlashDevice(_challenge())
    plain.run()
    stiff = FlashDevice(_challenge(policy=DynamicPolicy(blink=True, blink_patience_seconds=patience)))
    assert stiff.run() == Complete(EndReason.PROVEN), "the judge says what that proves"
    assert stiff.actions[-1][0] - plain.actions[-1][0] == pytest.approx(patience, abs=0.2)


def test_a_face_that_leaves_while_a_blink_is_waited_for_pauses_as_ever() -> None:
    plain = FlashDevice(_challenge())
    plain.run()
    done = plain.reveals[-1][0]
    away = FlashDevice(
        _challenge(policy=DynamicPolicy(blink=True)),
        guidance=lambda time: GuidanceCode.NO_FACE if done + 0.5 < time < done + 2 else GuidanceCode.OK,
        blinked=lambda time: time > done + 4,
    )
    assert away.run() == Complete(EndReason.PROVEN)
    assert any(isinstance(action, Pause) for _, action in away.actions)


def test_contradictions_are_never_stopped_early_for() -> None:
    device = FlashDevice(_challenge(ScriptedMeter(answer=lambda step: step.number != 2)))
    assert device.run() == Complete(EndReason.PROVEN)
    assert sum(step.bits > 0 for _, step in device.reveals) == 8


def test_wrong_colours_end_after_a_full_script() -> None:
    challenge = _challenge(ScriptedMeter(answer=lambda _: False))
    device = FlashDevice(challenge)
    assert device.run() == Complete(EndReason.EXHAUSTED)
    assert sum(step.bits > 0 for _, step in device.reveals) == 8
    assert challenge.proven_bits == pytest.approx(0, abs=1e-9)


def test_unmeasurable_steps_are_repeated_up_to_the_policy_s_limit() -> None:
    device = FlashDevice(
        _challenge(ScriptedMeter(answer=lambda _: None), DynamicPolicy(maximum_steps=9, maximum_seconds=40))
    )
    assert device.run() == Complete(EndReason.EXHAUSTED)
    assert sum(step.bits > 0 for _, step in device.reveals) == 9


@pytest.mark.parametrize(
    ("answers", "shown"),
    [
        ({3: None, 5: None, 7: None}, 13),
        ({4: False}, 9),
        ({3: None, 4: False, 6: None}, 13),
    ],
)
def test_sixteen_bits_are_reached_with_more_steps_where_some_are_lost(
    answers: dict[int, bool | None], shown: int
) -> None:
    meter = ScriptedMeter(answer=lambda step: answers.get(step.number, True))
    policy = DynamicPolicy(minimum_bits=BitFloor.HIGH, maximum_seconds=30)
    device = FlashDevice(_challenge(meter, policy))
    assert device.run() == Complete(EndReason.PROVEN)
    assert sum(step.bits > 0 for _, step in device.reveals) == shown


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    answers=st.lists(st.sampled_from([True, True, True, None, False]), min_size=20, max_size=20),
    floor=st.sampled_from(list(BitFloor)),
    most=st.integers(9, 18),
)
def test_it_is_exhausted_only_where_nothing_that_may_come_reaches_the_floor(
    answers: list[bool | None], floor: BitFloor, most: int
) -> None:
    meter = ScriptedMeter(answer=lambda step: answers[step.number])
    policy = DynamicPolicy(minimum_bits=floor, maximum_steps=most, maximum_seconds=60)
    device = FlashDevice(_challenge(meter, policy), rate=10)
    end = device.run()
    coloured = [step for _, step in device.reveals if step.bits > 0]
    told = [answers[step.number] for step in coloured]
    right = [step.colour_bits for step, answer in zip(coloured, told, strict=True) if answer]
    if end == Complete(EndReason.EXHAUSTED) and told.count(False) < 2:
        hoped = right + [math.log2(7)] * told.count(None)
        for more in range(most - len(coloured) + 1):
            reached = bits_beyond_chance(hoped + [math.log2(7)] * more, shown=len(coloured) + more)
            assert reached < floor or not more, "with a right answer to every step that may still come"
    if end == Complete(EndReason.PROVEN):
        assert bits_beyond_chance(right, shown=len(coloured)) >= floor
    assert len(coloured) <= most


def test_the_closing_step_is_held_like_every_other() -> None:
    device = FlashDevice(_challenge())
    device.run()
    at, closing = device.reveals[-1]
    assert closing.last
    assert device.actions[-1][0] - at >= SHORTEST_HOLD_SECONDS


def test_what_is_decided_rests_on_every_frame() -> None:
    """The judge sees the whole scan, and may not know less of it than who ended it."""
    meter = ScriptedMeter()
    seen = []

    def answer(_: ColourStep) -> bool:
        seen.append(meter.refreshed)
        return True

    meter.answer = answer
    device = FlashDevice(_challenge(meter))
    device.run()
    at, _ = device.reveals[-1]
    assert max(seen) >= sum(frame.step > 0 for frame in device.samples if frame.arrival_time < at - 0.5)


def test_who_leaves_out_wrong_guesses_is_let_in_as_rarely_as_stated() -> None:
    """A blind guesser who moves at every step that was guessed wrong."""
    floor, proven = 10, 0
    rng = np.random.default_rng(5)
    for seed in range(100):
        lucky: dict[int, bool] = {}

        def guessed(step: ColourStep, _frames: int, lucky: dict[int, bool] = lucky) -> frozenset[Disturbance]:
            right = lucky.setdefault(step.number, bool(rng.random() < 1 / 7)) or not step.bits
            return frozenset() if right else frozenset({Disturbance.MOVED})

        policy = DynamicPolicy(minimum_bits=floor, maximum_seconds=60, maximum_steps=14)
        device = FlashDevice(_challenge(ScriptedMeter(disturb=guessed), policy, seed=seed), rate=8)
        proven += device.run() == Complete(EndReason.PROVEN)
    assert proven <= 1, "2^-10 of 100 scans"


def test_bright_light_is_told_and_then_falls_back_where_the_policy_names_it() -> None:
    meter = ScriptedMeter(answer=lambda _: None, told_light=lambda _: Light.TOO_BRIGHT)
    device = FlashDevice(_challenge(meter, DynamicPolicy(fallback=Fallback.MOVEMENT)))
    assert device.run() == FallBack(HintCode.TOO_BRIGHT)
    assert _hints(device)[0] is HintCode.TOO_BRIGHT
    assert device.reveals[-1][1].last, "the screen returns to normal first"
    hinted = next(at for at, action in device.actions if isinstance(action, Hint))
    assert device.actions[-1][0] - hinted >= DynamicPolicy().light_patience_seconds


def test_bright_light_ends_it_where_nothing_else_is_offered() -> None:
    meter = ScriptedMeter(answer=lambda _: None, told_light=lambda _: Light.WEAK)
    device = FlashDevice(_challenge(meter))
    assert device.run() == Complete(EndReason.LIGHT)
    assert set(_hints(device)) == {HintCode.RAISE_SCREEN_BRIGHTNESS}
    assert 1 < len(_hints(device)) < 10, "told again, but not with every frame"


def test_light_that_gets_better_in_time_is_forgotten() -> None:
    meter = ScriptedMeter(told_light=lambda steps: Light.TOO_BRIGHT if 3 <= steps <= 4 else Light.OK)
    device = FlashDevice(_challenge(meter, DynamicPolicy(fallback=Fallback.MOVEMENT)))
    assert device.run() == Complete(EndReason.PROVEN)
    assert _hints(device) == [HintCode.TOO_BRIGHT]


@pytest.mark.parametrize(
    "trouble",
    [
        {"answer": lambda _: None},
        {"answer": lambda _: False},
        {"disturb": lambda _step, _frames: frozenset({Disturbance.FACE_LOST})},
        {"told_light": lambda _: Light.TOO_BRIGHT, "answer": lambda step: None if step.number % 2 else False},
        {"told_light": lambda _: Light.TOO_DARK_TO_SEE_FACE, "answer": lambda _: None},
    ],
)
def test_nothing_but_light_leads_to_the_fallback(trouble: dict[str, Callable[..., object]]) -> None:
    policy = DynamicPolicy(fallback=Fallback.MOVEMENT)
    device = FlashDevice(_challenge(ScriptedMeter(**trouble), policy))  # type: ignore[arg-type]
    assert isinstance(device.run(), Complete)


def test_a_face_that_leaves_the_oval_pauses_the_capture_until_it_is_back() -> None:
    device = FlashDevice(
        _challenge(),
        guidance=lambda time: GuidanceCode.CENTER_FACE if 2 < time < 4 else GuidanceCode.OK,
    )
    assert device.run() == Complete(EndReason.PROVEN)
    kinds = [type(action) for _, action in device.actions]
    pauses = [action for _, action in device.actions if isinstance(action, Pause)]
    assert pauses[0] == Pause(HintCode.CENTER_FACE)
    assert kinds.count(Pause) == kinds.count(Resume) <= 3
    assert not [at for at, _ in device.reveals if 2.1 < at < 4], "nothing new while nobody looks"


def test_a_face_that_stays_away_ends_it() -> None:
    device = FlashDevice(
        _challenge(), guidance=lambda time: GuidanceCode.NO_FACE if time > 1 else GuidanceCode.OK
    )
    assert device.run() == Complete(EndReason.FACE_AWAY)
    assert device.reveals[-1][1].last


@pytest.mark.parametrize("trip", [0.025, 0.2, 0.4, 0.6])
def test_one_glance_away_is_one_pause_on_a_slow_line_too(trip: float) -> None:
    """What a device sends after it was told to go on comes a round trip later."""
    device = FlashDevice(
        _challenge(),
        trip=trip,
        guidance=lambda time: GuidanceCode.NO_FACE if 3 < time < 3.9 else GuidanceCode.OK,
    )
    assert device.run() == Complete(EndReason.PROVEN)
    assert len([action for _, action in device.actions if isinstance(action, Pause)]) == 1


def test_who_sends_nothing_after_a_pause_is_waited_for_and_then_paused_again() -> None:
    challenge = _challenge()
    index = 0
    while not isinstance(action := challenge.next_action(now=index / 15), Pause):
        time = index / 15
        challenge.add(sample(index, capture_time=time, arrival_time=time, face=index < 10))
        index += 1
    paused = index / 15
    assert challenge.next_action(now=paused + 1.0) == Resume()
    patience = challenge.next_action(now=paused + 1.1)
    assert isinstance(patience, Wait)
    assert patience.until == pytest.approx(paused + 4.0)
    assert challenge.next_action(now=patience.until) == action


def test_a_face_that_is_away_for_a_moment_pauses_nothing() -> None:
    device = FlashDevice(
        _challenge(), guidance=lambda time: GuidanceCode.NO_FACE if 2 < time < 2.4 else GuidanceCode.OK
    )
    assert device.run() == Complete(EndReason.PROVEN)
    assert not [action for _, action in device.actions if isinstance(action, Pause)]


LIES: list[Callable[[int, float], tuple[int, float | None]]] = [
    lambda step, _: (step, -1e9),
    lambda step, _: (step, 0.0),
    lambda step, since: (step, since - 0.3),
    lambda step, since: (step + 1, since - 10),
    lambda step, _: (step, float("nan")),
    lambda step, _: (step, float("-inf")),
]


@pytest.mark.parametrize("lie", LIES)
def test_lies_about_what_is_shown_bring_no_step_forward(
    lie: Callable[[int, float], tuple[int, float | None]],
) -> None:
    honest, liar = FlashDevice(_challenge()), FlashDevice(_challenge(), claim=lie)
    honest.run()
    liar.run()
    _assert_safe(liar.reveals)
    for (at, step), (next_at, _) in pairwise(liar.reveals):
        # On the server's clock a whole hold has passed, whatever was claimed.
        assert next_at - at >= step.transition_seconds + step.hold_seconds - 1e-9
        before = [frame for frame in liar.samples if frame.arrival_time <= at]
        shown_at_best = before[-1].capture_time
        held = [frame for frame in liar.samples if frame.arrival_time <= next_at]
        assert held[-1].capture_time >= shown_at_best + step.transition_seconds + step.hold_seconds


def test_a_device_that_claims_nothing_is_shown_nothing_more() -> None:
    device = FlashDevice(_challenge(), claim=lambda _step, _since: (0, None))
    assert device.run() == Complete(EndReason.TIMED_OUT)
    assert [step.bits for _, step in device.reveals] == [0, 0], "the lead-in and the closing step"


def test_a_policy_that_its_steps_cannot_satisfy_is_refused() -> None:
    with pytest.raises(PolicyError, match="cannot verify"):
        _challenge(policy=DynamicPolicy(minimum_bits=16, maximum_steps=5))


@pytest.mark.parametrize("now", [float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(now: float) -> None:
    with pytest.raises(ObservationError):
        _challenge().next_action(now=now)


_TIMES = st.one_of(st.floats(0.0, 0.2), st.floats(-5.0, 5.0), st.just(0.0), st.floats(-1e6, 1e6))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 1000),
    events=st.lists(
        st.tuples(
            _TIMES,
            _TIMES,
            st.integers(-2, 3),
            st.sampled_from(list(GuidanceCode)),
            st.sampled_from([None, True, False]),
            st.sampled_from(list(Light)),
        ),
        max_size=120,
    ),
    steady=st.booleans(),
    blink=st.booleans(),
)
@example(
    # The end of a wait that rounds to the moment at which it begins.
    seed=382,
    events=[
        (0.0, 0.0, 3, GuidanceCode.TOO_DARK, None, Light.WEAK),
        (0.0, 0.0, -2, GuidanceCode.HOLD_STILL, True, Light.TOO_DARK_TO_SEE_FACE),
        (0.1886184549751532, 0.06478488178358771, 1, GuidanceCode.TOO_DARK, True, Light.OK),
        (0.0, 0.0, 2, GuidanceCode.NO_FACE, False, Light.TOO_BRIGHT),
    ],
    steady=False,
    blink=False,
)
def test_whatever_happens_it_is_safe_never_early_and_ends(
    seed: int,
    events: list[tuple[float, float, int, GuidanceCode, bool | None, Light]],
    steady: bool,
    blink: bool,
) -> None:
    """Clocks that jump, claims that lie, light and guidance at random: the limits hold and it ends."""
    answered: bool | None = True
    lit = Light.OK
    meter = ScriptedMeter(answer=lambda _: answered, told_light=lambda _: lit, needed=1)
    policy = DynamicPolicy(fallback=Fallback.MOVEMENT if seed % 2 else Fallback.NONE, blink=blink)
    challenge = _challenge(meter, policy, seed=seed)
    reveals: list[tuple[float, ColourStep]] = []
    frames: Counter[int] = Counter()
    now, latest = 0.0, -math.inf
    ended: Complete | FallBack | None = None

    def ask() -> None:
        nonlocal ended, latest
        latest = max(latest, now)
        for _ in range(12):
            action = challenge.next_action(now=now)
            if isinstance(action, Reveal):
                assert ended is None
                if reveals and not action.step.last:
                    assert frames[reveals[-1][1].number] >= 2
                reveals.append((latest, action.step))
            elif isinstance(action, Complete | FallBack):
                assert ended in {None, action}
                ended = action
                return
            elif isinstance(action, Wait):
                assert action.until > latest
                return
        raise AssertionError("too much to say")

    for index, (passed, claimed, stray, code, answer, light) in enumerate(events):
        now += abs(passed) if steady and abs(passed) < 10 else passed
        answered, lit = answer, light
        claims = max(0, len(reveals) + stray)
        frames[claims] += 1
        frame = sample(index, capture_time=now + 50, arrival_time=now, step=claims, step_since=now + claimed)
        challenge.add(frame, code)
        ask()
    _assert_safe([(at, step) for at, step in reveals])
    assert [step.number for _, step in reveals] == list(range(1, len(reveals) + 1))
    # Left alone, it ends by itself, with the screen back to normal if it ever flashed.
    for _ in range(200):
        if ended is not None:
            break
        now = max(now, latest) + 0.5
        ask()
    assert ended is not None
    if reveals:
        assert reveals[-1][1].last
    assert challenge.next_action(now=now + 1e3) == ended
    assert not math.isnan(challenge.proven_bits)

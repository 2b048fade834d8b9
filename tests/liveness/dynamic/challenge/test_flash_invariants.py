import math
from collections import Counter

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from liveness.dynamic.challenge.actions import (
    Complete,
    FallBack,
    Reveal,
    Wait,
)
from liveness.dynamic.challenge.proof import Light
from liveness.dynamic.challenge.script import ColourStep
from liveness.dynamic.policy import DynamicPolicy
from liveness.guidance import GuidanceCode
from tests.liveness.dynamic.challenge.challenge_parts import (
    assert_safe,
    flash_challenge,
)
from tests.liveness.dynamic.flash_device import ScriptedMeter, sample

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
    queued=st.floats(0.0, 3.0),
)
@example(
    # The end of a wait that rounds to its start.
    seed=382,
    events=[
        (0.0, 0.0, 3, GuidanceCode.TOO_DARK, None, Light.WEAK),
        (0.0, 0.0, -2, GuidanceCode.HOLD_STILL, True, Light.TOO_DARK_TO_SEE_FACE),
        (0.1886184549751532, 0.06478488178358771, 1, GuidanceCode.TOO_DARK, True, Light.OK),
        (0.0, 0.0, 2, GuidanceCode.NO_FACE, False, Light.TOO_BRIGHT),
    ],
    steady=False,
    blink=False,
    queued=0.0,
)
def test_whatever_happens_it_is_safe_never_early_and_ends(
    seed: int,
    events: list[tuple[float, float, int, GuidanceCode, bool | None, Light]],
    steady: bool,
    blink: bool,
    queued: float,
) -> None:
    """Random clock jumps, false claims, light and guidance: the limits hold and the challenge ends.

    Each step waits at the server for ``queued`` seconds until it is sent.
    """
    answered: bool | None = True
    lit = Light.OK
    meter = ScriptedMeter(answer=lambda _: answered, measured_light=lambda _: lit, needed=1)
    policy = DynamicPolicy(falls_back=bool(seed % 2), blink=blink)
    challenge = flash_challenge(meter, policy, seed=seed)
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
                reveals.append((latest + queued, action.step))
                challenge.note_sent(latest + queued)
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
        challenge.add_flash_frame(frame, code)
        ask()
    assert_safe([(at, step) for at, step in reveals])
    assert [step.number for _, step in reveals] == list(range(1, len(reveals) + 1))
    # Without input it ends by itself, with the screen back to normal if it ever flashed.
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

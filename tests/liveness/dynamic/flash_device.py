"""A flash challenge for tests and its two partners: a device in virtual time, a meter with set answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.special import chdtrc

from liveness.dynamic.challenge.actions import (
    Action,
    Complete,
    FallBack,
    Hint,
    Pause,
    Resume,
    Reveal,
    Wait,
)
from liveness.dynamic.challenge.flash import FlashChallenge
from liveness.dynamic.challenge.proof import Disturbance, Light, StepReading
from liveness.dynamic.challenge.script import SHORTEST_HOLD_SECONDS, ColourScript, ColourStep, RandomBytes
from liveness.dynamic.policy import DynamicPolicy
from liveness.dynamic.sample import PATCH_SIDE, FlashSample, Region
from liveness.guidance import HintCode
from tests.liveness.builders import face_at

# Reproducible random bytes.


def seeded(seed: int) -> RandomBytes:
    """Bytes of a generator that starts at ``seed``."""
    return np.random.default_rng(seed).bytes


def chance_of(counts: Sequence[int], expected: Sequence[float] | None = None) -> float:
    """The chance that draws are as uneven as these (chi-squared), if they are uniform or as expected."""
    wanted = np.asarray(expected if expected is not None else [sum(counts) / len(counts)] * len(counts))
    return float(chdtrc(len(counts) - 1, ((np.asarray(counts) - wanted) ** 2 / wanted).sum()))


# The challenge's two partners: a device in virtual time, and a meter with set answers.

_LINEAR = np.full((len(Region), 3), np.nan, np.float32)
_PATCH = np.full((PATCH_SIDE, PATCH_SIDE, 3), np.nan, np.float32)
_FACE = face_at()


def sample(
    index: int,
    *,
    capture_time: float,
    arrival_time: float,
    step: int = 0,
    step_since: float | None = None,
    face: bool = True,
) -> FlashSample:
    """A frame as the challenge receives it; the challenge reads no colours."""
    return FlashSample(
        index=index,
        capture_time=capture_time,
        arrival_time=arrival_time,
        step=step,
        step_since=step_since,
        exposure=None,
        face=_FACE if face else None,
        linear=_LINEAR,
        usable=np.zeros(len(Region), np.float32),
        patch=_PATCH,
    )


@dataclass
class ScriptedMeter:
    """Settles a step after a number of frames that claim it, with set answers.

    Attributes:
        answer: From the step to whether the colour agrees; ``None`` if it is not measurable.
        disturb: From the step and its frames so far to its disturbance.
        measured_light: Its measurement of the light, by the number of steps revealed.
        clear: Whether the answer to a step stands out from noise by itself.
        needed: Frames of a step that settle it.
        shapes: Whether the light can show the shape on which it falls.
        late: Whether the answer to a step comes too late.
        in_doubt: Whether more steps may resolve a doubt, by the number of steps revealed.
    """

    answer: Callable[[ColourStep], bool | None] = lambda _: True
    disturb: Callable[[ColourStep, int], frozenset[Disturbance]] = lambda _step, _frames: frozenset()
    measured_light: Callable[[int], Light] = lambda _: Light.OK
    clear: Callable[[ColourStep], bool] = lambda _: True
    needed: int = 3
    shapes: bool = True
    lights_a_face: bool = True
    late: Callable[[ColourStep], bool] = lambda _: False
    in_doubt: Callable[[int], bool] = lambda _: False
    steps: list[ColourStep] = field(default_factory=list)
    frames: dict[int, int] = field(default_factory=dict)
    refreshed: int = 0

    def meter_frame(self, sample: FlashSample) -> None:
        if sample.step:
            self.frames[sample.step] = self.frames.get(sample.step, 0) + 1

    def note_drawn(self, step: ColourStep, at: float) -> None:
        assert np.isfinite(at)
        self.steps.append(step)

    def note_sent(self, at: float) -> None:
        assert np.isfinite(at)

    def refresh(self) -> None:
        self.refreshed = sum(self.frames.values())

    def readings(self) -> tuple[StepReading, ...]:
        return tuple(self._reading(step) for step in self.steps)

    def _reading(self, step: ColourStep) -> StepReading:
        frames = self.frames.get(step.number, 0)
        disturbed = self.disturb(step, frames)
        settled = frames >= self.needed and not disturbed
        agrees = self.answer(step) if settled and step.bits else None
        return StepReading(
            step=step.number,
            frames=frames,
            snr=5.0 if settled else 0.0,
            agrees=agrees,
            clear=agrees is not None and self.clear(step),
            disturbed=disturbed,
            settled=settled,
            late=settled and self.late(step),
        )

    def verified_bits(self) -> float:
        numbers = {reading.step for reading in self.readings() if reading.agrees and not reading.late}
        return sum(step.bits for step in self.steps if step.number in numbers)

    def light(self) -> Light:
        return self.measured_light(len(self.steps))

    def shape_shows(self) -> bool:
        return self.shapes

    def right(self) -> bool:
        return self.lights_a_face

    def doubtful(self) -> bool:
        return self.in_doubt(len(self.steps))

    def lag(self) -> float | None:
        return 0.1 if self.verified_bits() else None


@dataclass
class FlashDevice:
    """Plays a scan: frames at a rate, a network with a delay, a screen with a delay.

    Attributes:
        rate: Frames a second.
        trip: Seconds from device to server, and back.
        display: Seconds until a colour is on the screen.
        queued: Seconds for which a drawn step waits at the server until it is sent.
        guidance: The guidance on the face at a device time.
        blinked: Whether the person has blinked by a device time.
        depth: Log odds of depth by a device time.
        captured: Whether the scan has the frames that it needs by a device time.
        clock_offset: Device clock less server clock, seconds.
        claim: From the true (step, since) to the claim.
    """

    challenge: FlashChallenge
    rate: float = 15.0
    trip: float = 0.025
    display: float = 0.06
    queued: float = 0.0
    guidance: Callable[[float], HintCode] = lambda _: HintCode.GOOD
    blinked: Callable[[float], bool] = lambda _: False
    depth: Callable[[float], float | None] = lambda _: None
    captured: Callable[[float], bool] = lambda _: True
    clock_offset: float = 1000.0
    claim: Callable[[int, float], tuple[int, float | None]] = lambda step, since: (step, since)
    actions: list[tuple[float, Action]] = field(default_factory=list)
    samples: list[FlashSample] = field(default_factory=list)
    arrivals_before: dict[int, list[FlashSample]] = field(default_factory=dict)

    @property
    def reveals(self) -> list[tuple[float, ColourStep]]:
        return [(at, action.step) for at, action in self.actions if isinstance(action, Reveal)]

    def run(self, *, longest: float = 120.0) -> Complete | FallBack:
        """Play until the challenge ends, and return its end."""
        shown, since, paused = 0, 0.0, False
        # The server's messages: (arrives at, step or None, pause or None), in order.
        sent: list[tuple[float, Action]] = []
        time, index = 0.0, 0
        while time < longest:
            captured = time - self.trip
            while sent and sent[0][0] <= captured:
                at, action = sent.pop(0)
                if isinstance(action, Reveal):
                    shown, since = action.step.number, at
                else:
                    paused = isinstance(action, Pause)
            if not paused:
                step, claimed = self.claim(shown, since + self.clock_offset) if shown else (0, None)
                code = self.guidance(captured)
                frame = sample(
                    index,
                    capture_time=captured + self.clock_offset,
                    arrival_time=time,
                    step=step,
                    step_since=claimed,
                    face=code is not HintCode.NO_FACE,
                )
                index += 1
                self.samples.append(frame)
                self.challenge.add_flash_frame(
                    frame,
                    code,
                    blinked=self.blinked(captured),
                    depth=self.depth(captured),
                    captured=self.captured(captured),
                )
            end = self._ask(time, sent)
            if end is not None:
                return end
            time += 1 / self.rate
        raise AssertionError("the challenge never ends")

    def _ask(self, time: float, sent: list[tuple[float, Action]]) -> Complete | FallBack | None:
        for _ in range(20):
            action = self.challenge.next_action(now=time)
            self.actions.append((time, action))
            match action:
                case Wait(until):
                    assert until > time
                    return None
                case Complete() | FallBack():
                    return action
                case Reveal(step):
                    self.arrivals_before[step.number] = list(self.samples)
                    if self.queued:
                        self.challenge.note_sent(time + self.queued)
                    sent.append((time + self.queued + self.trip + self.display, action))
                case Pause() | Resume():
                    sent.append((time + self.trip, action))
                case _:
                    pass
        raise AssertionError("the challenge has too much to say")


# A flash challenge for tests, and the invariants of every one.

DEPTH_LINE = 3.0


def flash_challenge(
    meter: ScriptedMeter | None = None, policy: DynamicPolicy | None = None, seed: int = 0
) -> FlashChallenge:
    return FlashChallenge(
        script=ColourScript(seeded(seed)),
        meter=meter or ScriptedMeter(),
        policy=policy or DynamicPolicy(),
        depth_line=DEPTH_LINE,
    )


def hints_given(device: FlashDevice) -> list[HintCode]:
    return [action.code for _, action in device.actions if isinstance(action, Hint)]


def assert_never_early(device: FlashDevice) -> None:
    """Assert by the frames that each reveal follows frames captured a whole hold after the appearance."""
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


def assert_safe(reveals: list[tuple[float, ColourStep]]) -> None:
    times = [at for at, _ in reveals]
    for began in times:
        assert sum(began <= at < began + 1 for at in times) <= 3
    assert all(later - earlier >= SHORTEST_HOLD_SECONDS - 1e-9 for earlier, later in pairwise(times))

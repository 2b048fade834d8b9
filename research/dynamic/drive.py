"""One flash scan in virtual time: a simulated phone, a network, and the server's own work on the frames."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.challenge import (
    ColourScript,
    ColourStep,
    Complete,
    DisplayClaim,
    FallBack,
    FlashChallenge,
    Hint,
    HintCode,
    Pause,
    Resume,
    Reveal,
    RevealedStep,
    Wait,
)
from liveness.dynamic.measurement import sample_frame
from liveness.dynamic.meter import FlashMeter
from liveness.dynamic.model import FlashModel
from liveness.dynamic.policy import DynamicPolicy
from liveness.dynamic.sample import ExposureReading, FlashSample
from liveness.guidance import GuidanceCode, GuidanceSettings, GuidanceState, Oval, guide
from liveness.observation import GreyView, ScanObservations
from liveness.watch import FrameWatcher
from simulator import (
    AppGuide,
    FlashScanSettings,
    Photo,
    ScreenLight,
    SimulatedFrame,
    simulate_flash_scan,
)
from vision.face import BgrImage
from vision.packs import Pack

__all__ = ["Link", "ScanTrace", "drive_scan"]

_CLOCKS_APART: Final = 5000.0
"""The server's clock at the device's 0, seconds: nothing may rest on both being the same."""
_MOST_ACTIONS: Final = 8
_LEAST_WAIT: Final = 0.02
_QUALITY: Final = 88
"""Of the JPEGs that are sent."""
_MOVES: Final = {GuidanceCode.MOVE_CLOSER: 1.12, GuidanceCode.MOVE_BACK: 1 / 1.12}
"""How much wider the face is to be in the frame after a person was told."""
_MOVE_AGAIN: Final = 1.5
"""Seconds before a person moves again."""
_NARROWEST, _USUAL_WIDTH, _WIDEST = 0.4, 0.52, 0.7
_WELL_PLACED: Final = frozenset(
    {GuidanceCode.OK, GuidanceCode.EYES_CLOSED, GuidanceCode.LOOK_STRAIGHT, GuidanceCode.HOLD_STILL}
)


@dataclass(frozen=True, slots=True)
class Link:
    """Between phone and server.

    Attributes:
        round_trip: Seconds there and back.
        jitter: Standard deviation of a frame's way, seconds.
        processing: What the server needs for a frame before it answers, seconds.
    """

    round_trip: float = 0.05
    jitter: float = 0.004
    processing: float = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class ScanTrace:
    """What a scan leaves for the judge, and how it went.

    Attributes:
        samples: The light of the frames that count.
        frames: How many frames were sent.
        faces: How many of those that were looked at, up to the closing step, showed a face.
        revealed: Every step, and when it was sent.
        observations: What Express needs.
        hints: What the person was told, each once, in order.
        end: Why it ended: an ``EndReason``, ``FALL_BACK`` or ``UNFINISHED``.
        seconds: From the first well-placed frame to the end; ``None`` if there never was one.
        pauses: How often the capture paused.
        guidance: What the guidance said of most frames.
    """

    samples: tuple[FlashSample, ...]
    frames: int
    faces: int
    revealed: tuple[RevealedStep, ...]
    observations: ScanObservations
    hints: tuple[str, ...]
    end: str
    seconds: float | None
    pauses: int
    guidance: str


def drive_scan(
    photo: Photo,
    settings: FlashScanSettings,
    *,
    pack: Pack,
    policy: DynamicPolicy,
    model: FlashModel,
    link: Link,
    rng: np.random.Generator,
    claimed_late: float = 0.0,
    watch: Callable[[ScanTrace], None] | None = None,
) -> ScanTrace:
    """Run one scan to its end.

    Args:
        photo: The person or the victim.
        settings: What is rendered.
        pack: Its detector and landmarker look at the frames, as in a server.
        policy: Limits of the challenge.
        model: Lines of the flash.
        link: Network and server.
        rng: Draws the colours and the network's jitter.
        claimed_late: By how much later than true the device claims that colours appeared, seconds.
        watch: Is shown what the scan would leave if it were over, after every frame.
    """
    light, guide = ScreenLight(settings.phone, seed=settings.seed), AppGuide(seed=settings.seed)
    phone = _Phone(
        light=light,
        frames=simulate_flash_scan(photo, settings, light, guide),
        one_way=link.round_trip / 2,
        person=guide,
        face_width=settings.face_width or _USUAL_WIDTH,
        claimed_late=claimed_late,
    )
    server = _Server(
        FlashChallenge(
            script=ColourScript(rng.bytes),
            meter=FlashMeter(model),
            policy=policy,
            depth_line=model.judge.depth_odds,
        ),
        watcher=FrameWatcher(
            find_faces=pack.detector.detect,
            locate_landmarks=None if pack.landmarker is None else pack.landmarker.locate,
        ),
        phone=phone,
    )
    free, interval = 0.0, 1.0 / settings.frames_per_second
    for frame in phone.frames:
        time = frame.capture_time
        arrival = _CLOCKS_APART + time + link.round_trip / 2 + abs(float(rng.normal(0.0, link.jitter)))
        if phone.sends(time):
            server.take(frame, arrival=arrival)
        free = max(free, arrival) + link.processing
        server.act(free, until=free + interval)
        if server.ended is not None:
            break
        if watch is not None:
            watch(server.trace())
    return server.trace()


@dataclass(slots=True)
class _Phone:
    """The device: shows what it is told, half a round trip later, and says so, truly or ``claimed_late``.

    Who holds it comes closer or goes back when told so, as far as the hand that simulates it reaches, and
    blinks when asked to.
    """

    light: ScreenLight
    frames: Iterator[SimulatedFrame]
    one_way: float
    person: AppGuide
    face_width: float
    claimed_late: float
    moved_at: float = -math.inf
    numbers: list[int] = field(default_factory=list)
    paused_from: float | None = None
    paused_until: float | None = None

    def show(self, step: ColourStep, now: float) -> None:
        colour = step.colour.red, step.colour.green, step.colour.blue
        self.light.show(colour, at=self._heard(now), scroll_seconds=step.transition_seconds)
        self.numbers.append(step.number)

    def guide(self, code: GuidanceCode | None, now: float) -> None:
        """Tell the person where to go."""
        change = _MOVES.get(code) if code is not None else None
        if change is not None and now >= self.moved_at + _MOVE_AGAIN:
            self.moved_at = now
            self.face_width = min(_WIDEST, max(_NARROWEST, self.face_width * change))
            self.person.ask(self.face_width, at=self._heard(now))

    def hint(self, code: HintCode, now: float) -> None:
        """Tell the person what the challenge asks for."""
        match code:
            case HintCode.BLINK:
                self.person.blink(at=self._heard(now))
            case HintCode.TURN_HEAD_SLIGHTLY:
                self.person.turn(at=self._heard(now))
            case _:
                pass

    def pause(self, now: float) -> None:
        self.paused_from, self.paused_until = self._heard(now), None

    def resume(self, now: float) -> None:
        self.paused_until = self._heard(now)

    def sends(self, time: float) -> bool:
        """Whether a frame captured at ``time`` is sent."""
        if self.paused_from is None or time < self.paused_from:
            return True
        return self.paused_until is not None and time >= self.paused_until

    def claims(self, time: float) -> tuple[int, float | None]:
        """The step that it claims to be on display, and since when."""
        shown, since = self.light.appeared(time - self.claimed_late)
        return (self.numbers[shown - 1], since + self.claimed_late) if shown else (0, None)

    def _heard(self, now: float) -> float:
        return now - _CLOCKS_APART + self.one_way


class _Server:
    """What the server does with frames, without its wire."""

    def __init__(self, challenge: FlashChallenge, *, watcher: FrameWatcher, phone: _Phone) -> None:
        self._challenge = challenge
        self._watcher = watcher
        self._phone = phone
        self._frames = self._faces = 0
        self._guidance = GuidanceState()
        self._hints: dict[str, None] = {}
        self._told = Counter[str]()
        self._pauses = 0
        self._placed: float | None = None
        self._ended_at: float | None = None
        self.ended: str | None = None

    def take(self, frame: SimulatedFrame, *, arrival: float) -> None:
        index, pixels = self._frames, _as_sent(frame.pixels)
        self._frames += 1
        step, since = self._phone.claims(frame.capture_time)
        if self._challenge.settled:
            # As in the server, which judges meanwhile.
            self._challenge.see(DisplayClaim(step, since, frame.capture_time, arrival))
            return
        watched = self._watcher.watch(
            _Decoded(pixels),
            index=index,
            capture_time=frame.capture_time,
            expects_blink=self._challenge.awaits_blink,
            expects_depth=self._challenge.depth_due,
        )
        seen = watched.observation
        guidance = guide(seen, oval=Oval(), settings=GuidanceSettings(), state=self._guidance)
        self._guidance = guidance.state
        self._told[guidance.frame_code.value] += 1
        if self._placed is None and guidance.frame_code in _WELL_PLACED:
            self._placed = arrival
        said = frame.exposure
        sample = sample_frame(
            pixels,
            index=index,
            capture_time=frame.capture_time,
            arrival_time=arrival,
            face=seen.face if seen.faces == 1 else None,
            followed=seen.followed,
            step=step,
            step_since=since,
            exposure=None
            if said is None
            else ExposureReading(
                exposure_seconds=said.exposure_seconds,
                iso=said.iso,
                white_balance_kelvin=said.white_balance_kelvin,
                shutter_skew_seconds=said.rolling_shutter_seconds,
                exposure_locked=said.exposure_locked,
                white_balance_locked=said.white_balance_locked,
            ),
        )
        self._faces += sample.face is not None
        self._challenge.add(sample, guidance.code, blinked=self._watcher.blinked, depth=watched.depth)
        self._phone.guide(guidance.code, arrival)

    def act(self, now: float, *, until: float) -> None:
        """Do what the challenge wants at ``now``, and at each time it asks for before ``until``."""
        due: float | None = now
        while due is not None and due < until:
            due = self._act_once(due)

    def _act_once(self, now: float) -> float | None:
        for _ in range(_MOST_ACTIONS):
            match self._challenge.next_action(now=now):
                case Reveal(step):
                    self._phone.show(step, now)
                case Hint(code):
                    self._hints[code.value] = None
                    self._phone.hint(code, now)
                case Pause(code):
                    self._hints[code.value] = None
                    self._pauses += 1
                    self._phone.pause(now)
                case Resume():
                    self._phone.resume(now)
                case Complete(reason):
                    self.ended, self._ended_at = reason.value, now
                    return None
                case FallBack(code):
                    self._hints[code.value] = None
                    self.ended, self._ended_at = "FALL_BACK", now
                    return None
                case Wait(until):
                    return max(until, now + _LEAST_WAIT)
        return now + _LEAST_WAIT

    def trace(self) -> ScanTrace:
        took = None
        if self._ended_at is not None and self._placed is not None:
            took = self._ended_at - self._placed
        return ScanTrace(
            samples=self._challenge.samples,
            frames=self._frames,
            faces=self._faces,
            revealed=self._challenge.revealed,
            observations=self._watcher.observations,
            hints=tuple(self._hints),
            end=self.ended or "UNFINISHED",
            seconds=took,
            pauses=self._pauses,
            guidance=max(self._told, key=lambda code: self._told[code], default=""),
        )


class _Decoded:
    """A picture that is decoded already."""

    def __init__(self, image: BgrImage) -> None:
        self._image = image

    def grey(self) -> GreyView:
        return np.asarray(cv2.cvtColor(self._image, cv2.COLOR_BGR2GRAY), np.uint8)

    def colour(self) -> BgrImage:
        return self._image


def _as_sent(image: BgrImage) -> NDArray[np.uint8]:
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)

"""One scan through the server's path of a frame, in virtual time and one step after another."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from liveness.dynamic.actions import HintCode
from liveness.dynamic.challenge import FlashChallenge
from liveness.dynamic.meter import FlashMeter
from liveness.dynamic.model import FlashModel, load_flash_model
from liveness.dynamic.movement import MovementChallenge
from liveness.dynamic.ovals import OvalScript
from liveness.dynamic.policy import DynamicPolicy
from liveness.dynamic.script import ColourScript
from liveness.extent import face_extent
from liveness.fusion_model_file import load_fusion_model
from liveness.guidance import GuidanceCode, GuidanceSettings, Oval
from liveness.policy import LivenessPolicy
from matcher.comparison import MatchPolicy
from research.dynamic.phone import CLOCKS_APART, SimulatedPhone
from server.scan.analyst import FrameAnalyst
from server.scan.capture import AttemptCapture, CapturePlan
from server.scan.flash_run import FlashRun
from server.scan.judgement import ChallengeEvidence, judge_attempt
from server.scan.messages import (
    CaptureBudget,
    ExposureClaim,
    FeedbackMessage,
    FlashStepMessage,
    FrameMessage,
    OvalChangeMessage,
    PauseMessage,
)
from server.scan.movement_run import MovementRun
from server.scan.worker_pool import WorkerPool
from tests.attempt.equality.rows import line
from tests.attempt.equality.scans import ONE_WAY, Coded, Recorded, Told
from vision.face import Embedding
from vision.packs import Pack

__all__ = ["Driver"]

_PROCESSING: Final = 0.02
_COUNTED: Final = 8
_AUDIT: Final = 4
_LIMITS: Final = DynamicPolicy(minimum_bits=12.0, blink=True, depth=True)


class _Done:
    """Work that was done at once."""

    done = True

    def __init__(self, outcome: Any) -> None:
        self._outcome = outcome

    async def result(self) -> Any:
        return self._outcome


class _NoPool(WorkerPool):
    """Does everything at once, so that every run is the same."""

    def __init__(self) -> None:
        super().__init__(workers=1)

    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    run_first = run

    def run_later(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return _Done(function(*args, **kwargs))


@dataclass(slots=True)
class _Attempt:
    capture: AttemptCapture
    challenge: FlashRun | MovementRun | None


class Driver:
    """Drives scans. One after another."""

    def __init__(self, pack: Pack) -> None:
        """Takes the models that look at the frames."""
        self._pack = pack
        self._analyst = FrameAnalyst(pack=pack, budget=CaptureBudget())
        self._fusion = load_fusion_model()
        self._flash: FlashModel = load_flash_model()
        self._pool = _NoPool()

    def drive(self, scan: Recorded) -> Iterator[str]:
        """The lines of one scan: of every frame, and of what they amount to."""
        yield from asyncio.run(self._drive(scan))

    async def _drive(self, scan: Recorded) -> list[str]:
        portrait = self._portrait(scan)
        attempt = self._attempt(scan)
        capture, challenge, phone = attempt.capture, attempt.challenge, scan.phone
        lines: list[str] = []
        free, last, index = 0.0, 0.0, 0
        for coded in scan.frames:
            arrival = CLOCKS_APART + coded.time + ONE_WAY
            frame = _message(coded, index, phone)
            feedback = None
            await capture.examine_ahead()
            if capture.settled:
                capture.glance(frame, arrival=arrival)
            else:
                feedback = await capture.take(frame, arrival=arrival)
            free = max(free, arrival) + _PROCESSING
            said: list[Any] = []
            if challenge is not None and index + 1 >= _COUNTED:
                said = await self._act(attempt, phone, free, until=free + coded.time - last, index=index)
            if phone is not None:
                _heard(phone, scan, capture, feedback, arrival)
            last, index = coded.time, index + 1
            lines.append(
                line(
                    scan.name,
                    f"frame {frame.index}",
                    {
                        "feedback": feedback,
                        "said": said,
                        "progress": capture.progress,
                        "settled": capture.settled,
                        "complete": capture.complete,
                    },
                )
            )
            if capture.complete:
                break
        return [*lines, *await self._ended(scan, attempt, portrait)]

    async def _act(
        self, attempt: _Attempt, phone: SimulatedPhone | None, now: float, *, until: float, index: int
    ) -> list[Any]:
        """What the challenge says at ``now``, and at each time that it asks for before ``until``."""
        challenge, said = attempt.challenge, list[Any]()
        due: float | None = now
        while challenge is not None and due is not None and due < until and not attempt.capture.complete:
            for message in await challenge.messages(due, frame_index=index):
                said.append((due, message))
                match message:
                    case OvalChangeMessage(oval=oval, transition_seconds=seconds):
                        attempt.capture.move_oval(oval)
                        if phone is not None:
                            phone.person.fill(
                                oval.width,
                                centre=(oval.centre_x, oval.centre_y),
                                at=due - CLOCKS_APART + 2 * ONE_WAY,
                                seconds=seconds,
                            )
                    case FlashStepMessage(step) if phone is not None:
                        phone.show(step, due)
                    case FeedbackMessage(code=code) if phone is not None:
                        phone.hint(HintCode(code), due)
                    case PauseMessage(paused=True) if phone is not None:
                        phone.pause(due)
                    case PauseMessage() if phone is not None:
                        phone.resume(due)
            due = challenge.due(due)
        return said

    async def _ended(self, scan: Recorded, attempt: _Attempt, portrait: Embedding) -> list[str]:
        capture, challenge = attempt.capture, attempt.challenge
        await capture.verify_sample()
        await capture.examine_rest()
        evidence = None
        if challenge is not None:
            evidence = ChallengeEvidence(
                limits=_LIMITS,
                flash=challenge.evidence if isinstance(challenge, FlashRun) else None,
                movement=challenge.record if isinstance(challenge, MovementRun) else None,
                model=self._flash,
            )
        judgement = judge_attempt(
            scan=capture.observations,
            examined=capture.examined,
            witnesses=capture.witnesses,
            portrait=portrait,
            calibration=self._pack.match_calibration,
            liveness_policy=LivenessPolicy(),
            match_policy=MatchPolicy(max_fmr=1e-2),
            fusion=self._fusion,
            hints=capture.hints,
            too_slow=False,
            challenge=evidence,
            complete=capture.complete,
        )
        seen = capture.observations
        best = capture.best
        lines = [line(scan.name, f"measured {one.index}", {"observation": one}) for one in seen.frames]
        lines += [line(scan.name, f"passed {one.index}", {"passed": one}) for one in seen.passed]
        lines += [
            line(scan.name, f"segment {at}", {"segment": segment}) for at, segment in enumerate(seen.motion)
        ]
        lines += [line(scan.name, f"examined {one.frame_index}", {"said": one}) for one in capture.examined]
        lines += [line(scan.name, f"witness {one.frame_index}", {"said": one}) for one in capture.witnesses]
        if isinstance(challenge, FlashRun):
            flash = challenge.evidence
            lines += [line(scan.name, f"step {one.step.number}", {"step": one}) for one in flash.steps]
            lines += [line(scan.name, f"light {at}", {"sample": one}) for at, one in enumerate(flash.samples)]
        lines.append(
            line(
                scan.name,
                "judgement",
                {
                    "hints": capture.hints,
                    "decoded": capture.frames_examined,
                    "rate": capture.measured_per_second(paused_seconds=0.0),
                    "best": None if best is None else best.observation.index,
                    "audit": [one.observation.index for one in capture.audit(_AUDIT)],
                    "judgement": judgement,
                },
            )
        )
        return lines

    def _attempt(self, scan: Recorded) -> _Attempt:
        drawn = np.random.default_rng(scan.seed)
        challenge: FlashRun | MovementRun | None = None
        if scan.told is Told.FLASH:
            challenge = FlashRun(
                FlashChallenge(
                    script=ColourScript(drawn.bytes),
                    meter=FlashMeter(self._flash),
                    policy=_LIMITS,
                    depth_line=self._flash.judge.depth_odds,
                ),
                analyst=self._analyst,
                pool=self._pool,
                first_step=1,
            )
        elif scan.told is Told.MOVEMENT:
            movement = MovementChallenge(OvalScript(drawn.bytes, rest=Oval()))
            challenge = MovementRun(movement, analyst=self._analyst, pool=self._pool)
        plan = CapturePlan()
        capture = AttemptCapture(
            analyst=self._analyst,
            pool=self._pool,
            plan=plan if challenge is None else plan.beside(challenge),
            budget=CaptureBudget(),
            oval=Oval(),
            guidance=GuidanceSettings(),
            random=np.random.default_rng(scan.seed + 1).bytes,
            challenge=challenge,
        )
        return _Attempt(capture, challenge)

    def _portrait(self, scan: Recorded) -> Embedding:
        faces = self._pack.detector.detect(scan.portrait)
        if not faces:
            return Embedding(np.eye(1, 256, dtype=np.float32)[0])
        return self._pack.embedder.embed(scan.portrait, faces[0])


def _heard(
    phone: SimulatedPhone,
    scan: Recorded,
    capture: AttemptCapture,
    feedback: FeedbackMessage | None,
    arrival: float,
) -> None:
    """What the person in front of the phone makes of what it shows."""
    if scan.told is Told.MOVEMENT:
        latest = capture.observations.frames[-1]
        if latest.face is not None:
            seen = face_extent(latest.face)
            centre = seen.x / latest.width, seen.y / latest.height
            phone.person.notice(seen.width / latest.width, centre=centre, at=latest.capture_time)
        return
    code = None if feedback is None else feedback.code
    phone.guide(GuidanceCode(code) if code in ("MOVE_CLOSER", "MOVE_BACK") else None, arrival)


def _message(coded: Coded, index: int, phone: SimulatedPhone | None) -> FrameMessage:
    step, since = (0, None) if phone is None else phone.claims(coded.time)
    said = coded.exposure
    return FrameMessage(
        header=b"",
        image=coded.jpeg,
        mac=b"",
        attempt=1,
        index=index,
        capture_time_us=1_000_000 + round(1e6 * coded.time),
        rotation_degrees=coded.rotation_degrees,
        mirrored=False,
        dropped_before=0,
        width=coded.width,
        height=coded.height,
        flash_step=step,
        flash_step_since_us=0 if since is None else 1_000_000 + round(1e6 * since),
        exposure=None
        if said is None
        else ExposureClaim(
            exposure_time_ns=round(1e9 * said.exposure_seconds),
            iso=said.iso,
            white_balance_kelvin=said.white_balance_kelvin,
            rolling_shutter_skew_ns=round(1e9 * said.rolling_shutter_seconds),
            exposure_locked=said.exposure_locked,
            white_balance_locked=said.white_balance_locked,
        ),
    )

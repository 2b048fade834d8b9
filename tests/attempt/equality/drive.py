"""Drives one scan through an attempt, in virtual time and sequentially."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import numpy as np

from attempt.analyst import FrameAnalyst
from attempt.capture import AttemptCapture
from attempt.challenge import Action, Feedback, PauseCapture
from attempt.flash_run import FlashRun
from attempt.frame import Frame, FrameLimits
from attempt.judgement import evidence_of, judge_attempt
from attempt.movement_run import MovementRun
from attempt.placement import CapturePlan
from liveness.dynamic.challenge import MoveOval, Reveal
from liveness.dynamic.challenge.actions import HintCode
from liveness.dynamic.model import FlashModel, load_flash_model
from liveness.dynamic.policy import DynamicPolicy
from liveness.extent import face_extent
from liveness.fusion_model import load_fusion_model
from liveness.guidance import GuidanceCode, GuidanceSettings, Oval
from liveness.policy import LivenessPolicy
from matcher.comparison import MatchPolicy
from matcher.persons import SCAN_SUBJECT
from research.dynamic.drive import CLOCKS_APART, VirtualPhone
from research.dynamic.virtual_time import Turn, sent_frame, turns
from tests.attempt.equality.rows import line
from tests.attempt.equality.scans import ONE_WAY, Asked, Coded, Recorded
from vision.packs import Pack, Template

__all__ = ["Driver"]

_PROCESSING: Final = 0.02
_AUDIT: Final = 4
_LIMITS: Final = DynamicPolicy(minimum_bits=12.0, blink=True, depth=True)


class Driver:
    """Drives scans sequentially."""

    def __init__(self, pack: Pack) -> None:
        """Takes the models for the frames."""
        self._pack = pack
        self._analyst = FrameAnalyst(pack=pack, limits=FrameLimits())
        self._fusion = load_fusion_model()
        self._flash: FlashModel = load_flash_model()

    def drive(self, scan: Recorded) -> Iterator[str]:
        """The lines of one scan: one for each frame, then the judgement."""
        portrait, capture = self._portrait(scan), self._capture(scan)
        hear = partial(_show, scan)
        for turn in turns(capture, _arriving(scan), processing=_PROCESSING, hear=hear):
            _tell(scan, capture, turn)
            yield line(
                scan.name,
                f"frame {turn.frame.index if turn.frame else None}",
                {
                    "feedback": turn.feedback,
                    "said": turn.actions,
                    "progress": capture.progress,
                    "settled": capture.settled,
                    "complete": capture.complete,
                },
            )
        yield from self._ended(scan, capture, portrait)

    def _ended(self, scan: Recorded, capture: AttemptCapture, portrait: Template) -> Iterator[str]:
        capture.verify_sample()
        capture.examine_rest()
        challenge = capture.challenge
        judgement = judge_attempt(
            scan=capture.observations,
            examined=capture.examined,
            witnesses=capture.witnesses,
            pad_scores=capture.pad_scores,
            portrait=portrait,
            calibration=self._pack.match_calibration,
            liveness_policy=LivenessPolicy(),
            match_policy=MatchPolicy(max_fmr=1e-2),
            fusion=self._fusion,
            hints=capture.hints,
            too_slow=None,
            challenge=evidence_of(challenge, limits=_LIMITS, model=self._flash),
            complete=capture.complete,
        )
        seen = capture.observations
        parts: list[tuple[str, str, Any]] = [
            *((f"measured {one.index}", "observation", one) for one in seen.frames),
            *((f"passed {one.index}", "passed", one) for one in seen.passed),
            *((f"segment {at}", "segment", segment) for at, segment in enumerate(seen.motion)),
            *((f"examined {one.frame_index}", "said", one) for one in capture.examined),
            *((f"witness {one.frame_index}", "said", one) for one in capture.witnesses),
            *((f"scored {one.frame_index} {one.network}", "score", one) for one in capture.pad_scores),
        ]
        if isinstance(challenge, FlashRun):
            flash = challenge.evidence
            parts += [(f"step {one.step.number}", "step", one) for one in flash.steps]
            parts += [(f"light {at}", "sample", one) for at, one in enumerate(flash.samples)]
        yield from (line(scan.name, what, {name: value}) for what, name, value in parts)
        best = capture.best
        yield line(
            scan.name,
            "judgement",
            {
                "hints": capture.hints,
                "decoded": capture.frames_examined,
                "rate": capture.measured_per_second(paused_seconds=0.0),
                "best": None if best is None else best.observation.index,
                "audit": [one.observation.index for one in capture.audit_frames(_AUDIT)],
                "judgement": judgement,
            },
        )

    def _capture(self, scan: Recorded) -> AttemptCapture:
        drawn = np.random.default_rng(scan.seed).bytes
        challenge: FlashRun | MovementRun | None = None
        if scan.asked is Asked.FLASH:
            challenge = FlashRun.drawn(drawn, model=self._flash, limits=_LIMITS)
        elif scan.asked is Asked.MOVEMENT:
            challenge = MovementRun.drawn(drawn, rest=Oval(), analyst=self._analyst, model=self._flash)
        return AttemptCapture(
            analyst=self._analyst,
            plan=CapturePlan(),
            oval=Oval(),
            guidance=GuidanceSettings(),
            random=np.random.default_rng(scan.seed + 1).bytes,
            subject=SCAN_SUBJECT,
            challenge=challenge,
        )

    def _portrait(self, scan: Recorded) -> Template:
        faces = self._pack.detector.detect(scan.portrait)
        if not faces:
            return Template(np.eye(1, 256, dtype=np.float32)[0], self._pack.template_form.id)
        return self._pack.template(scan.portrait, faces[0])


def _arriving(scan: Recorded) -> Iterator[tuple[Frame, float]]:
    for index, coded in enumerate(scan.frames):
        yield _frame(coded, index, scan.phone), CLOCKS_APART + coded.time + ONE_WAY


def _show(scan: Recorded, action: Action, now: float) -> None:
    """Makes the phone show the attempt's actions."""
    phone = scan.phone
    if phone is None:
        return
    match action:
        case MoveOval(oval=oval, transition_seconds=seconds):
            phone.person.fill(oval, at=now - CLOCKS_APART + 2 * ONE_WAY, seconds=seconds)
        case Reveal(step):
            phone.show(step, now)
        case Feedback(code=code):
            phone.hint(HintCode(code), now)
        case PauseCapture(paused=True):
            phone.pause(now)
        case PauseCapture():
            phone.resume(now)


def _tell(scan: Recorded, capture: AttemptCapture, turn: Turn) -> None:
    """Shows the person in front of the phone the preview and the hints."""
    phone = scan.phone
    if phone is None:
        return
    if scan.asked is Asked.MOVEMENT:
        latest = capture.observations.frames[-1]
        if latest.face is not None:
            phone.person.show_position(
                face_extent(latest.face), frame=(latest.width, latest.height), at=latest.capture_time
            )
        return
    code = None if turn.feedback is None else turn.feedback.code
    phone.guide(GuidanceCode(code) if code in ("MOVE_CLOSER", "MOVE_BACK") else None, turn.arrival)


def _frame(coded: Coded, index: int, phone: VirtualPhone | None) -> Frame:
    step, since = (0, None) if phone is None else phone.claims(coded.time)
    return sent_frame(
        coded.jpeg,
        index,
        time=coded.time,
        width=coded.width,
        height=coded.height,
        rotation_degrees=coded.rotation_degrees,
        exposure=coded.exposure,
        step=step,
        step_since=since,
    )

"""The capture of one attempt: its frames, the hints to the person, and when it is complete."""

import math
from collections.abc import Callable
from functools import partial
from typing import Final

from attempt.analyst import ExaminedFrame, FrameAnalyst, SeenFrame
from attempt.challenge import Action, AttemptChallenge, ChallengeFrame, Feedback
from attempt.frame import Frame
from attempt.judgement import AttemptEvidence
from attempt.last_requests import REPLACED_BY_REQUEST, LastRequests, draw_gestures
from attempt.placement import (
    WRONG_ROTATION,
    CapturePlan,
    FeedbackPacing,
    Placement,
    feedback_code,
)
from attempt.selection import Examination, FrameExaminer, FrameReservoir, Identification, KeptFrames
from liveness import GestureRequest, GuidanceSettings, HintCode, Oval, ScanObservations
from liveness.dynamic.challenge import MoveOval, Reveal
from liveness.express import PadScore
from liveness.watch import FOLLOW_SECONDS, FrameWork
from matcher import SubjectRule
from vision.face import BgrImage
from vision.image import GreyImage


class RoundTrip:
    """Measures how long the network takes for a message to the device and the frame that answers it.

    Only frames that the device could not send before it received a message count: the first one of an
    attempt, which contains the nonce of AttemptStart in its MAC; the first one after credit for a device that
    had none left; and the first one that names a new step of the flash. Each such exchange takes at least the
    round trip, and also the time to the next frame and its transfer. Therefore the shortest exchange is used.

    The capture times of the frames have no influence. A device that answers late makes the round trip seem
    longer, as a slow network does; ``FreshnessSettings.round_trip`` of the flash model limits how much of it
    counts.
    """

    def __init__(self) -> None:
        self._shortest: float | None = None
        self._asked: float | None = None
        self._waiting_since: float | None = None
        self.waited: tuple[float, float] | None = None
        """When the latest frame waited for the server's credit, from and until; ``None`` if it did not.

        Both are seconds on the server's monotonic clock: the arrival of the frame that used the last credit,
        and the sending of more.
        """
        self._step = 0
        self._step_at: float | None = None

    @property
    def seconds(self) -> float:
        """The shortest exchange so far, seconds; 0 before the first one."""
        return 0.0 if self._shortest is None else self._shortest

    def note_request(self, now: float, *, waiting_since: float | None = None) -> None:
        """Note a message without which the device cannot send another frame.

        Args:
            now: When the message is sent, seconds on the server's monotonic clock.
            waiting_since: Since when the device had no credit, on the same clock; ``None`` at the start.
        """
        if self._asked is None:
            self._asked, self._waiting_since = now, waiting_since

    def note_step(self, step: int, now: float) -> None:
        """Note that a step of the flash, which no earlier frame can name, is sent at ``now``."""
        self._step, self._step_at = step, now

    def note_frame(self, at: float, *, step: int) -> None:
        """Note the next frame, in order of arrival.

        Args:
            at: When it arrived, seconds on the server's monotonic clock.
            step: The step that it names; 0 for none.
        """
        # A frame that had arrived when the message was sent, and waited to be processed, is no answer to it.
        self.waited = None
        if self._asked is not None and at > self._asked:
            self._exchanged(at - self._asked)
            if self._waiting_since is not None:
                self.waited = (self._waiting_since, self._asked)
            self._asked = None
        if self._step_at is not None and step == self._step and at > self._step_at:
            self._exchanged(at - self._step_at)
            self._step_at = None

    def _exchanged(self, seconds: float) -> None:
        self._shortest = seconds if self._shortest is None else min(self._shortest, seconds)


CodedPicture = Callable[[Frame, GreyImage | BgrImage], None]
"""Receives a decoded frame and its pixels, before they are rotated, mirrored or scaled."""

_FIRST_EXAMINED_SHARE: Final = 0.3
"""The share of the wanted frames from which on selected ones are examined, in step with arriving frames. Some
of them are replaced later, but the server is idle at that time. If examination began later, a busy server
would do all of it at the end."""

_DETECTIONS_PER_SELECTED: Final = 1.25
"""Detections per selected frame: only frames on which the detector ran can be selected, so it must run on
more frames than are wanted."""


class AttemptCapture:
    """Takes the frames of an attempt in order. Not safe for several threads at once.

    Attributes:
        challenge: The attempt's challenge; ``None`` without one.
        examiner: Keeps the templates and cues of the selected frames.
        round_trip: Measures the stream's round trip. The caller calls ``RoundTrip.note_request`` when it
            sends a message without which the device cannot send another frame.
    """

    def __init__(
        self,
        *,
        analyst: FrameAnalyst,
        plan: CapturePlan,
        oval: Oval,
        guidance: GuidanceSettings,
        random: Callable[[int], bytes],
        subject: SubjectRule,
        challenge: AttemptChallenge | None = None,
    ) -> None:
        """Start empty.

        Args:
            analyst: Runs the models.
            plan: When the attempt has enough frames; ``CapturePlan.with_challenge`` adapts it to a challenge.
            oval: Where the face should be.
            guidance: The thresholds of the hints.
            random: Returns the given number of unpredictable bytes, to draw the gestures and the sample of
                unmeasured frames.
            subject: Defines which faces count as persons.
            challenge: The attempt's challenge; ``None`` for EXPRESS.
        """
        plan = plan if challenge is None else plan.with_challenge(challenge)
        self.challenge = challenge
        self.round_trip = RoundTrip()
        self._analyst = analyst
        self._plan = plan
        self._watch = analyst.new_watch(
            apart_seconds=plan.apart_seconds,
            follow_seconds=min(FOLLOW_SECONDS, plan.seconds / (_DETECTIONS_PER_SELECTED * plan.selected)),
            subject=subject,
        )
        self._placement = Placement(plan=plan, oval=oval, settings=guidance)
        self._feedback = FeedbackPacing()
        self._kept = KeptFrames(count=plan.selected)
        self._requests = LastRequests(
            motion_seconds=plan.motion_seconds,
            gestures=draw_gestures(open_mouth=plan.open_mouth, turn_head=plan.turn_head, random=random),
            random=random,
        )
        self._early_share = plan.early_share
        self._pad_frames = analyst.new_pad_frames(
            seconds=plan.seconds if plan.early_share is None else plan.early_seconds
        )
        self.examiner = FrameExaminer(analyst=analyst, kept=self._kept.frames)
        self._sample = FrameReservoir(random=random)
        self._decoded: set[int] = set()
        self._origin: int | None = None
        self.progress = 0.0
        """The completed share of the capture, 0..1; it never falls."""
        self._clear = False

    @property
    def look_due(self) -> bool:
        """Whether the early look at the attempt is due: call ``note_look`` before the next frame."""
        return self._early_share is not None and self._placement.share >= self._early_share

    def note_look(self, *, clear: bool) -> None:
        """Note the result of the early look. It ends a clear attempt; otherwise nothing of it remains."""
        self._early_share, self._clear = None, clear
        if clear:
            self.progress = 1.0

    @property
    def enough(self) -> bool:
        """Whether it shows a face for as long as a whole capture, well placed or not, or was found clear."""
        faces = self.observations.usable
        seconds = faces[-1].capture_time - faces[0].capture_time if faces else 0.0
        return self._clear or seconds >= self._plan.seconds

    @property
    def complete(self) -> bool:
        """Whether the attempt has enough well-placed frames over enough time, and its challenge is over.

        One that the early look found clear has enough. If the challenge gave up, the attempt is complete,
        too, because waiting gains nothing.
        """
        return self._done(over=self.challenge is None or self.challenge.over)

    @property
    def settled(self) -> bool:
        """Whether no further frame will be judged. The challenge may still have to show its closing step."""
        return self._done(over=self.challenge is None or self.challenge.settled)

    def _done(self, *, over: bool) -> bool:
        if self._clear or (self.challenge is not None and self.challenge.gave_up):
            return True
        return over and self._placement.captured and (self._unproven or self._requests.over)

    @property
    def _unproven(self) -> bool:
        return self.challenge is not None and self.challenge.unproven

    @property
    def placed_after(self) -> float | None:
        """Capture time from the first frame to the first well-placed one, seconds; ``None`` before that."""
        return self._placement.first_good

    @property
    def gestures(self) -> tuple[GestureRequest, ...]:
        """The requests for gestures, for the judge, in order."""
        return self._requests.gestures

    @property
    def hints(self) -> tuple[str, ...]:
        """Feedback codes that state why frames could not be used: those of the challenge, then of placement.

        The codes of placement are in order of frequency. If most frames were rotated, ``WRONG_ROTATION``
        comes first, and ``NO_FACE`` is omitted, because the rotation causes it.
        """
        own = () if self.challenge is None else self.challenge.hints
        counted = self._placement.hints
        if counted[:1] == (WRONG_ROTATION,):
            others = (code for code in (*own, *counted) if code != HintCode.NO_FACE.value)
            return tuple(dict.fromkeys((WRONG_ROTATION, *others)))
        return tuple(dict.fromkeys((*own, *counted)))

    @property
    def obstacle(self) -> str | None:
        """The feedback code of placement of more than half of the measured frames; ``None`` without one."""
        return self._placement.obstacle

    @property
    def observations(self) -> ScanObservations:
        """The measurements of the attempt so far."""
        return self._watch.observations

    def measured_per_second(self, *, paused_seconds: float) -> float | None:
        """Return the frames measured per second of the device's clock; ``None`` before the second frame.

        Args:
            paused_seconds: The time in which the server had paused the capture, seconds; it is not counted.
        """
        scan = self.observations
        seconds = scan.duration - paused_seconds
        return (len(scan.frames) - 1) / seconds if seconds > 0 else None

    @property
    def frames_examined(self) -> int:
        """The number of decoded frames: measured, decoded for a few pixel samples, or drawn at random."""
        return len(self._decoded)

    @property
    def pad_scores(self) -> tuple[PadScore, ...]:
        """The scores of the PAD networks so far, for frames spread over the attempt.

        For the early look twice as many frames are scored at first. Later ones are left out again.
        """
        return self._pad_frames.spread if self._plan.early_share is not None else self._pad_frames.scores

    @property
    def examined(self) -> tuple[ExaminedFrame, ...]:
        """The frames that were examined so far, in order."""
        return self.examiner.examined

    @property
    def witnesses(self) -> tuple[ExaminedFrame, ...]:
        """Frames that were identified only for constancy; see ``identifications``."""
        return self.examiner.witnesses

    @property
    def best(self) -> SeenFrame | None:
        """The evidence frame; ``None`` before any usable frame."""
        return self._kept.best

    @property
    def evidence(self) -> AttemptEvidence:
        """What the attempt shows so far, without its challenge and what only the caller knows."""
        return AttemptEvidence(
            scan=self.observations,
            examined=self.examined,
            witnesses=self.witnesses,
            pad_scores=self.pad_scores,
            gestures=self.gestures,
            hints=self.hints,
            obstacle=self.obstacle,
            complete=self.complete,
        )

    def audit_frames(self, limit: int) -> tuple[SeenFrame, ...]:
        """Return up to ``limit`` further kept frames, spread over the attempt."""
        return self._kept.audit_frames(limit)

    def capture_frame(
        self, frame: Frame, *, arrival: float, coded: CodedPicture | None = None
    ) -> Feedback | None:
        """Take the next frame and return feedback for the person; ``None`` if there is nothing new.

        Args:
            arrival: Its arrival time, seconds on the clock that ``act`` uses.
            coded: Receives the frame's pixels, if the frame is decoded.

        Raises:
            FrameUnusable: The frame's image cannot be used.
        """
        if self._origin is None:
            self._origin = frame.capture_time_us
        self.round_trip.note_frame(arrival, step=frame.flash_step)
        time = (frame.capture_time_us - self._origin) / 1e6
        measure = None if coded is None else partial(coded, frame)
        match self._watch.next(time, attentive=self._requests.measures_gesture):
            case FrameWork.MEASURE:
                pass
            case FrameWork.SAMPLE:
                self._analyst.sample(frame, time, watcher=self._watch.watcher, measure=measure)
                self._decoded.add(frame.index)
                self._placement.count_skipped_frame()
                return None
            case FrameWork.NOTE:
                self._note(frame, time)
                return None
        challenge = None if self.challenge is None or self.challenge.settled else self.challenge
        asked = challenge is not None and (challenge.awaits_blink or challenge.awaits_depth)
        seen = self._analyst.measure_frame(
            frame,
            time,
            watcher=self._watch.watcher,
            measure=measure,
            expects_blink=challenge is not None and challenge.awaits_blink,
            expects_depth=challenge is not None and challenge.depth_due,
            expects_gesture=self._requests.measures_gesture,
            with_light=challenge is not None and challenge.measures_light,
        )
        self._decoded.add(frame.index)
        # The models know frontal faces with closed mouths.
        poses = self._requests.begun
        self._kept.keep_frame(seen, selectable=not poses)
        self._pad_frames.score_when_due(seen.observation, None if poses else seen.pixels)
        turned = self._watch.turned
        guidance = self._placement.place_frame(seen.observation, turned=turned)
        if challenge is not None:
            challenge.measure_answer(
                ChallengeFrame(
                    seen=seen,
                    capture_time=time,
                    origin_us=self._origin,
                    arrival=arrival,
                    guidance=guidance.code,
                    blinked=self._watch.watcher.blinked,
                    captured=self._placement.captured,
                    round_trip=self.round_trip.seconds,
                    waited=self.round_trip.waited,
                )
            )
        elif self.challenge is not None:
            self.challenge.note_claim(frame, origin_us=self._origin, arrival=arrival)
        if self._placement.captured and not self._unproven:
            self._requests.check_requests(
                self._watch.observations, time, arrival=arrival, settled=challenge is None
            )
        done = self._placement.share
        if self.challenge is not None:
            done = min(done, self.challenge.progress)
        self.progress = max(self.progress, done)
        if guidance.code is None:
            return None
        code = feedback_code(guidance.code, turned=turned)
        if challenge is not None and guidance.code in (REPLACED_BY_REQUEST if asked else {HintCode.GOOD}):
            # GOOD would contradict the challenge's request, and LOOK_STRAIGHT a request to turn the head.
            code = challenge.hint(arrival) or code
        else:
            code = self._requests.instead_of(guidance.code) or code
        return self._feedback.due_feedback(Feedback(code, self.progress, frame.index), time)

    def skip_frame(self, frame: Frame, *, arrival: float) -> None:
        """Give a frame to the challenge without measuring it. Use it once the attempt is ``settled``.

        Args:
            arrival: Its arrival time, as for ``capture_frame``.

        Raises:
            FrameUnusable: As for ``capture_frame``.
        """
        self._analyst.decoder.validate_header(frame)
        self._sample.draw_frame(frame)
        if self.challenge is not None and self._origin is not None:
            self.challenge.note_claim(frame, origin_us=self._origin, arrival=arrival)

    def act(self, now: float, *, frame_index: int) -> tuple[Action, ...]:
        """Return the due actions of the challenge, if there is one. A ``MoveOval`` also moves the oval here.

        Args:
            now: The time, seconds on the clock of the arrivals.
            frame_index: The frame that hints refer to.
        """
        if self.challenge is None:
            return ()
        actions = self.challenge.act(now, frame_index=frame_index)
        for action in actions:
            match action:
                case MoveOval(oval=oval):
                    self._placement.oval = oval
                case _:
                    pass
        return actions

    def note_sent(self, action: Action, *, at: float) -> None:
        """Note the time at which an action of ``act`` is sent, from which the age of its answer counts.

        Call it for every action, before the next frame. Take the time *before* the wait until the transport
        accepts the action. A device that reads slowly decides how long that wait lasts: it could receive all
        of a colour except the last byte, and compute its answer during the wait. A device that delays an
        earlier message gains nothing, because the server has not sent any byte of the colour yet.

        Args:
            at: When the action was handed to the transport, seconds on the clock that ``act`` uses.
        """
        if isinstance(action, Reveal) and self.challenge is not None:
            self.round_trip.note_step(action.step.number, at)
            self.challenge.note_sent(at)

    def _note(self, frame: Frame, time: float) -> None:
        """Take a frame that is not decoded."""
        self._analyst.decoder.validate_header(frame)
        self._sample.draw_frame(frame)
        self._watch.watcher.pass_frame(frame.index, time, fingerprint=frame.fingerprint)
        self._placement.count_skipped_frame()

    def next_examination(self) -> Examination | None:
        """Return an examination to run now, during the capture; ``None`` if all of them can wait.

        Call it between frames, so that few examinations are left for the end. The number of frames to examine
        grows with the progress of the capture. First come the frames that better ones are least likely to
        replace.
        """
        share = self._placement.share
        if share < _FIRST_EXAMINED_SHARE:
            return None
        count = math.floor(share * self._plan.selected)
        return self.examiner.next(self._kept.likeliest_to_stay[:count])

    @property
    def selected(self) -> tuple[int, ...]:
        """Indices of the selected frames, in order."""
        return self._kept.selected

    def examinations(self, *, begun: int | None = None) -> tuple[Examination, ...]:
        """Return the missing examinations of selected frames, except that of frame ``begun``."""
        return self.examiner.pending(self._kept.selected, begun=begun)

    def identifications(self) -> tuple[Identification, ...]:
        """Return the identification of one frame from each stretch of the scan without an identified frame.

        They show whether another person appeared between the selected frames. Call it after the selected
        frames were examined.
        """
        frames = self._kept.unidentified(self.observations, examined=self.examined)
        return self.examiner.identifications(frames)

    def examine_rest(self) -> None:
        """Do all missing examinations and identifications, one after another.

        Raises:
            FrameUnusable: An image does not decode.
        """
        self.examiner.keep_examined(examination() for examination in self.examinations())
        self.examiner.witnesses = tuple(identify() for identify in self.identifications())

    def verify_sample(self) -> None:
        """Decode a random sample of the frames that were not measured. Call it at the end.

        Raises:
            FrameUnusable: An image cannot be decoded, or its size differs from the frame's header.
        """
        for frame in self._sample.drawn:
            self._analyst.decoder.coded_luma(frame)
            self._decoded.add(frame.index)

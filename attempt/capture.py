"""One attempt's capture: what each frame adds, what to tell the person, and when there is enough."""

import math
from collections.abc import Callable
from functools import partial
from typing import Final

from attempt.actions import Action, Feedback, MoveOval
from attempt.analyst import ExaminedFrame, FrameAnalyst, SeenFrame
from attempt.challenge import AttemptChallenge, ChallengeFrame
from attempt.examiner import Examination, FrameExaminer, Identification
from attempt.frame import Frame
from attempt.placement import (
    FEEDBACK_CODES,
    WRONG_ROTATION,
    CapturePlan,
    Placement,
    ToldFeedback,
    feedback_code,
)
from attempt.sample import FrameSample
from attempt.selection import KeptFrames
from liveness.collect import FOLLOW_SECONDS
from liveness.guidance import GuidanceCode, GuidanceSettings, Oval
from liveness.observation import ScanObservations, SkippedFrame
from liveness.pace import FrameWork
from vision.face import BgrImage
from vision.image import GreyImage

__all__ = ["AttemptCapture", "CodedPicture"]

CodedPicture = Callable[[Frame, GreyImage | BgrImage], None]
"""Is shown a frame that was decoded, as it was coded: not turned upright, mirrored or scaled."""

_WHILE_ASKED: Final = frozenset({GuidanceCode.OK, GuidanceCode.EYES_CLOSED, GuidanceCode.LOOK_STRAIGHT})
_RIPE_SHARE: Final = 0.3
"""Of the wanted frames, from which on selected ones are examined, in step with those that come. Some are
replaced yet, but it is done when nothing else waits: a busy server that began later did it all at the end."""

_LOOKS_PER_SELECTED: Final = 1.25
"""Only frames that the detector looked at can be selected, so it looks at more than are wanted."""


class AttemptCapture:
    """Takes an attempt's frames in order. Not for several threads at once.

    Attributes:
        challenge: What is to be done beside; ``None`` without.
        examiner: Knows which frames the expensive models were asked about, and what they said.
    """

    def __init__(
        self,
        *,
        analyst: FrameAnalyst,
        plan: CapturePlan,
        oval: Oval,
        guidance: GuidanceSettings,
        random: Callable[[int], bytes],
        challenge: AttemptChallenge | None = None,
    ) -> None:
        """Starts empty.

        Args:
            analyst: Runs the models.
            plan: When there is enough; with a challenge, ``CapturePlan.beside`` it is.
            oval: Where the face should be.
            guidance: Thresholds of the hints.
            random: Gives that many unpredictable bytes, to draw the sample of frames that are not measured.
            challenge: What is to be done beside.
        """
        plan = plan if challenge is None else plan.beside(challenge)
        self.challenge = challenge
        self._analyst = analyst
        self._plan = plan
        self._watch = analyst.watch(
            apart_seconds=plan.apart_seconds,
            follow_seconds=min(FOLLOW_SECONDS, plan.seconds / (_LOOKS_PER_SELECTED * plan.selected)),
        )
        self._placement = Placement(plan=plan, oval=oval, settings=guidance)
        self._told = ToldFeedback()
        self._kept = KeptFrames(count=plan.selected)
        self.examiner = FrameExaminer(analyst=analyst, kept=self._kept.frames)
        self._sample = FrameSample(random=random)
        self._decoded: set[int] = set()
        self._origin: int | None = None
        self._progress = 0.0

    @property
    def complete(self) -> bool:
        """Whether the attempt has enough well-placed frames over enough time, and its challenge is over.

        Where the challenge gave up, nothing more is gained by waiting.
        """
        return self._done(over=self.challenge is None or self.challenge.over)

    @property
    def settled(self) -> bool:
        """Whether no further frame is to be judged; a challenge may still show its closing step."""
        return self._done(over=self.challenge is None or self.challenge.settled)

    def _done(self, *, over: bool) -> bool:
        if self.challenge is not None and self.challenge.gave_up:
            return True
        return over and self._placement.captured

    @property
    def progress(self) -> float:
        """How much of the capture is done, 0..1; never falls."""
        return self._progress

    @property
    def placed_after(self) -> float | None:
        """Capture time from the first frame to the first well-placed one, seconds; ``None`` before that."""
        return self._placement.first_good

    @property
    def hints(self) -> tuple[str, ...]:
        """Feedback codes of what stood in the way, the challenge's first, then the most frequent first.

        Where pictures were turned most of the time that comes first: it is why no face was there.
        """
        own = () if self.challenge is None else self.challenge.hints
        counted = self._placement.hints
        if counted[:1] == (WRONG_ROTATION,):
            others = (code for code in (*own, *counted) if code != FEEDBACK_CODES[GuidanceCode.NO_FACE])
            return tuple(dict.fromkeys((WRONG_ROTATION, *others)))
        return tuple(dict.fromkeys((*own, *counted)))

    @property
    def observations(self) -> ScanObservations:
        """What was measured so far."""
        return self._watch.observations

    def measured_per_second(self, *, paused_seconds: float) -> float | None:
        """Rate of the measured frames by the device's clock; ``None`` before two of them.

        Args:
            paused_seconds: Time in which the server asked the device to send nothing; it is left out.
        """
        scan = self.observations
        seconds = scan.duration - paused_seconds
        return (len(scan.frames) - 1) / seconds if seconds > 0 else None

    @property
    def frames_examined(self) -> int:
        """Frames whose image was decoded: those that were measured or sampled, and those drawn at random."""
        return len(self._decoded)

    @property
    def examined(self) -> tuple[ExaminedFrame, ...]:
        """What the expensive models said so far, in order of frames."""
        return self.examiner.examined

    @property
    def witnesses(self) -> tuple[ExaminedFrame, ...]:
        """Frames that were identified only because no selected frame speaks for their stretch of the scan."""
        return self.examiner.witnesses

    @property
    def best(self) -> SeenFrame | None:
        """The frame that can stand as evidence."""
        return self._kept.best

    def audit(self, limit: int) -> tuple[SeenFrame, ...]:
        """Further kept frames, spread over the attempt; at most ``limit``."""
        return self._kept.audit(limit)

    def take(self, frame: Frame, *, arrival: float, coded: CodedPicture | None = None) -> Feedback | None:
        """Works a frame in and returns what to tell the person, if there is anything new to say.

        Args:
            frame: The frame.
            arrival: When it arrived, seconds of the clock that ``act`` is asked by.
            coded: Is shown the picture where it is decoded.

        Raises:
            FrameUnusable: The frame's image cannot be used.
        """
        if self._origin is None:
            self._origin = frame.capture_time_us
        time = (frame.capture_time_us - self._origin) / 1e6
        measure = None if coded is None else partial(coded, frame)
        match self._watch.next(time):
            case FrameWork.WATCH:
                pass
            case FrameWork.SAMPLE:
                self._analyst.sample(frame, time, watcher=self._watch.watcher, measure=measure)
                self._decoded.add(frame.index)
                self._placement.skip()
                return None
            case FrameWork.NOTE:
                self._note(frame, time)
                return None
        challenge = self.challenge
        asked = challenge is not None and (challenge.awaits_blink or challenge.awaits_depth)
        seen = self._analyst.look(
            frame,
            time,
            watcher=self._watch.watcher,
            measure=measure,
            expects_blink=challenge is not None and challenge.awaits_blink,
            expects_depth=challenge is not None and challenge.depth_due,
            with_light=challenge is not None and challenge.measures_light,
        )
        self._decoded.add(frame.index)
        self._kept.offer(seen)
        turned = self._watch.turned
        guidance = self._placement.take(seen.observation, turned=turned)
        if challenge is not None:
            challenge.take(
                ChallengeFrame(
                    seen=seen,
                    capture_time=time,
                    origin_us=self._origin,
                    arrival=arrival,
                    guidance=guidance.code,
                    blinked=self._watch.watcher.blinked,
                    captured=self._placement.captured,
                )
            )
        done = self._placement.share
        self._progress = max(self._progress, done if challenge is None else min(done, challenge.progress))
        if guidance.code is None:
            return None
        code = feedback_code(guidance.code, turned=turned)
        if challenge is not None and guidance.code in (_WHILE_ASKED if asked else {GuidanceCode.OK}):
            # "Good" would take back what the challenge has to ask for; so would "look straight" a turn.
            code = challenge.hint(arrival) or code
        return self._told.news(Feedback(code, self._progress, frame.index), time)

    def skip(self, frame: Frame, *, arrival: float) -> None:
        """Shows the challenge a frame that comes once the attempt is settled; nothing is measured of it.

        Args:
            frame: The frame.
            arrival: When it arrived, as for ``take``.

        Raises:
            FrameUnusable: As for ``take``.
        """
        self._analyst.check(frame)
        self._sample.offer(frame)
        if self.challenge is not None and self._origin is not None:
            self.challenge.skip(frame, origin_us=self._origin, arrival=arrival)

    def act(self, now: float, *, frame_index: int) -> tuple[Action, ...]:
        """What the challenge wants done now; nothing without one. The oval moves where it says so.

        Args:
            now: Seconds of the clock that measured arrivals.
            frame_index: The frame that hints are about.
        """
        if self.challenge is None:
            return ()
        actions = self.challenge.act(now, frame_index=frame_index)
        for action in actions:
            if isinstance(action, MoveOval):
                self._placement.oval = action.oval
        return actions

    def _note(self, frame: Frame, time: float) -> None:
        """Takes a frame that is not even decoded."""
        self._analyst.check(frame)
        self._sample.offer(frame)
        self._watch.watcher.skip(
            SkippedFrame(index=frame.index, capture_time=time, fingerprint=frame.fingerprint, samples=None)
        )
        self._placement.skip()

    def next_examination(self) -> Examination | None:
        """The next examination that is worth while before the end; ``None`` where there is none now.

        To be asked between frames, so that little is left for the end. As many as the share of the wanted
        frames that came: the likelier one is to be replaced yet, the later it is examined, and the last ones
        once no frame is wanted any more.
        """
        share = self._placement.share
        if share < _RIPE_SHARE:
            return None
        count = math.floor(share * self._plan.selected)
        return self.examiner.next(self._kept.likeliest_to_stay[:count])

    @property
    def selected(self) -> tuple[int, ...]:
        """Indices of the selected frames, in order."""
        return self._kept.selected

    def examinations(self, *, begun: int | None = None) -> tuple[Examination, ...]:
        """Every selected frame's examination that is still to be done, but for one that has ``begun``."""
        return self.examiner.rest(self._kept.selected, begun=begun)

    def identifications(self) -> tuple[Identification, ...]:
        """One frame of each stretch of the scan that no selected frame speaks for, to be identified.

        So that nobody shows up between the selected frames without being identified. To be asked once the
        selected frames were examined.
        """
        examined = tuple(one.frame_index for one in self.examined)
        return self.examiner.identifications(self._kept.unexamined(self.observations, examined=examined))

    def examine_rest(self) -> None:
        """Does all examinations and identifications that are still to be done, one after another.

        Raises:
            FrameUnusable: An image does not decode.
        """
        self.examiner.take(examination() for examination in self.examinations())
        self.examiner.witnesses = tuple(identify() for identify in self.identifications())

    def verify_sample(self) -> None:
        """Decodes the sample that was drawn of the frames that were not measured; to be called at the end.

        Raises:
            FrameUnusable: An image does not decode, or has another size than was declared.
        """
        for frame in self._sample.drawn:
            self._analyst.verify(frame)
            self._decoded.add(frame.index)

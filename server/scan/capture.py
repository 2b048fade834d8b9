"""One attempt's capture: what each frame adds, what to tell the person, and when there is enough."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from liveness.collect import FOLLOW_SECONDS
from liveness.continuity import unseen_stretches
from liveness.guidance import GuidanceCode, GuidanceSettings, GuidanceState, Oval, guide
from liveness.observation import FrameObservation, PassedFrame, ScanObservations
from liveness.pace import APART_SECONDS, FramePace, FrameWork
from liveness.selection import FrameSelector, frame_quality
from server.scan.analyst import ExaminedFrame, FrameAnalyst, SeenFrame, fingerprint
from server.scan.challenge import AttemptChallenge, ChallengeFrame
from server.scan.frame_examiner import FrameExaminer
from server.scan.frame_sample import FrameSample
from server.scan.messages import CaptureBudget, FeedbackMessage, FrameMessage
from server.scan.stream_trace import AttemptTrace
from server.scan.worker_pool import WorkerPool

FEEDBACK_CODES: dict[GuidanceCode, str] = {
    GuidanceCode.NO_FACE: "NO_FACE",
    GuidanceCode.MULTIPLE_FACES: "MULTIPLE_FACES",
    GuidanceCode.TOO_DARK: "TOO_DARK",
    GuidanceCode.TOO_BRIGHT: "TOO_BRIGHT",
    GuidanceCode.FACE_CUT_OFF: "FACE_CUT_OFF",
    GuidanceCode.MOVE_CLOSER: "MOVE_CLOSER",
    GuidanceCode.MOVE_BACK: "MOVE_BACK",
    GuidanceCode.CENTER_FACE: "CENTER_FACE",
    GuidanceCode.HOLD_STILL: "HOLD_STILL",
    GuidanceCode.BLURRED: "BLURRED",
    GuidanceCode.LOOK_STRAIGHT: "LOOK_STRAIGHT",
    GuidanceCode.EYES_CLOSED: "EYES_CLOSED",
    GuidanceCode.OK: "GOOD",
}
"""The wire's feedback code for each guidance code."""

WRONG_ROTATION = "WRONG_ROTATION"
"""Told in place of ``NO_FACE`` where faces are found only in turned pictures."""

# A blink is what a live person does: frames with closed eyes or a turned head still show how the face
# moves, so they count for the capture even while the person is told about them.
_COUNTS_FOR_CAPTURE = frozenset(
    {GuidanceCode.OK, GuidanceCode.EYES_CLOSED, GuidanceCode.LOOK_STRAIGHT, GuidanceCode.HOLD_STILL}
)
_WHILE_ASKED = frozenset({GuidanceCode.OK, GuidanceCode.EYES_CLOSED, GuidanceCode.LOOK_STRAIGHT})
_REPEAT_FEEDBACK_SECONDS = 1.0
_PROGRESS_STEP = 0.1
_RIPE_SHARE = 0.3
"""Of the wanted frames, from which on selected ones are examined, in step with those that come. Some are
replaced yet, but it is done when nothing else waits: a busy server that began later did it all at the end."""

_LOOKS_PER_SELECTED = 1.25
"""Only frames that the detector looked at can be selected, so it looks at more than are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturePlan:
    """When an attempt has enough.

    A fixed amount rather than "as soon as it looks live": looking often and stopping at the first good
    moment would give an attacker many draws.

    Attributes:
        frames: Well-placed frames that are wanted.
        seconds: Capture time that they must span.
        selected: Frames that the expensive models look at, at most.
        apart_seconds: Longest capture time between two frames that are measured, where they come faster; see
            ``liveness.pace.FramePace``. Frames that come faster count for the transcript, and are compared
            with the others so that none comes twice. 0 for a mode that needs every frame.
    """

    frames: int = 32
    seconds: float = 4.0
    selected: int = 8
    apart_seconds: float = APART_SECONDS

    def beside(self, challenge: AttemptChallenge) -> "CapturePlan":
        """The plan of an attempt with a challenge, which needs every frame.

        The time in which it shows its end, and no frame is looked at, counts as captured.
        """
        seconds = max(0.0, self.seconds - challenge.closing_seconds)
        frames = max(1, round(self.frames * seconds / self.seconds))
        return replace(self, frames=frames, seconds=seconds, apart_seconds=0.0)


class AttemptCapture:
    """Takes an attempt's frames in order. Belongs to one stream; not for several tasks at once."""

    def __init__(
        self,
        *,
        analyst: FrameAnalyst,
        pool: WorkerPool,
        plan: CapturePlan,
        budget: CaptureBudget,
        oval: Oval,
        guidance: GuidanceSettings,
        random: Callable[[int], bytes],
        challenge: AttemptChallenge | None = None,
    ) -> None:
        """Starts empty.

        Args:
            analyst: Runs the models.
            pool: Where it does.
            plan: When there is enough.
            budget: Limits of a frame.
            oval: Where the face should be.
            guidance: Thresholds of the hints.
            random: Gives that many unpredictable bytes, to draw the sample of frames that are not measured.
            challenge: What is to be done beside; ``plan`` is then ``CapturePlan.beside`` it.
        """
        self._analyst = analyst
        self._pool = pool
        self._plan = plan
        self._budget = budget
        self._oval = oval
        self._guidance = guidance
        self._guidance_state = GuidanceState()
        self._challenge = challenge
        self._upright = analyst.upright_faces()
        self._watcher = analyst.watcher(
            faces=self._upright,
            follow_seconds=min(FOLLOW_SECONDS, plan.seconds / (_LOOKS_PER_SELECTED * plan.selected)),
        )
        self.trace = AttemptTrace()
        self._pace = FramePace(apart_seconds=plan.apart_seconds)
        self._selector = FrameSelector(count=plan.selected)
        self._kept: dict[int, SeenFrame] = {}
        self._examiner = FrameExaminer(analyst=analyst, pool=pool, kept=self._kept)
        # As they arrived: a decoded frame takes twenty times as much, and few of these are needed.
        self._looks: dict[int, tuple[FrameMessage, FrameObservation]] = {}
        self._sample = FrameSample(random=random)
        self._decoded: set[int] = set()
        self._hints: Counter[str] = Counter()
        self._first_good: float | None = None
        self._last_good = 0.0
        self._good = 0
        self._told: tuple[str, float, float] | None = None
        self._origin: int | None = None
        self._well_placed = False
        self._progress = 0.0

    @property
    def complete(self) -> bool:
        """Whether the attempt has enough well-placed frames over enough time, and its challenge is over.

        Where the challenge gave up, nothing more is gained by waiting.
        """
        return self._done(over=self._challenge is None or self._challenge.over)

    @property
    def settled(self) -> bool:
        """Whether no further frame is to be judged; a challenge may still show its closing step."""
        return self._done(over=self._challenge is None or self._challenge.settled)

    def _done(self, *, over: bool) -> bool:
        challenge = self._challenge
        if challenge is not None and challenge.gave_up:
            return True
        return over and self._captured

    @property
    def _captured(self) -> bool:
        return self._good >= self._plan.frames and self._good_seconds >= self._plan.seconds

    @property
    def progress(self) -> float:
        """How much of the capture is done, 0..1; never falls."""
        return self._progress

    @property
    def hints(self) -> tuple[str, ...]:
        """Feedback codes of what stood in the way, the challenge's first, then the most frequent first.

        Where pictures were turned most of the time that comes first: it is why no face was there.
        """
        own = () if self._challenge is None else self._challenge.hints
        counted = tuple(code for code, _ in self._hints.most_common())
        if counted[:1] == (WRONG_ROTATION,):
            others = (code for code in (*own, *counted) if code != FEEDBACK_CODES[GuidanceCode.NO_FACE])
            return tuple(dict.fromkeys((WRONG_ROTATION, *others)))
        return tuple(dict.fromkeys((*own, *counted)))

    @property
    def observations(self) -> ScanObservations:
        """What was measured so far."""
        return self._watcher.observations

    def measured_per_second(self, *, paused_seconds: float) -> float | None:
        """Rate of the measured frames by the device's clock; ``None`` before two of them.

        Args:
            paused_seconds: What does not count, because the device was told to send nothing.
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
        return self._examiner.examined

    @property
    def witnesses(self) -> tuple[ExaminedFrame, ...]:
        """Frames that were identified only because no selected frame speaks for their stretch of the scan."""
        return self._examiner.witnesses

    @property
    def best(self) -> SeenFrame | None:
        """The frame that can stand as evidence."""
        index = self._selector.best
        return None if index is None else self._kept.get(index)

    def audit(self, limit: int) -> tuple[SeenFrame, ...]:
        """Further kept frames, spread over the attempt; at most ``limit``."""
        best = self._selector.best
        others = [self._kept[index] for index in sorted(self._kept) if index != best]
        if len(others) <= limit:
            return tuple(others)
        step = len(others) / limit if limit else 0.0
        return tuple(others[int(place * step)] for place in range(limit))

    def move_oval(self, oval: Oval) -> None:
        """The face should be elsewhere from now on."""
        self._oval = oval

    async def take(self, frame: FrameMessage, *, arrival: float) -> FeedbackMessage | None:
        """Works a frame in and returns what to tell the person, if there is anything new to say.

        Args:
            frame: The frame.
            arrival: When it arrived, seconds of the server's monotonic clock.

        Raises:
            Refusal: The frame's image cannot be used (FRAME_IMAGE_INVALID), or claims what cannot be.
        """
        if self._origin is None:
            self._origin = frame.capture_time_us
        time = (frame.capture_time_us - self._origin) / 1e6
        work = self._pace.next(time, restless=self._watcher.restless)
        self.trace.arrived(frame)
        if work is not FrameWork.WATCH:
            await self._pass_over(frame, time, arrival=arrival, sampled=work is FrameWork.SAMPLE)
            return None
        measure = partial(self.trace.measure, frame, arrival=arrival)
        challenge = self._challenge
        awaits_blink, awaits_depth = (
            (False, False) if challenge is None else (challenge.awaits_blink, challenge.awaits_depth)
        )
        seen = await self._pool.run(
            self._analyst.look,
            frame,
            time,
            watcher=self._watcher,
            measure=measure,
            expects_blink=awaits_blink,
            expects_depth=challenge is not None and challenge.depth_due,
            with_light=challenge is not None and challenge.measures_light,
        )
        self._decoded.add(frame.index)
        observation = seen.observation
        if observation.face is not None and observation.faces == 1 and not observation.followed:
            self._looks[observation.index] = (frame, observation)
        offer = self._selector.offer(observation)
        if offer.keep:
            self._kept[observation.index] = replace(seen, light=None)
        if offer.replaced is not None:
            self._kept.pop(offer.replaced, None)
        guidance = guide(observation, oval=self._oval, settings=self._guidance, state=self._guidance_state)
        self._guidance_state = guidance.state
        self._well_placed = guidance.frame_code in _COUNTS_FOR_CAPTURE
        if self._well_placed:
            self._good += 1
            self._first_good = time if self._first_good is None else self._first_good
            self._last_good = time
        else:
            self._hints[self._code(guidance.frame_code)] += 1
        if challenge is not None:
            await challenge.take(
                ChallengeFrame(
                    message=frame,
                    seen=seen,
                    capture_time=time,
                    origin_us=self._origin,
                    arrival=arrival,
                    guidance=guidance.code,
                    blinked=self._watcher.blinked,
                    captured=self._captured,
                )
            )
        done = self._share_of_frames
        if challenge is not None:
            done = min(done, challenge.progress)
        self._progress = max(self._progress, done)
        if guidance.code is None:
            return None
        code = self._code(guidance.code)
        asked = awaits_blink or awaits_depth
        if challenge is not None and guidance.code in (_WHILE_ASKED if asked else {GuidanceCode.OK}):
            # "Good" would take back what the challenge has to ask for; so would "look straight" a turn.
            code = challenge.hint(arrival) or code
        return self._feedback(code, time, observation.index)

    def glance(self, frame: FrameMessage, *, arrival: float) -> None:
        """Shows the challenge a frame that comes once the attempt is settled; nothing is measured of it.

        Args:
            frame: The frame.
            arrival: When it arrived, seconds of the server's monotonic clock.

        Raises:
            Refusal: As for ``take``.
        """
        self._analyst.check(frame)
        self._sample.offer(frame)
        if self._challenge is not None and self._origin is not None:
            self._challenge.glance(frame, origin_us=self._origin, arrival=arrival)

    async def _pass_over(self, frame: FrameMessage, time: float, *, arrival: float, sampled: bool) -> None:
        """Takes a frame that is not measured; it is as well placed as the measured one before it."""
        if sampled:
            measure = partial(self.trace.measure, frame, arrival=arrival)
            await self._pool.run(self._analyst.sample, frame, time, watcher=self._watcher, measure=measure)
            self._decoded.add(frame.index)
        else:
            self._analyst.check(frame)
            self._sample.offer(frame)
            mark = fingerprint(frame)
            self._watcher.pass_over(
                PassedFrame(index=frame.index, capture_time=time, fingerprint=mark, samples=None)
            )
        self._good += self._well_placed

    async def examine_ahead(self) -> None:
        """Has the expensive models look at a selected frame that they have not seen, the likeliest to stay.

        To be called between frames, so that little is left for the end; it is done when there is nothing else
        to do, one frame at a time. As many as the share of the wanted frames that came: the likelier one is
        to be replaced yet, the later it is examined, and the last ones once no frame is wanted any more.
        """
        share = self._share_of_frames
        if share >= _RIPE_SHARE:
            count = math.floor(share * self._plan.selected)
            await self._examiner.ahead(self._selector.likeliest_to_stay[:count])

    async def verify_sample(self) -> None:
        """Decodes the sample that was drawn of the frames that were not measured; to be called at the end.

        Raises:
            Refusal: An image does not decode, or has another size than was declared (FRAME_IMAGE_INVALID).
        """
        drawn = self._sample.drawn
        await asyncio.gather(*(self._pool.run_first(self._analyst.verify, frame) for frame in drawn))
        self._decoded.update(frame.index for frame in drawn)

    async def examine_rest(self) -> None:
        """Runs the expensive models over every selected frame that they have not seen, several at once.

        Then the embedder over one frame of each stretch of the scan that no selected frame speaks for, so
        that nobody shows up between the selected frames without being identified.
        """
        await self._examiner.rest(self._selector.selected)
        unseen = await self._pool.run_first(
            unseen_stretches,
            self.observations,
            examined=tuple(examined.frame_index for examined in self.examined),
        )
        await self._examiner.identify(
            max((self._looks[index] for index in stretch.looked), key=lambda look: frame_quality(look[1]))
            for stretch in unseen
            if stretch.looked
        )

    def _code(self, guidance: GuidanceCode) -> str:
        if guidance is GuidanceCode.NO_FACE and self._upright.turned:
            return WRONG_ROTATION
        return FEEDBACK_CODES[guidance]

    @property
    def _share_of_frames(self) -> float:
        return min(1.0, self._good / self._plan.frames, self._good_seconds / self._plan.seconds)

    @property
    def _good_seconds(self) -> float:
        return 0.0 if self._first_good is None else self._last_good - self._first_good

    def _feedback(self, code: str, time: float, index: int) -> FeedbackMessage | None:
        if self._told is not None:
            told_code, told_time, told_progress = self._told
            stale = time - told_time >= _REPEAT_FEEDBACK_SECONDS
            moved = self._progress - told_progress >= _PROGRESS_STEP
            if code == told_code and not stale and not moved:
                return None
        self._told = (code, time, self._progress)
        return FeedbackMessage(code=code, progress=self._progress, frame_index=index)

"""Runs a pack's models over frames. The state of an attempt is in its ``PacedWatch``."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from attempt.frame import EncodedFrame, Frame, FrameDecoder, FrameLimits
from attempt.stills import pad_scores, persons_of, sample_of
from liveness import (
    FrameObservation,
    ScanObservations,
    UprightFaces,
    sample_frame,
)
from liveness.express import FrameCues, PadScore, measure_frame_cues
from liveness.watch import (
    APART_SECONDS,
    FOLLOW_SECONDS,
    FindFaces,
    FramePace,
    FrameWatcher,
    FrameWork,
    LazyFrame,
    WatchedFrame,
)
from matcher import SubjectRule, TemplateSample
from vision.face import BgrImage
from vision.image import GreyImage
from vision.packs import Pack


class PacedWatch:
    """Measures the frames of one attempt at its pace, in order. Not safe for several threads at once."""

    def __init__(
        self,
        pack: Pack,
        *,
        faces: FindFaces,
        apart_seconds: float = APART_SECONDS,
        follow_seconds: float = FOLLOW_SECONDS,
    ) -> None:
        """Start empty.

        Args:
            pack: The pack with the landmarker.
            faces: Detects the persons of a frame, the subject first, such as ``persons_of``.
            apart_seconds: See ``FramePace``.
            follow_seconds: The longest time for which a face is followed between detections, seconds.
        """
        self._pace = FramePace(apart_seconds=apart_seconds)
        self._upright = faces if isinstance(faces, UprightFaces) else None
        self.watcher = FrameWatcher(
            find_faces=faces,
            locate_landmarks=None if pack.landmarker is None else pack.landmarker.locate,
            follow_seconds=follow_seconds,
        )

    @property
    def observations(self) -> ScanObservations:
        """The measurements so far."""
        return self.watcher.observations

    @property
    def turned(self) -> bool:
        """Whether faces are found only in rotated frames; never without ``UprightFaces``."""
        return self._upright is not None and self._upright.turned

    def next(self, capture_time: float, *, attentive: bool = False) -> FrameWork:
        """Return the work of the next frame. Call it once for each frame.

        Args:
            capture_time: Its capture time, seconds, increasing.
            attentive: Whether to measure as many frames as of a face that moves fast.
        """
        return self._pace.next(capture_time, restless=attentive or self.watcher.restless)

    def watch_frame(
        self, image: LazyFrame, *, index: int, capture_time: float, in_any_case: bool = False
    ) -> WatchedFrame | None:
        """Do the work of the next frame; return its measurements, or ``None`` if it is not measured.

        Args:
            index: Its index in the attempt, from 0, increasing.
            capture_time: Its capture time, seconds, increasing.
            in_any_case: Whether to measure the frame even if the pace would skip it.
        """
        work = self.next(capture_time)
        if in_any_case or work is FrameWork.MEASURE:
            return self.watcher.measure(image, index=index, capture_time=capture_time)
        samples = sample_frame(image.grey()) if work is FrameWork.SAMPLE else None
        self.watcher.pass_frame(index, capture_time, samples=samples)
        return None


_WANTED: Final = 10
"""Scored frames of an attempt of the planned length; about as many as the detector runs on. A longer attempt
has a few more, with growing gaps."""


class PadFrames:
    """Scores about ten frames of an attempt, spread evenly over its time.

    Not safe for several threads at once.

    The quality of a frame does not matter: an attacker decides which frames look best, so the frames that the
    match prefers must not be the ones that decide on liveness.
    """

    def __init__(self, *, pack: Pack, seconds: float) -> None:
        """Start empty.

        Args:
            pack: The networks.
            seconds: The planned duration of the attempt, seconds.
        """
        self._pack = pack
        self._seconds = seconds
        self._scored: list[tuple[float, tuple[PadScore, ...]]] = []

    @property
    def scores(self) -> tuple[PadScore, ...]:
        """The scores so far, in order of frames; one for each network and scored frame."""
        return tuple(score for _, scores in self._scored for score in scores)

    @property
    def spread(self) -> tuple[PadScore, ...]:
        """The scores of about ten of the scored frames, about evenly spread over the time so far.

        The gaps between scored frames grow, so most of ``scores`` are from the beginning of a long file.
        """
        chosen: list[PadScore] = []
        last: float | None = None
        for time, scores in self._scored:
            if last is None or time - last >= self._scored[-1][0] / _WANTED:
                chosen += scores
                last = time
        return tuple(chosen)

    def score_when_due(self, observed: FrameObservation, pixels: BgrImage | None) -> None:
        """Score a frame if the detector found exactly one face in it and the last score is old enough.

        Args:
            pixels: The upright frame; ``None`` if the detector did not run on it.

        Raises:
            ModelFailed: A network failed.
        """
        if pixels is None or observed.face is None or observed.faces != 1 or observed.followed:
            return
        time = observed.capture_time
        if self._scored and time - self._scored[-1][0] < max(self._seconds, time) / _WANTED:
            return
        scores = pad_scores(pixels, observed.face, self._pack, frame_index=observed.index)
        self._scored.append((time, scores))


Measure = Callable[[GreyImage | BgrImage], None]
"""Measures a decoded frame, luma or colours, before it is rotated, mirrored or scaled."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SeenFrame(WatchedFrame):
    """A measured frame as it was received.

    Attributes:
        frame: The frame as received; evidence keeps its bytes.
        light: The upright pixels for measuring the screen's light, reduced if the frame is large; ``None``
            unless the caller requested them.
    """

    frame: Frame
    light: BgrImage | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ExaminedFrame:
    """The template and the cues of a selected frame.

    Attributes:
        frame_index: The frame's index in the attempt.
        cues: The cues of recapture; ``None`` if they were not measured.
    """

    frame_index: int
    sample: TemplateSample
    cues: FrameCues | None = None


class FrameAnalyst:
    """Runs a pack's models over frames. Safe to call from several threads at once.

    Attributes:
        decoder: Decodes frames within the limits.
    """

    def __init__(self, *, pack: Pack, limits: FrameLimits) -> None:
        """Set the models, and the limits of a frame's image, which are tested before it is decoded."""
        self._pack = pack
        self.decoder = FrameDecoder(limits)

    def new_watch(
        self,
        *,
        subject: SubjectRule,
        apart_seconds: float = APART_SECONDS,
        follow_seconds: float = FOLLOW_SECONDS,
    ) -> PacedWatch:
        """Return the state for the frames of one attempt. Only upright faces count as persons.

        Args:
            subject: Defines which faces count as persons.
            apart_seconds: The longest time between two measured frames, seconds; see ``FramePace``.
            follow_seconds: The longest time for which a face is followed between detections, seconds.
        """
        faces = UprightFaces(lambda pixels: persons_of(pixels, self._pack, rule=subject))
        return PacedWatch(self._pack, faces=faces, apart_seconds=apart_seconds, follow_seconds=follow_seconds)

    def new_pad_frames(self, *, seconds: float) -> PadFrames:
        """Return the frames of one attempt that the PAD networks score.

        Args:
            seconds: The planned duration of the attempt, seconds.
        """
        return PadFrames(pack=self._pack, seconds=seconds)

    def measure_frame(
        self,
        frame: Frame,
        capture_time: float,
        *,
        watcher: FrameWatcher,
        measure: Measure | None = None,
        expects_blink: bool = False,
        expects_depth: bool = False,
        expects_gesture: bool = False,
        with_light: bool = False,
    ) -> SeenFrame:
        """Decode a frame as far as needed, detect or follow its face and measure it.

        Args:
            frame: The frame. The caller has verified its origin.
            capture_time: Its capture time, seconds on the device's clock.
            watcher: The attempt's watcher, which adds this frame to its observations.
            measure: A further measurement of the decoded frame before it is rotated: of the colours if only
                they were decoded, otherwise of the luma.
            expects_blink: See ``FrameWatcher.measure``.
            expects_depth: See ``FrameWatcher.measure``.
            expects_gesture: See ``FrameWatcher.measure``.
            with_light: Whether to keep the pixels that ``flash_sample`` needs.

        Raises:
            FrameUnusable: The image is not a colour JPEG, its size differs from the frame's header, it
                exceeds a limit, or it cannot be decoded.
            ModelFailed: A model failed.
            ObservationError: The watcher has a frame of this index or time already, or of a later one.
        """
        image = EncodedFrame(self.decoder, frame, in_colour=with_light)
        watched = watcher.measure(
            image,
            index=frame.index,
            capture_time=capture_time,
            fingerprint=frame.fingerprint,
            expects_blink=expects_blink,
            expects_depth=expects_depth,
            expects_gesture=expects_gesture,
        )
        if measure is not None:
            measure(image.coded)
        return SeenFrame(
            frame=frame,
            pixels=watched.pixels,
            observation=watched.observation,
            landmarks=watched.landmarks,
            depth=watched.depth,
            light=image.light() if with_light else None,
        )

    def sample(
        self,
        frame: Frame,
        capture_time: float,
        *,
        watcher: FrameWatcher,
        measure: Measure | None = None,
    ) -> None:
        """Decode a frame and record its noise samples, without detecting or following its face.

        Args:
            frame: The frame. The caller has verified its origin.
            capture_time: Its capture time, seconds on the device's clock.
            watcher: The attempt's watcher, which counts the frame as skipped.
            measure: As for ``measure_frame``.

        Raises:
            FrameUnusable: As for ``measure_frame``.
        """
        image = EncodedFrame(self.decoder, frame)
        samples = sample_frame(image.grey())
        watcher.pass_frame(frame.index, capture_time, fingerprint=frame.fingerprint, samples=samples)
        if measure is not None:
            measure(image.coded)

    def examine(self, seen: SeenFrame, *, with_cues: bool = False) -> ExaminedFrame:
        """Run the embedder over a selected frame with a detected face.

        Args:
            with_cues: Whether to measure the cues of recapture, too.
        """
        face, pixels = seen.observation.face, seen.pixels
        if face is None or pixels is None:
            raise ValueError("only a frame with a face that a detector found can be examined")
        return ExaminedFrame(
            frame_index=seen.observation.index,
            sample=sample_of(pixels, face, seen.observation, self._pack, seen.landmarks),
            cues=measure_frame_cues(pixels, face, frame_index=seen.observation.index) if with_cues else None,
        )

    def identify(self, frame: Frame, observation: FrameObservation) -> ExaminedFrame:
        """Decode a frame with a face again and run only the embedder over it.

        Raises:
            FrameUnusable: As for ``measure_frame``.
        """
        face = observation.face
        if face is None:
            raise ValueError("only a frame with a face can be identified")
        sample = sample_of(self.decoder.colour(frame), face, observation, self._pack)
        return ExaminedFrame(frame_index=observation.index, sample=sample)

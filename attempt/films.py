"""Measures the frames of a file in order, while they are decoded, and keeps only the selected ones.

A file gets neither guidance nor a challenge, so only the measuring part of an attempt runs. A video is
measured like a scan (``attempt.analyst``): the detector runs from time to time, and the face is followed in
between. Still images have no times, so no motion between them is measured. The PAD networks score frames that
are spread over the file (``attempt.analyst``).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from attempt.analyst import FrameAnalyst, PacedWatch, PadFrames
from attempt.capture import AttemptCapture
from attempt.frame import DecodedFrame, Frame, FrameLimits
from attempt.judgement import identity_constancy
from attempt.placement import WRONG_ROTATION, CapturePlan
from attempt.stills import landmarks_of, observe_still, persons_in, sample_of
from liveness import (
    CUE_FRAMES,
    DEFAULT_COUNT,
    DoubtTerms,
    FrameObservation,
    FrameSelector,
    FusionModel,
    GuidanceSettings,
    LivenessPolicy,
    LivenessResult,
    Oval,
    ScanObservations,
    Signal,
    spread_of,
)
from liveness.express import FrameCues, PadScore, measure_frame_cues
from liveness.judge import CaptureConditions, judge_scan
from matcher import SubjectRule
from vision.face import BgrImage, DetectedFace
from vision.packs import Pack

MINIMUM_FRAMES: Final = 8
"""The least number of frames with exactly one face for a judgement."""

UNTIMED_STEP: Final = 1e-3
"""The time between still frames, seconds. It gives them an order, and is shorter than anything that is judged
over time."""

_SHORTEST_SECONDS: Final = 1.0
"""The least duration of a film that is judged over time, seconds. Scored frames are a tenth of it apart at
first."""

_MOST_UNPACED: Final = 3 * MINIMUM_FRAMES
_LARGEST_SIDE: Final = 1920


@dataclass(frozen=True, slots=True, eq=False)
class SelectedFrame:
    """A frame that was selected for the embedder.

    Attributes:
        index: Its index among the analysed frames, from 0.
        capture_time: Seconds from the first frame; for still frames a multiple of ``UNTIMED_STEP``.
        pixels: The upright frame, shape (height, width, 3), BGR.
    """

    index: int
    capture_time: float
    pixels: BgrImage
    face: DetectedFace


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class VideoStudy:
    """The measurements of a video. They are biometric data: never log or send them.

    Attributes:
        observations: The measurements of every measured frame.
        selected: The frames that were examined, in order.
        identified: Indices of those whose templates are within the range of the calibration.
        pad_scores: The scores of each PAD network, of frames spread evenly over the file.
        cues: The cues of recapture of some selected frames.
        constant: Whether the selected frames show one person throughout; ``None`` if it could not be
            assessed.
        constancy: The signal of ``constant``; ``None`` if it was not measured.
    """

    observations: ScanObservations
    selected: tuple[SelectedFrame, ...]
    identified: frozenset[int]
    pad_scores: tuple[PadScore, ...]
    cues: tuple[FrameCues, ...]
    constant: bool | None = None
    constancy: Signal | None = None


class FileFrames(ABC):
    """The data kept of a file's frames so far; subclasses take the frames. Not safe for several threads.

    These are the measurements, the pixels of the frames selected for the embedder, and the PAD scores.
    """

    def __init__(self, pack: Pack, *, seconds: float) -> None:
        """Start empty.

        Args:
            seconds: The duration of the shortest file, seconds; see ``PadFrames``.
        """
        self._selector = FrameSelector(count=DEFAULT_COUNT)
        self._frames: dict[int, SelectedFrame] = {}
        self._pad_frames = PadFrames(pack=pack, seconds=seconds)

    @property
    @abstractmethod
    def observations(self) -> ScanObservations:
        """The measurements so far."""

    @property
    def selected(self) -> tuple[SelectedFrame, ...]:
        """The frames selected for the embedder, in order."""
        return tuple(self._frames[index] for index in sorted(self._frames))

    @property
    def pad_scores(self) -> tuple[PadScore, ...]:
        """The scores of the PAD networks, of frames spread evenly over the file."""
        return self._pad_frames.spread

    def _offer(self, observation: FrameObservation, pixels: BgrImage | None) -> None:
        """Select and score a measured frame if it is worth it."""
        self._pad_frames.score_when_due(observation, pixels)
        offer = self._selector.select_frame(observation)
        if offer.keep and pixels is not None and observation.face is not None:
            self._frames[observation.index] = SelectedFrame(
                index=observation.index,
                capture_time=observation.capture_time,
                pixels=pixels,
                face=observation.face,
            )
        if offer.replaced is not None:
            self._frames.pop(offer.replaced, None)


class FilmCapture(FileFrames):
    """Captures frames with times, in order."""

    def __init__(self, pack: Pack, *, subject: SubjectRule) -> None:
        """Start empty; ``subject`` defines which faces count as persons."""
        super().__init__(pack, seconds=_SHORTEST_SECONDS)
        self._watch = PacedWatch(pack, faces=lambda pixels: persons_in(pixels, pack, rule=subject))
        self._taken = self._watched = self._usable = 0

    def take_film_frame(self, pixels: BgrImage, capture_time: float) -> None:
        """Take the next frame.

        Args:
            pixels: Upright, shape (height, width, 3), BGR; of the size of the first.
            capture_time: Seconds from the first frame, increasing.

        Raises:
            ModelFailed: A model failed.
        """
        index, self._taken = self._taken, self._taken + 1
        watched = self._watch.watch_frame(
            DecodedFrame(_shrunk(pixels)),
            index=index,
            capture_time=capture_time,
            in_any_case=self._measures_all,
        )
        if watched is not None:
            self._offer(watched.observation, watched.pixels)
            self._watched += 1
            self._usable += watched.observation.face is not None and watched.observation.faces == 1

    @property
    def _measures_all(self) -> bool:
        """Whether to measure every frame, for a video that is hardly long enough; up to a limit."""
        return self._usable < MINIMUM_FRAMES and self._watched < _MOST_UNPACED

    @property
    def observations(self) -> ScanObservations:
        """The measurements so far."""
        return self._watch.observations


class StillFrames(FileFrames):
    """Captures frames without times, in order."""

    def __init__(self, pack: Pack, *, subject: SubjectRule) -> None:
        """Start empty; ``subject`` defines which faces count as persons."""
        super().__init__(pack, seconds=MINIMUM_FRAMES * UNTIMED_STEP)
        self._pack = pack
        self._subject = subject
        self._observed: list[FrameObservation] = []

    def take_still_frame(self, pixels: BgrImage) -> None:
        """Take the next frame.

        Args:
            pixels: Upright, shape (height, width, 3), BGR; of the size of the first.

        Raises:
            ModelFailed: A model failed.
        """
        index = len(self._observed)
        faces = persons_in(pixels, self._pack, rule=self._subject)
        landmarks = landmarks_of(pixels, faces[0], self._pack) if faces else None
        observation = observe_still(
            pixels, faces=faces, landmarks=landmarks, index=index, capture_time=index * UNTIMED_STEP
        )
        self._observed.append(observation)
        self._offer(observation, pixels)

    @property
    def observations(self) -> ScanObservations:
        """The measurements so far, without motion."""
        return ScanObservations(frames=tuple(self._observed), motion=())


def examine(frames: FileFrames, *, pack: Pack) -> VideoStudy:
    """Run the embedder over the selected frames of a file, and measure the cues of some of them.

    The templates are compared with each other and not kept.

    Args:
        frames: The file, after its last frame.

    Raises:
        ModelFailed: A model failed.
    """
    observations, selected = frames.observations, frames.selected
    with_cues = spread_of([frame.index for frame in selected], CUE_FRAMES)
    seen = {frame.index: frame for frame in observations.frames}
    samples = {
        frame.index: sample_of(frame.pixels, frame.face, seen[frame.index], pack) for frame in selected
    }
    constant, constancy = identity_constancy(observations, samples, calibration=pack.match_calibration)
    return VideoStudy(
        observations=observations,
        selected=selected,
        identified=frozenset(index for index, sample in samples.items() if sample.comparable),
        pad_scores=frames.pad_scores,
        cues=tuple(
            measure_frame_cues(frame.pixels, frame.face, frame_index=frame.index)
            for frame in selected
            if frame.index in with_cues
        ),
        constant=constant,
        constancy=constancy,
    )


def judge_study(
    study: VideoStudy, *, policy: LivenessPolicy, fusion: FusionModel, doubt: DoubtTerms | None = None
) -> LivenessResult:
    """Judge the liveness of a file; there is no portrait to match.

    A file that shows different persons, one after another, is not LIVE.

    Args:
        policy: The policy, which sets the thresholds and the signals that are judged.
        doubt: What doubt means; ``None`` if LIVE needs no more than the policy's threshold.
    """
    judged = judge_scan(
        scan=study.observations,
        identified=study.identified,
        pad_scores=study.pad_scores,
        cues=study.cues,
        policy=policy,
        model=fusion,
        challenge=None,
        conditions=CaptureConditions(several_persons=study.constant is False),
        doubt=doubt,
    ).result
    if study.constancy is None:
        return judged
    return replace(judged, signals=(*judged.signals, study.constancy))


def _shrunk(pixels: BgrImage) -> BgrImage:
    """Reduce a frame to the largest size that a scan allows."""
    factor = _LARGEST_SIDE / max(pixels.shape)
    if factor >= 1:
        return pixels
    size = max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


# Captures and judges the frames of a recorded scan as an attempt does, without a person to guide.
#
# Studies drive an attempt with this. The measurements, the selected and the scored frames, and the verdict
# are those of the server, but a recording does not react to hints.


def capture_clip(frames: Iterable[Frame], *, pack: Pack, subject: SubjectRule) -> AttemptCapture:
    """Return the capture of a recorded scan. ``AttemptCapture.examine_rest`` has not run.

    Args:
        frames: The frames of the scan, in order, of any size.
        subject: Defines which faces count as persons.

    Raises:
        FrameUnusable: A frame's image cannot be used.
        ModelFailed: A model failed.
    """
    capture = AttemptCapture(
        analyst=FrameAnalyst(pack=pack, limits=FrameLimits(min_side=1)),
        plan=CapturePlan(early_seconds=0.0),
        oval=Oval(),
        guidance=GuidanceSettings(),
        random=bytes,
        subject=subject,
    )
    for frame in frames:
        capture.capture_frame(frame, arrival=frame.capture_time_us / 1e6)
    return capture


def judge_clip(
    capture: AttemptCapture,
    *,
    pad_scores: Sequence[PadScore],
    cues: Sequence[FrameCues],
    policy: LivenessPolicy,
    fusion: FusionModel,
) -> LivenessResult:
    """Judge the liveness of a recorded scan; there is no portrait to match.

    Args:
        capture: Its capture, after ``examine_rest``.
        pad_scores: The scores of the PAD networks that are judged.
        cues: The cues of recapture that are judged.
    """
    return judge_scan(
        scan=capture.observations,
        identified=capture.evidence.identified,
        pad_scores=pad_scores,
        cues=cues,
        policy=policy,
        model=fusion,
        challenge=None,
        conditions=CaptureConditions(turned=capture.hints[:1] == (WRONG_ROTATION,)),
    ).result

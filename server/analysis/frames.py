"""The frames of one upload, taken in order as they are decoded; only those worth more work are kept.

A video is watched as the server watches a scan (``liveness.watch``): the face is followed, and the detector
looks now and then. Still frames have no times, so nothing is measured between them.
"""

from typing import Final

import cv2
import numpy as np

from liveness.express.frame_cues import measure_frame_cues
from liveness.express.interface import FrameCues, PadScore
from liveness.observation import FrameObservation, GreyView, PassedFrame, ScanObservations
from liveness.observe import sample_frame
from liveness.pace import FramePace, FrameWork
from liveness.selection import CUE_FRAMES, DEFAULT_COUNT, FrameSelector, spread_of
from liveness.watch import FrameWatcher
from server.analysis.models import landmarks_of, observe_still, pad_scores, persons_in
from server.analysis.results import SelectedFrame, VideoStudy
from vision.face import BgrImage
from vision.packs import Pack

__all__ = ["MINIMUM_FRAMES", "StillFrames", "VideoFrames", "examine"]

MINIMUM_FRAMES: Final = 8
"""Frames with exactly one face below which nothing is judged."""

UNTIMED_STEP: Final = 1e-3
"""Between still frames, seconds: an order and no time, shorter than anything that is judged over time."""

_MOST_UNPACED: Final = 3 * MINIMUM_FRAMES
_LARGEST_SIDE: Final = 1920


class _Kept:
    """The selected frames' pixels."""

    def __init__(self) -> None:
        self._selector = FrameSelector(count=DEFAULT_COUNT)
        self._frames: dict[int, SelectedFrame] = {}

    def offer(self, observation: FrameObservation, pixels: BgrImage | None) -> None:
        offer = self._selector.offer(observation)
        if offer.keep and pixels is not None and observation.face is not None:
            self._frames[observation.index] = SelectedFrame(
                index=observation.index,
                capture_time=observation.capture_time,
                pixels=pixels,
                face=observation.face,
            )
        if offer.replaced is not None:
            self._frames.pop(offer.replaced, None)

    @property
    def frames(self) -> tuple[SelectedFrame, ...]:
        return tuple(self._frames[index] for index in sorted(self._frames))


class VideoFrames:
    """Frames with times. Takes them in order; not for several threads at once."""

    def __init__(self, pack: Pack) -> None:
        """Starts empty."""
        self._watcher = FrameWatcher(
            find_faces=lambda pixels: persons_in(pixels, pack),
            locate_landmarks=None if pack.landmarker is None else pack.landmarker.locate,
        )
        self._pace = FramePace()
        self._kept = _Kept()
        self._taken = self._watched = self._usable = 0

    def take(self, pixels: BgrImage, capture_time: float) -> None:
        """Works the next frame in.

        Args:
            pixels: Upright, shape (height, width, 3), BGR; as large as the first.
            capture_time: Seconds from the first frame, increasing.

        Raises:
            ModelFailed: A model failed.
        """
        index, self._taken = self._taken, self._taken + 1
        picture = _Picture(_shrunk(pixels))
        work = self._pace.next(capture_time, restless=self._watcher.restless)
        if work is FrameWork.WATCH or self._none_to_spare:
            watched = self._watcher.watch(picture, index=index, capture_time=capture_time)
            self._kept.offer(watched.observation, watched.pixels)
            self._watched += 1
            self._usable += watched.observation.face is not None and watched.observation.faces == 1
            return
        samples = sample_frame(picture.colour()) if work is FrameWork.SAMPLE else None
        self._watcher.pass_over(
            PassedFrame(index=index, capture_time=capture_time, fingerprint=None, samples=samples)
        )

    @property
    def _none_to_spare(self) -> bool:
        """Whether every frame is measured, for a video that is hardly long enough; but not for ever."""
        return self._usable < MINIMUM_FRAMES and self._watched < _MOST_UNPACED

    @property
    def observations(self) -> ScanObservations:
        """What was measured so far."""
        return self._watcher.observations

    @property
    def selected(self) -> tuple[SelectedFrame, ...]:
        """The frames worth the expensive models, in order."""
        return self._kept.frames


class StillFrames:
    """Frames without times. Takes them in order; not for several threads at once."""

    def __init__(self, pack: Pack) -> None:
        """Starts empty."""
        self._pack = pack
        self._observed: list[FrameObservation] = []
        self._kept = _Kept()

    def take(self, pixels: BgrImage) -> None:
        """Works the next frame in.

        Args:
            pixels: Upright, shape (height, width, 3), BGR; as large as the first.

        Raises:
            ModelFailed: A model failed.
        """
        index = len(self._observed)
        faces = persons_in(pixels, self._pack)
        landmarks = landmarks_of(pixels, faces[0], self._pack) if faces else None
        observation = observe_still(
            pixels, faces=faces, landmarks=landmarks, index=index, capture_time=index * UNTIMED_STEP
        )
        self._observed.append(observation)
        self._kept.offer(observation, pixels)

    @property
    def observations(self) -> ScanObservations:
        """What was measured so far; no motion."""
        return ScanObservations(frames=tuple(self._observed), motion=())

    @property
    def selected(self) -> tuple[SelectedFrame, ...]:
        """The frames worth the expensive models, in order."""
        return self._kept.frames


def examine(observations: ScanObservations, selected: tuple[SelectedFrame, ...], *, pack: Pack) -> VideoStudy:
    """Runs the expensive models over the selected frames, and the cues over some of them.

    Raises:
        ModelFailed: A model failed.
    """
    scores: list[PadScore] = []
    cues: list[FrameCues] = []
    with_cues = spread_of([frame.index for frame in selected], CUE_FRAMES)
    for frame in selected:
        scores.extend(pad_scores(frame.pixels, frame.face, pack, frame_index=frame.index))
        if frame.index in with_cues:
            cues.append(measure_frame_cues(frame.pixels, frame.face, frame_index=frame.index))
    return VideoStudy(
        observations=observations,
        selected=selected,
        pad_scores=tuple(scores),
        cues=tuple(cues),
    )


class _Picture:
    """A picture that is decoded already; implements ``liveness.watch.Picture``."""

    def __init__(self, pixels: BgrImage) -> None:
        self._pixels = pixels

    def grey(self) -> GreyView:
        return np.asarray(cv2.cvtColor(self._pixels, cv2.COLOR_BGR2GRAY), np.uint8)

    def colour(self) -> BgrImage:
        return self._pixels


def _shrunk(pixels: BgrImage) -> BgrImage:
    """No larger than a frame of a scan may be."""
    factor = _LARGEST_SIDE / max(pixels.shape)
    if factor >= 1:
        return pixels
    size = max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)

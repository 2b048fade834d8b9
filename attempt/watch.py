"""Decides which frames of an attempt are measured, and measures them."""

from liveness import ScanObservations, SkippedFrame, UprightFaces, sample_frame
from liveness.collect import FOLLOW_SECONDS
from liveness.pace import APART_SECONDS, FramePace, FrameWork
from liveness.watch import FindFaces, FrameWatcher, LazyFrame, WatchedFrame
from vision.packs import Pack

__all__ = ["PacedWatch"]


class PacedWatch:
    """Measures the frames of one attempt at its pace, in order. Not safe for several threads at once.

    Attributes:
        watcher: Measures the frames.
    """

    def __init__(
        self,
        pack: Pack,
        *,
        faces: FindFaces,
        apart_seconds: float = APART_SECONDS,
        follow_seconds: float = FOLLOW_SECONDS,
    ) -> None:
        """Starts empty.

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
        """Returns the work of the next frame. Call it once for each frame.

        Args:
            capture_time: Its capture time, seconds, increasing.
            attentive: Whether to measure as many frames as of a face that moves fast.
        """
        return self._pace.next(capture_time, restless=attentive or self.watcher.restless)

    def take(
        self, picture: LazyFrame, *, index: int, capture_time: float, in_any_case: bool = False
    ) -> WatchedFrame | None:
        """Does the work of the next frame; returns its measurements, or ``None`` if it is not measured.

        Args:
            picture: The frame.
            index: Its index in the attempt, from 0, increasing.
            capture_time: Its capture time, seconds, increasing.
            in_any_case: Whether to measure the frame even if the pace would skip it.
        """
        work = self.next(capture_time)
        if in_any_case or work is FrameWork.MEASURE:
            return self.watcher.measure(picture, index=index, capture_time=capture_time)
        samples = sample_frame(picture.grey()) if work is FrameWork.SAMPLE else None
        self.watcher.skip(
            SkippedFrame(index=index, capture_time=capture_time, fingerprint=None, samples=samples)
        )
        return None

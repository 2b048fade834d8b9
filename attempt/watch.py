"""The cheap work on an attempt's frames: which of them are measured, and the watching of those."""

from attempt.persons import persons_of
from liveness.collect import FOLLOW_SECONDS
from liveness.observation import ScanObservations, SkippedFrame
from liveness.observe import sample_frame
from liveness.pace import APART_SECONDS, FramePace, FrameWork
from liveness.upright import UprightFaces
from liveness.watch import FindFaces, FrameWatcher, LazyFrame, WatchedFrame
from vision.packs import Pack

__all__ = ["PacedWatch"]


class PacedWatch:
    """Watches one attempt at its pace. Takes frames in order; not for several threads at once.

    Attributes:
        watcher: Watches the frames that are measured.
    """

    def __init__(
        self,
        pack: Pack,
        *,
        faces: FindFaces | None = None,
        apart_seconds: float = APART_SECONDS,
        follow_seconds: float = FOLLOW_SECONDS,
    ) -> None:
        """Starts empty.

        Args:
            pack: Its detector and landmarker look at the frames.
            faces: What finds the attempt's faces, such as upright ones only; the persons that the detector
                finds where None.
            apart_seconds: See ``FramePace``.
            follow_seconds: Longest time for which a face is followed before the detector looks again.
        """
        self._pace = FramePace(apart_seconds=apart_seconds)
        self._upright = faces if isinstance(faces, UprightFaces) else None
        self.watcher = FrameWatcher(
            find_faces=(lambda pixels: persons_of(pack.detector.detect(pixels))) if faces is None else faces,
            locate_landmarks=None if pack.landmarker is None else pack.landmarker.locate,
            follow_seconds=follow_seconds,
        )

    @property
    def observations(self) -> ScanObservations:
        """What was measured so far."""
        return self.watcher.observations

    @property
    def turned(self) -> bool:
        """Whether faces are found in turned pictures only; never where any face is taken."""
        return self._upright is not None and self._upright.turned

    def next(self, capture_time: float) -> FrameWork:
        """What is to be done with the next frame; to be asked once for each.

        Args:
            capture_time: When the device captured it, seconds, increasing.
        """
        return self._pace.next(capture_time, restless=self.watcher.restless)

    def take(
        self, picture: LazyFrame, *, index: int, capture_time: float, in_any_case: bool = False
    ) -> WatchedFrame | None:
        """Does with a picture what is to be done; what was seen, ``None`` of one that is not measured.

        Args:
            picture: The frame.
            index: Its index in the attempt, from 0, increasing.
            capture_time: When it was captured, seconds, increasing.
            in_any_case: Whether it is measured whatever the pace.
        """
        work = self.next(capture_time)
        if in_any_case or work is FrameWork.WATCH:
            return self.watcher.watch(picture, index=index, capture_time=capture_time)
        samples = sample_frame(picture.grey()) if work is FrameWork.SAMPLE else None
        self.watcher.skip(
            SkippedFrame(index=index, capture_time=capture_time, fingerprint=None, samples=samples)
        )
        return None

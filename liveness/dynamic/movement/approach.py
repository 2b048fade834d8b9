"""Follows a face during an approach, from far to near, always relative to the far view.

Between frames a face hardly grows, but from the far oval to the near one its width doubles, and the window
around a point looks different in both views. Each new view is therefore first aligned with the far view by
the motion of the plane in the previous frame, and only the remaining motion is searched (image alignment by
warping: Lucas and Kanade, IJCAI 1981). Errors do not add up, because every view is compared with the first.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.observation import FrameObservation, GreyView
from liveness.tracking import (
    FloatPoints,
    TrackingStart,
    apply_plane_motion,
    follow,
    plane_motion,
    start_tracking,
)
from vision.face import DetectedFace

_FEWEST_KEPT: Final = 0.4
"""The share of the face's points below which the face is lost."""
_LARGEST_LEAP: Final = 1.25
"""The factor by which a face may grow or shrink between two frames. Beyond it, the prediction would miss."""
_SOFTENING: Final = 0.4
"""The blur before a view is shrunk, pixels per unit of growth beyond 1."""
_LEAST_BLUR: Final = 0.05
"""The least blur, pixels, because OpenCV derives a blur of 0 from the size of the kernel."""
_AROUND: Final = 10
"""The distance from a place within which the growth there is measured, pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Closeup:
    """One frame of the approach, relative to the far view; lengths in face widths of the far view.

    Attributes:
        frame: The frame's index in the scan.
        growth: The face's width over that in the far view, by the motion of the plane.
        left_over: Shape (n, 2): the part of each point's motion that no motion of a plane explains, in the
            coordinates of the far view; NaN for lost points.
    """

    frame: int
    growth: float
    left_over: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Parallax:
    """A whole approach.

    Attributes:
        face: The face of the far view, frame pixels.
        frame_width: The width of the frame, pixels.
        frame_height: The height of the frame, pixels.
        face_pixels: The width of the face in the far view, pixels of the view.
        places: Shape (n, 2): the points of the face, frame pixels of the far view.
        closeups: The frames after the far view, in order.
    """

    face: DetectedFace
    frame_width: int
    frame_height: int
    face_pixels: float
    places: NDArray[np.float64]
    closeups: tuple[Closeup, ...]


class ApproachTracker:
    """Follows one approach. Keeps only the far view. Not safe to call from several threads at once."""

    def __init__(self) -> None:
        """Starts without a far view."""
        self._began: tuple[TrackingStart, FrameObservation, DetectedFace] | None = None
        self._motion: NDArray[np.float64] = np.eye(3)
        self._closeups: list[Closeup] = []
        self._lost = False

    @property
    def following(self) -> bool:
        """Whether there is a far view whose points are not lost."""
        return self._began is not None and not self._lost

    @property
    def growth(self) -> float:
        """The face's width in the last followed frame over that in the far view; 1 without such a frame."""
        return self._closeups[-1].growth if self._closeups else 1.0

    def begin(self, observation: FrameObservation) -> bool:
        """Starts again with ``observation`` as the far view, and discards earlier frames.

        Returns:
            Whether the face has enough texture to be followed.
        """
        self._began, self._motion, self._closeups, self._lost = None, np.eye(3), [], False
        if observation.view is None or observation.face is None or observation.faces != 1:
            return False
        start = start_tracking(observation.view, observation.face, observation.view_scale)
        if start is not None:
            self._began = start, observation, observation.face
        return start is not None

    def add(self, observation: FrameObservation) -> None:
        """Follows the face to the next frame, which must have its view. Does nothing once it is lost."""
        if self._began is None or self._lost or observation.view is None:
            return
        start, far, _ = self._began
        if (observation.width, observation.height) != (far.width, far.height):
            self._lost = True
            return
        found = self._found(start, observation.view)
        left = plane_motion(start, found)
        kept = np.isfinite(found[start.on_face, 0]).mean()
        if left is None or kept < _FEWEST_KEPT:
            self._lost = True
            return
        motion = self._motion @ left
        motion /= motion[2, 2]
        growth, before = _growth_at(motion, start.centre), _growth_at(self._motion, start.centre)
        if not 1 / _LARGEST_LEAP < growth / before < _LARGEST_LEAP:
            self._lost = True
            return
        self._motion = motion
        on_face = start.on_face
        left_over = (found - apply_plane_motion(left, start.points))[on_face].astype(np.float64)
        self._closeups.append(
            Closeup(
                frame=observation.index,
                growth=growth,
                left_over=left_over / start.face_width,
            )
        )

    def parallax(self) -> Parallax | None:
        """Returns the measurements of the approach so far; ``None`` without a far view."""
        if self._began is None:
            return None
        start, far, face = self._began
        return Parallax(
            face=face,
            frame_width=far.width,
            frame_height=far.height,
            face_pixels=start.face_width,
            places=start.points[start.on_face].astype(np.float64) / far.view_scale,
            closeups=tuple(self._closeups),
        )

    def _found(self, start: TrackingStart, view: GreyView) -> FloatPoints:
        """Returns the positions of the far view's points in ``view``, aligned by the motion so far."""
        growth = _growth_at(self._motion, start.centre)
        if growth > 1:
            blur = _SOFTENING * (growth - 1) + _LEAST_BLUR
            view = np.asarray(cv2.GaussianBlur(view, (0, 0), blur), np.uint8)
        height, width = start.view.shape
        laid_over = cv2.warpPerspective(
            view,
            self._motion,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        found, _ = follow(start, np.asarray(laid_over, np.uint8), start.points, far=True)
        return found


def _growth_at(motion: NDArray[np.float64], centre: FloatPoints) -> float:
    """Returns the factor by which ``motion`` stretches lengths around ``centre``."""
    around = _AROUND * np.array([[-1, 0], [1, 0], [0, -1], [0, 1]], np.float32) + centre
    moved = apply_plane_motion(motion, around)
    across, along = np.linalg.norm(moved[1] - moved[0]), np.linalg.norm(moved[3] - moved[2])
    return float(np.sqrt(across * along) / (2 * _AROUND))

"""Measures one frame, without the expensive models."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.errors import ObservationError
from liveness.guidance import field_width
from liveness.observation import FrameObservation, FrameView, GreyView, Samples
from liveness.occlusion import Cover
from vision.face import BgrImage, DetectedFace, HeadPose
from vision.measures import face_measures
from vision.pose import estimate_pose

VIEW_SIDE = 384
"""The longest side of the view in which motion is measured, pixels."""

FINE_SIDE = 640
"""The longest side of the view in which a small face is followed, pixels."""

_FINE_FIELD = 480
"""The width of the field in the view in which an approaching face is followed, pixels: that of a frame of
480 x 640. At 288 pixels, the tracking error is as large as the motion of bent paper; at 480 it is half of
that."""

_FINEST_SIDE = 1280
"""The longest side of that view, pixels. A frame of 16:9 needs 1067."""

_SHADING_SIDE = 25
_DETAIL_GAIN = 2.5
_SMOOTHING = 1.15
"""The view of a frame: the side of the box whose mean is subtracted, pixels of the view; the gain of the
detail that is left; the standard deviation of the blur before the frame is reduced, pixels."""
_SAMPLE_ROWS = 64
_SAMPLE_COLUMNS = 64
"""The grid of pixels that is sampled of each frame, to find repeated frames."""

_Kind = TypeVar("_Kind", bound=np.generic)


class ViewSpace:
    """Reusable memory for the views of one scan's frames, which mostly have the same size.

    Without it, allocating, clearing and freeing memory for every frame costs half of a view's time. Belongs
    to one scan. Not safe for several threads at once.
    """

    def __init__(self) -> None:
        """Start empty; the first view allocates the memory."""
        self._arrays: dict[str, NDArray[np.generic]] = {}

    def array(self, name: str, shape: tuple[int, ...], kind: type[_Kind]) -> NDArray[_Kind]:
        """Return an array of any content; the last one of this name if its shape and type are the same."""
        found = self._arrays.get(name)
        if found is None or found.shape != shape or found.dtype != kind:
            found = self._arrays[name] = np.empty(shape, kind)
        return cast("NDArray[_Kind]", found)


def view_frame(
    image: BgrImage | GreyView, space: ViewSpace | None = None, *, side: int = VIEW_SIDE
) -> FrameView:
    """Return the grey copies of one upright frame.

    Safe to call from several threads if each has its own ``space``.

    Args:
        image: The frame in colour, or its luma alone, which a JPEG gives at half the cost.
        space: Memory to reuse; new memory if None.
        side: The longest side of the view, pixels.

    Raises:
        ObservationError: The image is not an 8-bit colour or grey image.
    """
    grey = _grey(image)
    height, width = grey.shape
    scale = min(1.0, side / max(height, width))
    return FrameView(
        width=width,
        height=height,
        view=_view(grey, scale, ViewSpace() if space is None else space, side=side),
        scale=scale,
        samples=sample_frame(grey),
        grey=grey,
    )


def fine_view(image: BgrImage | GreyView) -> tuple[GreyView, float]:
    """Return a larger view, for ``liveness.dynamic.movement.challenge``, and its pixels per frame pixel.

    Its scale depends on the field, which the ovals are relative to: a wide frame has more at the sides, but
    the face in an oval is as large as in an upright one.

    Args:
        image: The upright frame, or its luma alone.

    Raises:
        ObservationError: The image is not an 8-bit colour or grey image.
    """
    grey = _grey(image)
    height, width = grey.shape
    longest = max(width, height)
    scale = min(1.0, _FINE_FIELD / field_width(width=width, height=height), _FINEST_SIDE / longest)
    return _view(grey, scale, ViewSpace(), side=round(scale * longest)), scale


def sample_frame(image: BgrImage | GreyView) -> Samples:
    """Return single pixels of a frame, not means, because averaging would remove the noise.

    The noise distinguishes a camera's frames from repeated ones.

    Raises:
        ObservationError: The image is not an 8-bit colour or grey image.
    """
    grey = _grey(image)
    height, width = grey.shape
    rows = (np.arange(_SAMPLE_ROWS) * height + height // 2) // _SAMPLE_ROWS
    columns = (np.arange(_SAMPLE_COLUMNS) * width + width // 2) // _SAMPLE_COLUMNS
    samples: Samples = grey.take(rows, axis=0).take(columns, axis=1)
    return samples


def observe_frame(
    image: BgrImage,
    *,
    index: int,
    capture_time: float,
    faces: Sequence[DetectedFace],
    pose: HeadPose | None = None,
    eyes: tuple[float, float] | None = None,
    cover: Cover | None = None,
    mouth: float | None = None,
    yaw: float | None = None,
    seen: FrameView | None = None,
) -> FrameObservation:
    """Measure one upright frame after detection. Pure; safe to call from several threads.

    Args:
        image: The upright frame.
        index: The frame's index in the scan, from 0.
        capture_time: The capture time, seconds on the device's clock.
        faces: The persons in it, the subject first; faces in the background are left out.
        pose: The head pose of ``faces[0]``; estimated from the five points if None.
        eyes: The eye aspect ratios of ``faces[0]``; None if they are unknown.
        cover: What covers ``faces[0]``; None if it was not measured.
        mouth: How far the mouth of ``faces[0]`` is open, centimetres; None if it was not measured.
        yaw: See ``FrameObservation``.
        seen: ``view_frame(image)``; computed if None.

    Returns:
        The measurements of the frame; about 115 KB with its view, 5 KB without.

    Raises:
        ObservationError: The image is not an 8-bit colour image.
    """
    if image.ndim != 3:
        raise _unlike_a_frame(image, "an 8-bit colour image")
    seen = view_frame(image) if seen is None else seen
    face = faces[0] if faces else None
    measures = None if face is None else face_measures(image, face.box)
    size = (seen.width, seen.height)
    return FrameObservation(
        index=index,
        capture_time=capture_time,
        width=seen.width,
        height=seen.height,
        faces=len(faces),
        face=face,
        sharpness=None if measures is None else measures.sharpness,
        luminance=None if measures is None else measures.luminance.mean,
        dark_fraction=0.0 if measures is None else measures.luminance.dark_fraction,
        saturated_fraction=0.0 if measures is None else measures.luminance.saturated_fraction,
        pose=estimate_pose(face.five_points, size) if pose is None and face is not None else pose,
        eyes=eyes,
        samples=seen.samples,
        view=seen.view,
        view_scale=seen.scale,
        cover=cover,
        mouth=mouth,
        yaw=yaw,
    )


def observe_followed(
    seen: FrameView,
    *,
    index: int,
    capture_time: float,
    face: DetectedFace,
    detected: FrameObservation,
    eyes: tuple[float, float] | None = None,
    cover: Cover | None = None,
    mouth: float | None = None,
    yaw: float | None = None,
) -> FrameObservation:
    """Return the measurements of a frame whose face was followed from an earlier one.

    Args:
        seen: The frame's grey copies.
        index: The frame's index in the scan, from 0.
        capture_time: The capture time, seconds on the device's clock.
        detected: The frame of the last detection; measurements that change slowly are copied from it.
        eyes: The eye aspect ratios of ``face``; None if they are unknown.
        cover: What covers ``face``; None if it was not measured.
        mouth: How far the mouth of ``face`` is open, centimetres; None if it was not measured.
        yaw: See ``FrameObservation``.
    """
    return replace(
        detected,
        index=index,
        capture_time=capture_time,
        width=seen.width,
        height=seen.height,
        face=face,
        eyes=eyes,
        samples=seen.samples,
        view=seen.view,
        view_scale=seen.scale,
        followed=True,
        cover=cover,
        mouth=mouth,
        yaw=yaw,
    )


def _grey(image: BgrImage | GreyView) -> GreyView:
    grey = image.ndim == 2
    if image.dtype != np.uint8 or image.size == 0 or not (grey or (image.ndim == 3 and image.shape[2] == 3)):
        raise _unlike_a_frame(image, "an 8-bit colour or grey image")
    return image if grey else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)


def _unlike_a_frame(image: BgrImage | GreyView, expected: str) -> ObservationError:
    return ObservationError(f"a frame has shape {image.shape} and type {image.dtype}; it must be {expected}")


def _view(grey: GreyView, scale: float, space: ViewSpace, *, side: int = VIEW_SIDE) -> GreyView:
    """Return the frame's fine structure around mid-grey, so that exposure and shading move no points."""
    height, width = grey.shape
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # Halving by averages is cheap. For other ratios, bilinear resizing is as cheap, but only leaves no
    # aliases if the image is smoothed first.
    while min(grey.shape) >= 2 and max(grey.shape) >= 2 * side:
        half = grey.shape[1] // 2, grey.shape[0] // 2
        grey = cv2.resize(grey, half, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    smoothed = space.array("smoothed", grey.shape, np.uint8)
    if max(grey.shape) > side:
        cv2.GaussianBlur(grey, (5, 5), _SMOOTHING, dst=smoothed)
        smooth = space.array("smooth", size[::-1], np.uint8)
        cv2.resize(smoothed, size, dst=smooth, interpolation=cv2.INTER_LINEAR)
    else:
        smooth = smoothed
        cv2.GaussianBlur(grey, (3, 3), 0, dst=smooth)
    shading = space.array("shading", smooth.shape, np.float32)
    cv2.boxFilter(smooth, cv2.CV_32F, (_SHADING_SIDE, _SHADING_SIDE), dst=shading)
    # Mid-grey less a half: OpenCV rounds the result.
    view = cv2.addWeighted(smooth, _DETAIL_GAIN, shading, -_DETAIL_GAIN, 127.5, dtype=cv2.CV_8U)
    return view.astype(np.uint8, copy=False)

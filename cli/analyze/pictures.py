"""Images of the page: reduced copies, coloured maps, and drawings of faces over them."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from server.pages import Html, data_uri, svg
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.image import encode_jpeg

__all__ = ["colour_map", "enlarged", "jpeg_uri", "overlay", "overlay_of_pairs", "png_uri", "reduced"]

_QUALITY: Final = 88
_POINT_SHARE: Final = 0.009
_DENSE_SHARE: Final = 0.0035


def reduced(image: BgrImage, longest: int) -> BgrImage:
    """Returns a copy with a longer side of at most ``longest`` pixels; the image itself if it is small."""
    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def enlarged(image: BgrImage, side: int) -> BgrImage:
    """Returns a copy with a shorter side of at least ``side`` pixels; each pixel becomes a square."""
    times = -(-side // min(image.shape[:2]))
    return image if times <= 1 else np.repeat(np.repeat(image, times, axis=0), times, axis=1)


def jpeg_uri(image: BgrImage) -> str:
    """Returns a photo as a data URI."""
    return data_uri(encode_jpeg(np.ascontiguousarray(image), _QUALITY), media_type="image/jpeg")


def png_uri(image: BgrImage) -> str:
    """Returns a drawing or a crop as a data URI, without loss."""
    _, content = cv2.imencode(".png", image)
    return data_uri(content.tobytes(), media_type="image/png")


def colour_map(
    values: NDArray[np.floating] | NDArray[np.integer],
    *,
    side: int = 192,
    limits: tuple[float, float] | None = None,
) -> BgrImage:
    """Returns numbers as colours that suit colour-blind people: dark (smallest), green, yellow (largest).

    Args:
        values: Shape (height, width), finite.
        side: The shorter side of the result has at least as many pixels.
        limits: The darkest and the brightest value, to make maps comparable; the smallest and the largest
            value if None.
    """
    numbers = np.asarray(values, np.float64)
    low, high = (float(numbers.min()), float(numbers.max())) if limits is None else limits
    shares = (numbers - low) / (high - low) if high > low else np.zeros_like(numbers)
    levels = np.round(255 * np.clip(shares, 0.0, 1.0)).astype(np.uint8)
    return enlarged(np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), np.uint8), side)


def overlay(*, size: tuple[int, int], face: DetectedFace, landmarks: Landmarks | None, label: str) -> Html:
    """Returns the face's box and points, as a drawing over the image.

    Args:
        size: Width and height of the image to which the coordinates refer, pixels.
        face: The detected face.
        landmarks: The landmarks; None without a landmarker.
        label: The text for screen readers.
    """
    unit = max(size)
    box = face.box
    shapes = [svg.rectangle((box.left, box.top), (box.width, box.height), "box")]
    if landmarks is not None:
        shapes += [svg.circle((x, y), unit * _DENSE_SHARE, "dense") for x, y in landmarks.points.tolist()]
    shapes += [svg.circle((x, y), unit * _POINT_SHARE, "point") for x, y in face.five_points.tolist()]
    return svg.drawing(shapes, width=size[0], height=size[1], label=label, kind="overlay")


def overlay_of_pairs(pairs: NDArray[np.float64], *, size: tuple[int, int]) -> Html:
    """Returns lines between mirrored points, and the midline perpendicular to their mean direction.

    Args:
        pairs: Shape (n, 2, 2): for each pair the left and the right point as (x, y).
        size: Width and height of the image to which the coordinates refer, pixels.
    """
    radius = max(size) * _POINT_SHARE
    shapes = [svg.line(_point(left), _point(right), "pair") for left, right in pairs]
    shapes += [svg.circle(_point(point), radius, "point") for pair in pairs for point in pair]
    across = (pairs[:, 1] - pairs[:, 0]).sum(axis=0)
    length = float(np.linalg.norm(across))
    if length > 0:
        middle = pairs.mean(axis=(0, 1))
        reach = np.array([-across[1], across[0]]) / length * max(size)
        shapes.append(svg.line(_point(middle - reach), _point(middle + reach), "midline"))
    label = f"{len(pairs)} pairs of points that mirror each other, and their midline"
    return svg.drawing(shapes, width=size[0], height=size[1], label=label, kind="overlay")


def _point(values: NDArray[np.float64]) -> tuple[float, float]:
    return float(values[0]), float(values[1])

"""Ways to look again for a face where HOG found none."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage, Box
from vision.packs.interfaces import FaceDetector

__all__ = ["AS_BEFORE", "THE_PACK", "beside_the_face", "ways_to_look"]

AS_BEFORE: Final = "HOG at 480 pixels, then 960"
THE_PACK: Final = "with the network (the pack)"
_FIRST, _SECOND = 480, 960
_LOW_THRESHOLD: Final = -0.3
_TURN_DEGREES: Final = 20.0
_LEAST_STRIP: Final = 160


def ways_to_look(shipped: FaceDetector) -> Mapping[str, Callable[[BgrImage], bool]]:
    """By name, what says whether a picture shows a face; all but the first are for where it finds none.

    Args:
        shipped: The embedded pack's detector.
    """
    hog = dlib.get_frontal_face_detector()

    def before(image: BgrImage) -> bool:
        return _found(hog, image, _FIRST) or _found(hog, image, _SECOND)

    return {
        AS_BEFORE: before,
        "then 320 pixels": lambda image: _found(hog, image, 320),
        "then more contrast (CLAHE)": lambda image: _found(hog, _equalised(image), _FIRST),
        "then even brightness (gamma)": lambda image: _found(hog, _brightened(image), _FIRST),
        "then turned 20 degrees both ways": lambda image: any(
            _found(hog, _turned(image, sign), _FIRST) for sign in (-1, 1)
        ),
        "then a wider border": lambda image: _found(hog, _bordered(image), _FIRST),
        "then threshold -0.3 at 960": lambda image: _found(hog, image, _SECOND, _LOW_THRESHOLD),
        THE_PACK: lambda image: bool(shipped.detect(image)),
    }


def beside_the_face(image: BgrImage, box: Box) -> BgrImage | None:
    """The widest strip of a picture to the left or right of a face, or None where both are too narrow."""
    width = image.shape[1]
    left = max(0, int(box.left - box.width / 2))
    right = min(width, int(box.right + box.width / 2))
    strip = image[:, :left] if left >= width - right else image[:, right:]
    return np.ascontiguousarray(strip) if min(strip.shape[:2]) >= _LEAST_STRIP else None


def _found(hog: Any, image: BgrImage, long_side: int, threshold: float = 0.0) -> bool:
    scale = min(2.0, long_side / max(image.shape[:2]))
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    seen = cv2.resize(image, None, fx=scale, fy=scale, interpolation=smooth)
    rectangles, _, _ = hog.run(cv2.cvtColor(seen, cv2.COLOR_BGR2RGB), 0, threshold)
    return len(rectangles) > 0


def _equalised(image: BgrImage) -> BgrImage:
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB)
    lab[..., 0] = cv2.createCLAHE(3.0, (8, 8)).apply(lab[..., 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), dtype=np.uint8)


def _brightened(image: BgrImage) -> BgrImage:
    mean = float(np.clip(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).mean() / 255.0, 0.01, 0.99))
    curve: NDArray[np.float64] = 255.0 * (np.arange(256) / 255.0) ** (np.log(0.45) / np.log(mean))
    return np.asarray(cv2.LUT(image, curve.astype(np.uint8)), dtype=np.uint8)


def _turned(image: BgrImage, sign: int) -> BgrImage:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), sign * _TURN_DEGREES, 1.0)
    turned = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, dtype=np.uint8)


def _bordered(image: BgrImage) -> BgrImage:
    border = int(0.3 * max(image.shape[:2]))
    return np.pad(image, ((border, border), (border, border), (0, 0)), mode="edge")

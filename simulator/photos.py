"""Photos of people in installed packages, for a demo without a download."""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from simulator.errors import PhotoNotFound
from simulator.photo import Photo, photo_from_image
from vision.face import BgrImage
from vision.packs import FaceDetector, Landmarker, load_embedded_pack

__all__ = ["builtin_image", "builtin_photo_names", "builtin_photos"]

_SMALLEST_SIDE = 720


@dataclass(frozen=True, slots=True)
class _Source:
    """The location of a person's photo.

    Attributes:
        package: The installed package that contains the file.
        file: Path inside the package.
        part: Left, top, right and bottom of the part that shows this person alone, pixels.
    """

    package: str
    file: str
    part: tuple[int, int, int, int]


_GROUP = "data/images/t1.jpg"
_SOURCES = {
    "astronaut": _Source("skimage", "data/astronaut.png", (70, 0, 390, 340)),
    "black-top": _Source("insightface", _GROUP, (1045, 190, 1280, 520)),
    "grey-shirt": _Source("insightface", _GROUP, (373, 186, 633, 546)),
    "long-hair": _Source("insightface", _GROUP, (0, 186, 251, 546)),
    "red-shirt": _Source("insightface", _GROUP, (648, 270, 908, 630)),
}


def builtin_photo_names() -> tuple[str, ...]:
    """Return the names for ``builtin_photos``, sorted."""
    return tuple(sorted(_SOURCES))


def builtin_image(name: str) -> BgrImage:
    """Return the part of a photo that shows one person, enlarged; no model is run.

    Raises:
        PhotoNotFound: The name is unknown, or its package or file is not installed.
    """
    return _read_part(name)


def builtin_photos(
    *,
    detector: FaceDetector | None = None,
    landmarker: Landmarker | None = None,
    names: tuple[str, ...] | None = None,
) -> dict[str, Photo]:
    """Return the people in photos of installed packages, enlarged, with their landmarks.

    scikit-image contains a public-domain portrait of an astronaut, insightface a group photo.

    Args:
        detector: Finds the faces; None for both this and ``landmarker`` uses the embedded pack.
        landmarker: Finds the landmarks, scheme ``"ibug68"``.
        names: The names of the photos; None means all of ``builtin_photo_names``.

    Raises:
        PhotoNotFound: A name is unknown, or its package or file is not installed.
        PhotoUnusable: The models find no face in a photo.
        vision.errors.PackError: The embedded pack is needed and cannot be loaded.
    """
    if detector is None or landmarker is None:
        detector, landmarker = _embedded_models()
    wanted = builtin_photo_names() if names is None else names
    return {
        name: photo_from_image(_read_part(name), detector=detector, landmarker=landmarker) for name in wanted
    }


@cache  # loading takes seconds
def _embedded_models() -> tuple[FaceDetector, Landmarker]:
    pack = load_embedded_pack()
    if pack.landmarker is None:
        raise PhotoNotFound("the embedded pack has no landmark model, so no head can be built from a photo")
    return pack.detector, pack.landmarker


def _read_part(name: str) -> BgrImage:
    source = _SOURCES.get(name)
    if source is None:
        raise PhotoNotFound(
            f"no built-in photo is called {name!r}; known: {', '.join(builtin_photo_names())}"
        )
    path = _package_folder(source.package) / source.file
    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if image is None:
        raise PhotoNotFound(f"the installed package {source.package} contains no {source.file}")
    left, top, right, bottom = source.part
    part = image[top:bottom, left:right]
    factor = max(1.0, _SMALLEST_SIDE / min(part.shape[:2]))
    return np.asarray(cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), np.uint8)


def _package_folder(package: str) -> Path:
    # find_spec does not import the package; the import of insightface takes a second.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise PhotoNotFound(f"the package {package}, which contains this photo, is not installed")
    return Path(next(iter(spec.submodule_search_locations)))

"""The photo of a person from which a simulated scan is made, and photos of people in installed packages.

The latter are for a demo without a download.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from formats.extras import missing_extra
from lab.packs.embedded import load_embedded_pack
from lab.simulator.errors import PhotoNotFound, PhotoUnusable
from vision.face import BgrImage, DetectedFace, Points
from vision.packs import FaceDetector, Landmarker

_SCHEME = "ibug68"
_MESH_SCHEME, _MESH_POINTS = "mediapipe478", 468
_SMALLEST_EYE_DISTANCE = 20.0
_EYE_CORNERS = (33, 133, 263, 362)
"""The points of the mesh at the eyes' corners."""
_COMPARABLE = 0.75
"""Least width, as a share of the largest face's, of a face that counts as equally prominent."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One upright photo and the face in it.

    Attributes:
        pixels: The photo; it may show other people too.
        landmarks: The person's 68 landmarks in iBUG 300-W order, shape (68, 2), pixels of ``pixels``.
        mesh: The points of MediaPipe's mesh of the face, shape (468, 3): pixels of ``pixels``, and the height
            towards the camera from the plane of the eyes in the same unit; ``None`` if it was not found.

    Raises:
        PhotoUnusable: The landmarks are not 68 finite points, the mesh is not 468 of them, or the eyes are
            less than 20 px apart.
    """

    pixels: BgrImage
    landmarks: Points
    mesh: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise PhotoUnusable("a photo is an 8-bit image of shape (height, width, 3)")
        if self.landmarks.shape != (68, 2) or not bool(np.isfinite(self.landmarks).all()):
            raise PhotoUnusable(f"a photo needs 68 finite landmarks, got shape {self.landmarks.shape}")
        mesh = self.mesh
        if mesh is not None and (mesh.shape != (_MESH_POINTS, 3) or not bool(np.isfinite(mesh).all())):
            raise PhotoUnusable(f"a mesh has {_MESH_POINTS} finite points, got shape {mesh.shape}")
        if self.eye_distance < _SMALLEST_EYE_DISTANCE:
            raise PhotoUnusable(
                f"the eyes are {self.eye_distance:.0f} px apart; a head needs {_SMALLEST_EYE_DISTANCE:.0f} px"
            )

    @property
    def eye_centres(self) -> Points:
        """Centres of the eye on the image's left and on its right, shape (2, 2)."""
        left, right = self.landmarks[36:42].mean(axis=0), self.landmarks[42:48].mean(axis=0)
        return np.stack([left, right]).astype(np.float32)

    @property
    def eye_distance(self) -> float:
        """Distance between the eye centres in pixels."""
        left, right = self.eye_centres
        return float(np.linalg.norm(right - left))


def photo_from_image(
    image: BgrImage, *, detector: FaceDetector, landmarker: Landmarker, mesher: Landmarker | None = None
) -> Photo:
    """Find the most prominent face of ``image`` and its landmarks.

    Detectors sometimes find a false face as large as the person's, with a lower confidence. Therefore, of the
    faces that are not much smaller than the largest, the one with the highest confidence counts.

    Args:
        image: An upright photo.
        landmarker: Finds its landmarks; its scheme must be ``"ibug68"``.
        mesher: Finds the mesh of the face; one of another scheme than ``"mediapipe478"`` finds none.

    Raises:
        PhotoUnusable: There is no face, it is too small, or the landmarker has another scheme.
    """
    if landmarker.scheme != _SCHEME:
        raise PhotoUnusable(
            f"the simulator needs {_SCHEME} landmarks, this landmarker gives {landmarker.scheme}"
        )
    faces = detector.detect(image)
    if not faces:
        raise PhotoUnusable("no face was found in the photo")
    face = _most_prominent(faces)
    landmarks = landmarker.locate(image, face)
    if landmarks is None:
        raise PhotoUnusable("the landmarker finds no face where one was detected; use a photo from the front")
    return Photo(pixels=image, landmarks=landmarks.points, mesh=_mesh(image, face, mesher))


def _mesh(image: BgrImage, face: DetectedFace, mesher: Landmarker | None) -> NDArray[np.float32] | None:
    if mesher is None or mesher.scheme != _MESH_SCHEME:
        return None
    found = mesher.locate(image, face)
    if found is None or found.depth is None:
        return None
    # The network counts depth away from the camera.
    height = found.depth[list(_EYE_CORNERS)].mean() - found.depth
    return np.column_stack([found.points, height])[:_MESH_POINTS].astype(np.float32)


def _most_prominent(faces: Sequence[DetectedFace]) -> DetectedFace:
    widest = max(face.box.width for face in faces)
    return max(
        (face for face in faces if face.box.width >= _COMPARABLE * widest), key=lambda face: face.confidence
    )


_SMALLEST_SIDE = 720


@dataclass(frozen=True, slots=True)
class _Source:
    """The location of a person's photo.

    Attributes:
        package: The package that contains the file; scikit-image comes with the extra ``embedded``.
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
        raise PhotoNotFound(missing_extra(f"a photo in the package {package}", "embedded"))
    return Path(next(iter(spec.submodule_search_locations)))

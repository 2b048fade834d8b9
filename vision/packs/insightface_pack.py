"""Packs of the ``insightface`` family: SCRFD and 106 landmarks, run through ``insightface.model_zoo``.

A folder of the library's packages (``buffalo_l``, ``buffalo_s``) can be used unchanged, and so can any other
folder with files of the catalogue. Dense landmarks are InsightFace's if the folder
has them, else MediaPipe's.
"""

import io
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vision.errors import ModelFailed, PackFileUnusable
from vision.face import BgrImage, Box, DetectedFace, Landmarks
from vision.onnx_sessions import RuntimeOptions
from vision.packs.insightface_library import import_insightface
from vision.packs.interfaces import Landmarker
from vision.packs.onnx_models import first_found, image_session, load_mediapipe, make_pack
from vision.packs.pack import Pack
from vision.packs.pack_files import MEDIAPIPE_LANDMARKS, PackFiles, VerifiedFile

_STRIDE = 32
_THRESHOLD = 0.5


class ScrfdModel(Protocol):
    """The part of ``insightface.model_zoo.SCRFD`` that is used.

    With its own session and no model file it passes every input size to that session. Its cache of anchor
    centres only grows, always by equal values, so threads may share it.
    """

    def detect(
        self, img: BgrImage, input_size: tuple[int, int] | None = None, *, det_thresh: float | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return boxes with scores, shape (n, 5), and key points, shape (n, 5, 2)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ScrfdDetector:
    """Implements ``vision.packs.interfaces.FaceDetector`` by a model with key points."""

    model: ScrfdModel

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        """Return all faces in ``image``, largest first; empty if there are none.

        Raises:
            ModelFailed: The model could not be run.
        """
        return first_found(image, self._detect_at)

    def _detect_at(self, image: BgrImage, long_side: int) -> tuple[DetectedFace, ...]:
        try:
            boxes, points = self.model.detect(
                image, input_size=_input_size(image, long_side), det_thresh=_THRESHOLD
            )
        except Exception as error:
            raise ModelFailed(f"the detector failed ({type(error).__name__})") from error
        if points is None:
            raise ModelFailed("the detector gives no key points: use one of the _kps models")
        faces = [
            DetectedFace(
                box=Box(float(left), float(top), float(right), float(bottom)),
                confidence=min(1.0, float(score)),
                five_points=five.astype(np.float32),
            )
            for (left, top, right, bottom, score), five in zip(boxes, points, strict=True)
            if right > left and bottom > top
        ]
        return tuple(sorted(faces, key=lambda face: face.box.area, reverse=True))


def _input_size(image: BgrImage, long_side: int) -> tuple[int, int]:
    """Return width and height of the smallest input that contains the frame, in whole strides."""
    height, width = image.shape[:2]
    scale = long_side / max(height, width)
    return _strides(width * scale), _strides(height * scale)


def _strides(side: float) -> int:
    return max(1, -(-round(side) // _STRIDE)) * _STRIDE


_SCHEME = "insightface106"
_POINTS = 106


class Landmark106Model(Protocol):
    """The part of ``insightface.model_zoo.Landmark`` that is used."""

    def get(self, img: BgrImage, face: Any) -> NDArray[np.float32]:
        """Return the points of ``face``, shape (106, 2)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Landmarker106:
    """Implements ``vision.packs.interfaces.Landmarker``."""

    model: Landmark106Model

    @property
    def scheme(self) -> str:
        """``"insightface106"``."""
        return _SCHEME

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks:
        """Return the landmarks of ``face`` in ``image``.

        Raises:
            ModelFailed: The model could not be run, or did not give 106 points.
        """
        box = face.box
        subject = import_insightface().app.common.Face(
            bbox=np.array([box.left, box.top, box.right, box.bottom], dtype=np.float32)
        )
        try:
            points = np.asarray(self.model.get(image, subject), dtype=np.float32)
        except Exception as error:
            raise ModelFailed(f"the landmarks model failed ({type(error).__name__})") from error
        if points.shape != (_POINTS, 2):
            raise ModelFailed(f"the landmarks model gave {points.shape}, expected {_POINTS} points")
        return Landmarks(points=points, scheme=_SCHEME)


def make_insightface_pack(files: PackFiles, *, name: str, runtime: RuntimeOptions) -> Pack:
    """Load a pack of the ``insightface`` family from its files.

    Raises:
        PackIncomplete: There is no calibration for the embedder.
        PackFileUnusable: The runtime cannot load a file.
    """
    session = image_session(files.detector, runtime)
    return make_pack(
        files,
        name=name,
        detector=ScrfdDetector(import_insightface().model_zoo.SCRFD(model_file=None, session=session)),
        landmarker=None if files.landmarks is None else _landmarker(files.landmarks, runtime),
        runtime=runtime,
        session=session,
    )


# insightface is imported where it is used: it takes half a second, and most commands never need it. Its
# classes get the verified bytes and not the path, so that the file cannot be exchanged in between. They
# get the bytes as published and not as rewritten, because they guess from the first nodes.


def _landmarker(file: VerifiedFile, runtime: RuntimeOptions) -> Landmarker:
    if file.entry.kind == MEDIAPIPE_LANDMARKS:
        return load_mediapipe(file)
    session = image_session(file, runtime)
    try:
        return Landmarker106(
            import_insightface().model_zoo.Landmark(model_file=io.BytesIO(file.content), session=session)
        )
    except (AssertionError, IndexError, TypeError, ValueError) as error:
        raise PackFileUnusable(
            f"{file.path.name} is not a model of the kind {file.entry.kind}: correct its entry in the "
            "catalogue"
        ) from error

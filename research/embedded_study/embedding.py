"""Photos to templates of every view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from matcher.persons import persons_among
from matcher.portrait_report import PortraitPolicy
from research.embedded_study.views import StudiedFace, View, cut, locate
from vision.errors import ModelFailed
from vision.face import BgrImage, DetectedFace
from vision.onnx_sessions import OnnxSession
from vision.packs.interfaces import FaceDetector

__all__ = ["DlibModels", "embed_views", "one_face", "studied_faces"]

_RULES = PortraitPolicy()


@dataclass(frozen=True, slots=True)
class DlibModels:
    """What the study runs.

    Attributes:
        detector: Of the embedded pack.
        network: dlib's embedder as an ONNX session.
        original: The same as dlib runs it, ``dlib.face_recognition_model_v1``.
        predictor_68: ``dlib.shape_predictor`` of 68 points.
        predictor_5: ``dlib.shape_predictor`` of 5 points.
    """

    detector: FaceDetector
    network: OnnxSession
    original: Any
    predictor_68: Any
    predictor_5: Any


def one_face(image: BgrImage, detector: FaceDetector) -> DetectedFace | None:
    """The face of a photo that shows one person, else None."""
    persons = persons_among(
        detector.detect(image),
        second_face_fraction=_RULES.second_face_fraction,
        min_confidence=_RULES.min_face_confidence,
    )
    return persons[0] if len(persons) == 1 else None


def studied_faces(images: Sequence[BgrImage], models: DlibModels) -> list[StudiedFace | None]:
    """Each photo's face with its points; None where there is no single face."""
    faces: list[StudiedFace | None] = []
    for image in images:
        try:
            face = one_face(image, models.detector)
            faces.append(
                None
                if face is None
                else locate(image, face.box, predictor_68=models.predictor_68, predictor_5=models.predictor_5)
            )
        except ModelFailed:
            faces.append(None)
    return faces


def embed_views(
    faces: Sequence[StudiedFace],
    views: Mapping[str, View],
    network: OnnxSession,
    *,
    name: str,
) -> dict[str, NDArray[np.float64]]:
    """By view, dlib's vectors (not of length 1), shape (faces, 128).

    Args:
        faces: One or more.
        views: By name.
        network: dlib's embedder.
        name: What is embedded, for the progress on stderr.
    """
    rows = []
    for face in track(faces, description=name, console=Console(stderr=True)):
        chips = np.stack([cut(face, view) for view in views.values()]).transpose(0, 3, 1, 2)
        rows.append(network.run(None, {"chips": chips.astype(np.float32)})[0].astype(np.float64))
    stack = np.stack(rows)
    return {view: stack[:, at] for at, view in enumerate(views)}

"""Packs of the ``insightface`` family: SCRFD and ArcFace-type files, run through ``insightface.model_zoo``.

A folder of the library's packages (``buffalo_l``, ``buffalo_s``) can be used unchanged, and so can any other
folder with files of the catalogue. Dense landmarks are InsightFace's if the folder
has them, else MediaPipe's.
"""

import io

from vision.errors import PackFileUnusable
from vision.onnx_sessions import OnnxSession, RuntimeOptions
from vision.packs.arcface import ArcFaceEmbedder
from vision.packs.interfaces import Landmarker
from vision.packs.landmarks106 import Landmarker106
from vision.packs.onnx_models import embedder_preprocessing, embedder_session, image_session, make_pack
from vision.packs.pack import Pack
from vision.packs.pack_files import MEDIAPIPE_LANDMARKS, PackFiles
from vision.packs.scrfd import ScrfdDetector
from vision.packs.verified_file import VerifiedFile

__all__ = ["make_insightface_pack"]


def make_insightface_pack(files: PackFiles, *, name: str, runtime: RuntimeOptions) -> Pack:
    """Load a pack of the ``insightface`` family from its files.

    Args:
        files: The files.
        name: Name of the pack in results.
        runtime: The options of ONNX Runtime.

    Raises:
        PackIncomplete: There is no calibration for the embedder.
        PackFileUnusable: The runtime cannot load a file.
    """
    session = image_session(files.detector, runtime)
    landmarker = None if files.landmarks is None else _landmarker(files.landmarks, runtime)
    return make_pack(
        files,
        name=name,
        detector=_scrfd(session),
        landmarker=landmarker,
        embedder=_arcface(files.embedder, runtime, landmarker),
        runtime=runtime,
        session=session,
    )


# insightface is imported where it is used: it takes a second, and most commands never need it. Its
# classes get the verified bytes and not the path, so that the file cannot be exchanged in between. They
# get the bytes as published and not as rewritten, because they guess from the first nodes.


def _scrfd(session: OnnxSession) -> ScrfdDetector:
    from insightface.model_zoo import SCRFD

    return ScrfdDetector(SCRFD(model_file=None, session=session))


def _landmarker(file: VerifiedFile, runtime: RuntimeOptions) -> Landmarker:
    if file.entry.kind == MEDIAPIPE_LANDMARKS:
        from vision.packs.mediapipe_landmarker import load_mediapipe_landmarker

        return load_mediapipe_landmarker(file.content, name=file.path.name)

    from insightface.model_zoo import Landmark

    session = image_session(file, runtime)
    try:
        return Landmarker106(Landmark(model_file=io.BytesIO(file.content), session=session))
    except (AssertionError, IndexError, TypeError, ValueError) as error:
        raise _unusable(file) from error


def _arcface(file: VerifiedFile, runtime: RuntimeOptions, landmarker: Landmarker | None) -> ArcFaceEmbedder:
    from insightface.model_zoo import ArcFaceONNX

    session, preprocessing = embedder_session(file, runtime), embedder_preprocessing(file)
    try:
        model = ArcFaceONNX(model_file=io.BytesIO(file.content), session=session)
        return ArcFaceEmbedder(model, preprocessing, landmarker)
    except (AssertionError, IndexError, TypeError, ValueError) as error:
        raise _unusable(file) from error


def _unusable(file: VerifiedFile) -> PackFileUnusable:
    return PackFileUnusable(
        f"{file.path.name} is not a model of the kind {file.entry.kind}: correct its entry in the catalogue"
    )

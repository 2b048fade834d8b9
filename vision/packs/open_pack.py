"""Packs of the ``open`` family: permissively licensed files, run by Facegate's own loaders.

YuNet detects faces, SFace or an ArcFace-type network such as MobileFaceNet makes templates, and MediaPipe's
Face Landmarker locates dense landmarks. The ``insightface`` library is not imported.
"""

from vision.errors import PackFileUnusable
from vision.graph_rewrite import with_free_sides
from vision.onnx_sessions import OnnxSession, RuntimeOptions, create_session
from vision.packs.arcface import ArcFaceEmbedder, SessionArcFace
from vision.packs.interfaces import Landmarker
from vision.packs.onnx_models import embedder_preprocessing, embedder_session, make_pack
from vision.packs.pack import Pack
from vision.packs.pack_files import PackFiles
from vision.packs.verified_file import VerifiedFile
from vision.packs.yunet import YunetDetector

__all__ = ["make_open_pack"]


def make_open_pack(files: PackFiles, *, name: str, runtime: RuntimeOptions) -> Pack:
    """Load a pack of the ``open`` family from its files.

    Args:
        files: The files.
        name: Name of the pack in results.
        runtime: The options of ONNX Runtime.

    Raises:
        PackIncomplete: There is no calibration for the embedder.
        PackFileUnusable: The runtime cannot load a file.
    """
    session = _detector_session(files.detector, runtime)
    landmarker = None if files.landmarks is None else _landmarker(files.landmarks)
    return make_pack(
        files,
        name=name,
        detector=YunetDetector(session),
        landmarker=landmarker,
        embedder=_embedder(files.embedder, runtime, landmarker),
        runtime=runtime,
        session=session,
    )


def _detector_session(file: VerifiedFile, runtime: RuntimeOptions) -> OnnxSession:
    return create_session(with_free_sides(file.content), runtime, name=file.path.name)


def _embedder(file: VerifiedFile, runtime: RuntimeOptions, landmarker: Landmarker | None) -> ArcFaceEmbedder:
    session = embedder_session(file, runtime)
    try:
        return ArcFaceEmbedder(SessionArcFace(session), embedder_preprocessing(file), landmarker)
    except ValueError as error:
        raise PackFileUnusable(f"{file.path.name} is not an embedder: {error}") from error


def _landmarker(file: VerifiedFile) -> Landmarker:
    # Imported where it is used, because not every pack has landmarks of this kind.
    from vision.packs.mediapipe_landmarker import load_mediapipe_landmarker

    return load_mediapipe_landmarker(file.content, name=file.path.name)

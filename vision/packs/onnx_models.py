"""Makes sessions, PAD networks and a pack of verified ONNX files, for every family of packs."""

from collections.abc import Sequence
from typing import TypeVar

from vision.errors import PackDataInvalid, PackIncomplete
from vision.fast_sessions import create_fast_session
from vision.onnx_sessions import OnnxSession, RuntimeOptions, describe, on_gpu
from vision.packs.arcface import ArcFaceEmbedder
from vision.packs.calibration import MatchCalibration, load_calibration, uncalibrated
from vision.packs.catalogue import PAD_CLASSIFIER, load_catalogue
from vision.packs.catalogue_entries import CatalogueEntry, EmbedderPreprocessing
from vision.packs.interfaces import FaceDetector, Landmarker
from vision.packs.pack import Pack
from vision.packs.pack_files import PackFiles
from vision.packs.pad_onnx import OnnxPadNetwork
from vision.packs.templates import TemplateForm
from vision.packs.verified_file import VerifiedFile, pack_version

__all__ = ["embedder_preprocessing", "embedder_session", "image_session", "make_pack"]

_Preprocessing = TypeVar("_Preprocessing")

_BRIGHTEST = 255.0


def image_session(file: VerifiedFile, runtime: RuntimeOptions, *, divide_by: float = 1.0) -> OnnxSession:
    """Return a session of a network that takes pixels 0..255, divided by ``divide_by``.

    Raises:
        PackFileUnusable: The runtime cannot load the file.
    """
    return create_fast_session(
        file.content, runtime, name=file.path.name, input_range=(0.0, _BRIGHTEST / divide_by)
    )


def embedder_session(file: VerifiedFile, runtime: RuntimeOptions) -> OnnxSession:
    """Return a session of an embedder, which takes normalised pixels.

    Raises:
        PackFileUnusable: The runtime cannot load the file.
        PackDataInvalid: The catalogue does not state the normalisation.
    """
    wanted = embedder_preprocessing(file)
    bounds = [
        (pixel - mean) / std
        for mean, std in zip(wanted.mean, wanted.std, strict=True)
        for pixel in (0.0, _BRIGHTEST)
    ]
    return create_fast_session(
        file.content, runtime, name=file.path.name, input_range=(min(bounds), max(bounds))
    )


def embedder_preprocessing(file: VerifiedFile) -> EmbedderPreprocessing:
    """Return the preprocessing of an embedder's aligned face.

    Raises:
        PackDataInvalid: The catalogue does not state it.
    """
    return _stated(file.entry.embedder, file.entry)


def make_pack(
    files: PackFiles,
    *,
    name: str,
    detector: FaceDetector,
    landmarker: Landmarker | None,
    embedder: ArcFaceEmbedder,
    runtime: RuntimeOptions,
    session: OnnxSession,
) -> Pack:
    """Return a pack of loaded models, with the PAD networks of its files.

    Args:
        files: All loaded files.
        name: Name of the pack in results.
        detector: Made from ``files.detector``.
        landmarker: Made from ``files.landmarks``, if there is such a file.
        embedder: Made from ``files.embedder``.
        runtime: The options of ONNX Runtime.
        session: One of the sessions, which states the provider in use.

    Raises:
        PackIncomplete: There is no calibration for the embedder.
        PackFileUnusable: The runtime cannot load a PAD network.
    """
    pack_files = tuple(file.pack_file for file in files.used)
    # The detector is part of the preprocessing if its five points decide how faces are aligned.
    detected = "" if embedder.aligns_by_mesh else f"{files.detector.entry.kind}-"
    form = files.embedder.template_form(embedder.dimensions, f"{detected}{embedder.preprocessing}")
    return Pack(
        name=name,
        version=pack_version(pack_files, templates=form),
        evaluation_only=any(file.entry.evaluation_only for file in files.used),
        terms=tuple(file.entry.terms for file in files.used),
        files=pack_files,
        detector=detector,
        landmarker=landmarker,
        embedder=embedder,
        template_form=form,
        pad_networks=_pad_networks(files.pads, runtime),
        missing_pad_networks=_missing(files.pads),
        match_calibration=_calibration(files.embedder.entry, form),
        runtime=describe(runtime, session),
        on_gpu=on_gpu(session),
    )


def _calibration(entry: CatalogueEntry, form: TemplateForm) -> MatchCalibration:
    """Return the packaged calibration; an embedder of the operator's own may have none."""
    try:
        return load_calibration(form.sha256, template=form.id)
    except PackIncomplete:
        if not entry.imported:
            raise
        return uncalibrated(form)


def _missing(pads: Sequence[VerifiedFile]) -> tuple[str, ...]:
    """Names of the catalogue's PAD networks that are not among the files."""
    present = {file.entry.name for file in pads}
    return tuple(
        entry.name for entry in load_catalogue().of_kind(PAD_CLASSIFIER) if entry.name not in present
    )


def _pad_networks(files: Sequence[VerifiedFile], runtime: RuntimeOptions) -> tuple[OnnxPadNetwork, ...]:
    networks = []
    for file in sorted(files, key=lambda file: file.entry.name):
        wanted = _stated(file.entry.pad, file.entry)
        session = image_session(file, runtime, divide_by=wanted.divide_by)
        networks.append(OnnxPadNetwork(name=file.entry.name, session=session, preprocessing=wanted))
    return tuple(networks)


def _stated(value: _Preprocessing | None, entry: CatalogueEntry) -> _Preprocessing:
    if value is None:
        raise PackDataInvalid(f"the catalogue states no preprocessing for {entry.file_name}: add it")
    return value

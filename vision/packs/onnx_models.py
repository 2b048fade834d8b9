"""Makes sessions, PAD networks and a pack of verified ONNX files, for every family of packs."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.errors import ModelFailed, PackDataInvalid, PackFileUnusable, PackIncomplete
from vision.face import BgrImage, DetectedFace, Embedding, Landmarks
from vision.geometry import align_face, clamped_crop, context_crop, mesh_points
from vision.graph_rewrite import create_fast_session
from vision.onnx_sessions import OnnxSession, RuntimeOptions, describe, on_gpu
from vision.packs.calibration import MatchCalibration, load_calibration, uncalibrated
from vision.packs.catalogue import (
    PAD_CLASSIFIER,
    CatalogueEntry,
    EmbedderPreprocessing,
    PadPreprocessing,
    load_catalogue,
)
from vision.packs.interfaces import FaceDetector, Landmarker, TemplateForm, to_unit_length
from vision.packs.pack import Pack
from vision.packs.pack_files import PackFiles, VerifiedFile, pack_version

# Runs a detector on a frame at one input size after another, until it finds a face.
#
# At 640 pixels such a network misses a face that fills a small selfie; at 320 it finds it. So the detector
# runs at 320 first, which is also the cheapest, then at 640 for small faces, then at 160 for a face that
# fills the frame.

_LONG_SIDES = (320, 640, 160)
_SMALLEST_FACE = 8


def first_found(
    image: BgrImage, detect_at: Callable[[BgrImage, int], tuple[DetectedFace, ...]]
) -> tuple[DetectedFace, ...]:
    """Return the faces at the first size at which any are found; empty if there are none.

    ``detect_at`` detects faces in the frame, resized to a long side in pixels.
    """
    for long_side in _LONG_SIDES:
        if min(image.shape[:2]) * long_side < max(image.shape[:2]) * _SMALLEST_FACE:
            continue
        found = detect_at(image, long_side)
        if found:
            return found
    return ()


class ArcFaceEmbedder:
    """Aligns, normalises and embeds; implements ``vision.packs.interfaces.Embedder``."""

    def __init__(
        self,
        session: OnnxSession,
        preprocessing: EmbedderPreprocessing,
        landmarker: Landmarker | None = None,
    ) -> None:
        """Take over a loaded network.

        Args:
            session: One input of shape (1, 3, side, side), one output of shape (1, dimensions).
            landmarker: The pack's; used if ``preprocessing`` asks for MediaPipe's mesh and this locates it.

        Raises:
            ValueError: The session has other shapes.
        """
        inputs, outputs = session.get_inputs(), session.get_outputs()
        expects, gives = list(inputs[0].shape), list(outputs[0].shape)
        # The batch size may be a name; the other sides must be numbers.
        sides = [*expects[1:], *gives[1:]]
        if (
            (len(inputs), len(expects), len(outputs), len(gives)) != (1, 4, 1, 2)
            or not all(isinstance(side, int) for side in sides)
            or (expects[1], expects[2]) != (3, expects[3])
        ):
            raise ValueError(f"expected a batch of square RGB images to a batch of templates, got {sides}")
        self._session = session
        self._input = str(inputs[0].name)
        self._mean, self._std = (
            np.array(values, dtype=np.float32).reshape(1, 3, 1, 1)
            for values in (preprocessing.mean, preprocessing.std)
        )
        self._size = int(expects[3])
        self._dimensions = int(gives[1])
        self._mirror_average = preprocessing.mirror_average
        has_mesh = landmarker is not None and landmarker.scheme == "mediapipe478"
        self._landmarker = landmarker if preprocessing.mesh_points and has_mesh else None
        points = "five-points" if self._landmarker is None else "mesh-points"
        self._described = _described(preprocessing, f"{points}-{self._size}")

    @property
    def dimensions(self) -> int:
        """Length of a template."""
        return self._dimensions

    @property
    def aligns_by_mesh(self) -> bool:
        """Whether MediaPipe's mesh, and not the detector, gives the points by which faces are aligned."""
        return self._landmarker is not None

    @property
    def preprocessing(self) -> str:
        """Alignment, normalisation, and whether the mirror image is added; part of a template's id."""
        return self._described

    def embed(
        self,
        image: BgrImage,
        face: DetectedFace,
        landmarks: Landmarks | None = None,
        *,
        mirrored: bool = True,
    ) -> Embedding:
        """Return the template of ``face``, of length 1.

        A face without a mesh, such as a profile in a scan, is aligned by the detector's points. Photos of
        such faces are no portraits, and are in no calibration (``Pack.shows_features``).

        Raises:
            ModelFailed: A model could not be run or gave no usable template.
        """
        found = None
        if self._landmarker is not None:
            found = mesh_points(self._landmarker.locate(image, face) if landmarks is None else landmarks)
        aligned = align_face(image, face.five_points if found is None else found, self._size)
        template = self._run(aligned)
        if self._mirror_average and mirrored:
            template = template + self._run(aligned[:, ::-1])
        return to_unit_length(template)

    def _run(self, aligned: BgrImage) -> NDArray[np.float32]:
        rgb = cv2.cvtColor(np.ascontiguousarray(aligned), cv2.COLOR_BGR2RGB)
        batch = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32)
        normalised = ((batch - self._mean) / self._std).astype(np.float32)
        try:
            return to_unit_length(self._session.run(None, {self._input: normalised})[0][0])
        except ModelFailed:
            raise
        except Exception as error:
            raise ModelFailed(f"the embedder failed ({type(error).__name__})") from error


def _described(preprocessing: EmbedderPreprocessing, points: str) -> str:
    mean, std = (
        ",".join(f"{value:g}" for value in values) for values in (preprocessing.mean, preprocessing.std)
    )
    mirror = "+mirror" if preprocessing.mirror_average else ""
    return f"{points};mean={mean};std={std}{mirror}"


class OnnxPadNetwork:
    """A PAD network that classifies one crop of a face with its surroundings.

    Implements ``vision.packs.interfaces.PadNetwork``.
    """

    def __init__(self, *, name: str, session: OnnxSession, preprocessing: PadPreprocessing) -> None:
        """Wrap a loaded network.

        Args:
            name: Its name in results.
            session: One input of shape (1, 3, size, size), one output of shape (1, classes): logits.

        Raises:
            PackFileUnusable: The network's shapes are not those that the catalogue states.
        """
        inputs, outputs = session.get_inputs(), session.get_outputs()
        expected = [3, preprocessing.size, preprocessing.size]
        if len(inputs) != 1 or list(inputs[0].shape[1:]) != expected or len(outputs[0].shape) != 2:
            raise PackFileUnusable(
                f"the PAD network {name} has another input or output than the catalogue states "
                f"(batch x {' x '.join(map(str, expected))} to batch x classes)"
            )
        classes = outputs[0].shape[1]
        if isinstance(classes, int) and not 0 <= preprocessing.real_class < classes:
            raise PackFileUnusable(f"the PAD network {name} has no class {preprocessing.real_class}")
        self._name = name
        self._session = session
        self._input = str(inputs[0].name)
        self._preprocessing = preprocessing

    @property
    def name(self) -> str:
        """The network's name in results."""
        return self._name

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        """Return the network's own probability, 0..1, that ``face`` is a bona fide presentation.

        Raises:
            ModelFailed: The network could not be run.
        """
        try:
            logits = self._session.run(None, {self._input: self._blob(image, face)})[0][0]
        except Exception as error:
            raise ModelFailed(f"the PAD network {self._name} failed ({type(error).__name__})") from error
        weights = np.exp(logits.astype(np.float64) - float(logits.max()))
        return float(weights[self._preprocessing.real_class] / weights.sum())

    def crops(self, image: BgrImage, face: DetectedFace) -> tuple[BgrImage, ...]:
        """Return the network's input: one crop, shape (size, size, 3), before its colours are scaled."""
        return (self._crop(image, face),)

    def _crop(self, image: BgrImage, face: DetectedFace) -> BgrImage:
        wanted = self._preprocessing
        take = context_crop if wanted.crop == "reflect" else clamped_crop
        return take(image, face.box, wanted.crop_scale, wanted.size)

    def _blob(self, image: BgrImage, face: DetectedFace) -> NDArray[np.float32]:
        wanted = self._preprocessing
        crop = self._crop(image, face)
        if wanted.colour == "RGB":
            crop = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        scaled = crop.astype(np.float32) / np.float32(wanted.divide_by)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


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


def load_mediapipe(file: VerifiedFile) -> Landmarker:
    """Load MediaPipe's dense landmarks.

    Raises:
        PackFileUnusable: The runtime cannot load the file.
    """
    # Imported where it is used, because not every pack has landmarks of this kind.
    from vision.packs.mediapipe_landmarker import load_mediapipe_landmarker

    return load_mediapipe_landmarker(file.content, name=file.path.name)


def _embedder(file: VerifiedFile, runtime: RuntimeOptions, landmarker: Landmarker | None) -> ArcFaceEmbedder:
    wanted = _stated(file.entry.embedder, file.entry)
    bounds = [
        (pixel - mean) / std
        for mean, std in zip(wanted.mean, wanted.std, strict=True)
        for pixel in (0.0, _BRIGHTEST)
    ]
    session = create_fast_session(
        file.content, runtime, name=file.path.name, input_range=(min(bounds), max(bounds))
    )
    try:
        return ArcFaceEmbedder(session, wanted, landmarker)
    except (ValueError, IndexError) as error:
        raise PackFileUnusable(f"{file.path.name} is not an embedder: {error}") from error


def make_pack(
    files: PackFiles,
    *,
    name: str,
    detector: FaceDetector,
    landmarker: Landmarker | None,
    runtime: RuntimeOptions,
    session: OnnxSession,
) -> Pack:
    """Return a pack of loaded models, with the embedder and the PAD networks of its files.

    The models are made from ``files``; ``session`` is one of the sessions, which states the provider in use.

    Raises:
        PackIncomplete: There is no calibration for the embedder.
        PackFileUnusable: The runtime cannot load the embedder or a PAD network.
        PackDataInvalid: The catalogue does not state their preprocessing.
    """
    embedder = _embedder(files.embedder, runtime, landmarker)
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

"""The types of a loaded pack: models ready for use, with their terms, files and calibration."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from vision.errors import CalibrationUnusable, PackDataInvalid, PackNotFound
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.packs.calibration import CALIBRATES, MatchCalibration, parse_calibration
from vision.packs.interfaces import Embedder, FaceDetector, Landmarker, PadNetwork, Template, TemplateForm


@dataclass(frozen=True, slots=True)
class LicenceTerms:
    """The terms of a part of a pack.

    Attributes:
        part: The file, or the part of the pack, to which the terms apply.
        training_data: The known facts about the training data and its terms, in plain words.
    """

    part: str
    weights: str
    training_data: str


@dataclass(frozen=True, slots=True)
class PackFile:
    """One loaded file, identified by its hash.

    Attributes:
        name: File name without folder.
        role: ``"detector"``, ``"landmarks"``, ``"embedder"`` or ``"pad"``.
        sha256: SHA-256 of the bytes that were loaded, lower-case hex.
    """

    name: str
    role: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Pack:
    """A set of models, loaded and verified. Safe to share between threads.

    Attributes:
        name: Name in results and evidence, such as ``"embedded"`` or ``"insightface"``.
        version: Changes whenever the loaded files or their preprocessing do; see
            ``vision.packs.pack_files.pack_version``.
        evaluation_only: Whether the terms or the quality of a part allow evaluation only.
        landmarker: Locates dense landmarks; ``None`` if the pack has no such model.
        template_form: How the embedder makes templates. Only templates of one form can be compared.
        pad_networks: Presentation attack detection networks, possibly none.
        missing_pad_networks: Names of the catalogue's PAD networks that the pack should have and lacks. Its
            liveness is weaker without them.
        match_calibration: The false match rates of this embedder's cosines.
        runtime: One plain sentence for the log: runtime, provider, and the reason for the provider.
        on_gpu: Whether ONNX Runtime runs the models on a GPU.
    """

    name: str
    version: str
    evaluation_only: bool
    terms: tuple[LicenceTerms, ...]
    files: tuple[PackFile, ...]
    detector: FaceDetector
    landmarker: Landmarker | None
    embedder: Embedder
    template_form: TemplateForm
    pad_networks: tuple[PadNetwork, ...]
    match_calibration: MatchCalibration
    runtime: str
    missing_pad_networks: tuple[str, ...] = ()
    on_gpu: bool = False

    def shows_features(self, image: BgrImage, face: DetectedFace) -> bool:
        """Return whether the dense landmarks of ``face`` are found; True without a landmarker.

        A photo without them, such as a profile, is no portrait, and calibrations leave it out: two profiles
        resemble each other more than two people do.

        Raises:
            ModelFailed: The landmarker could not process the image.
        """
        return self.landmarker is None or self.landmarker.locate(image, face) is not None

    def template(
        self,
        image: BgrImage,
        face: DetectedFace,
        landmarks: Landmarks | None = None,
        *,
        mirrored: bool = True,
    ) -> Template:
        """Return the template of ``face``, with the id of its form; the arguments are those of ``Embedder``.

        Raises:
            ModelFailed: The embedder could not process the image.
        """
        embedding = self.embedder.embed(image, face, landmarks, mirrored=mirrored)
        return Template(embedding, self.template_form.id)


# A calibration of the operator: measured on the operator's photos, or published for the embedder.
#
# It replaces the packaged one, so a policy may demand the error rates that its figures support. The server
# trusts the figures, and every result names their origin. It tests only that they are of this embedder,
# that they have a record, and that measured ones claim no bound that the number of persons cannot support.

_MOST_BYTES: Final = 1024 * 1024
# Without one false match in n pairs of persons, the one-sided 90 % bound on FMR is 2.3 / n. Decisions
# about people need at least this confidence.
_LEAST_CONFIDENCE: Final = 0.9


def read_bounded_text(path: Path, *, what: str, most_bytes: int) -> str:
    """Return the text of an operator's file; ``what`` names it in messages.

    Raises:
        PackNotFound: The file cannot be read.
        PackDataInvalid: It is too long, or not UTF-8.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(most_bytes + 1)
    except OSError as error:
        raise PackNotFound(
            f"{what} cannot be read ({error.strerror or type(error).__name__}): check the file and its "
            "permissions"
        ) from error
    if len(content) > most_bytes:
        raise PackDataInvalid(f"{what} has more than {most_bytes} bytes: it is no such file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PackDataInvalid(f"{what} is not UTF-8 at byte {error.start}") from error


def read_operator_calibration(path: Path) -> MatchCalibration:
    """Read an operator's calibration file, in the form of ``vision.packs.calibration``.

    Raises:
        PackNotFound: The file cannot be read.
        PackDataInvalid: The file is not a calibration file.
        CalibrationUnusable: Its figures are assumed, or claim more than its record supports.
    """
    text = read_bounded_text(path, what=f"the calibration {path}", most_bytes=_MOST_BYTES)
    calibration = parse_calibration(text, source=f"the calibration {path}", origin="operator")
    _validate_record(calibration, path)
    return calibration


def with_calibration(pack: Pack, calibration: MatchCalibration) -> Pack:
    """Return ``pack`` with another calibration of its embedder.

    Raises:
        CalibrationUnusable: The calibration is of another embedder, or of another form of its templates.
    """
    embedder = next(file for file in pack.files if file.role == "embedder")
    if calibration.embedder_sha256 != embedder.sha256:
        raise CalibrationUnusable(
            f"the calibration is of the embedder with SHA-256 {calibration.embedder_sha256}, but "
            f"{embedder.name} of the pack {pack.name} has {embedder.sha256}: cosines of one embedder say "
            f"nothing about another's. Calibrate this pack with {CALIBRATES}."
        )
    if calibration.template and calibration.template != pack.template_form.id:
        raise CalibrationUnusable(
            f"the calibration is of templates of the form {calibration.template}, but the pack {pack.name} "
            f"makes those of {pack.template_form.id}: calibrate it again with {CALIBRATES}"
        )
    if calibration.cohort is not None and calibration.cohort.mean.size != pack.template_form.dimensions:
        raise CalibrationUnusable(
            f"the calibration's cohort has templates of {calibration.cohort.mean.size} numbers, but those of "
            f"the pack {pack.name} have {pack.template_form.dimensions}: calibrate the pack again"
        )
    return replace(pack, match_calibration=calibration)


def _validate_record(calibration: MatchCalibration, path: Path) -> None:
    record = calibration.record
    if record.provenance == "assumed":
        raise CalibrationUnusable(
            f'the calibration {path} is assumed: provide figures that are "measured" on your own photos '
            f'({CALIBRATES}) or "published" for this embedder, with their reference'
        )
    if record.provenance == "published":
        return
    if not (record.dataset.strip() and record.command.strip() and record.genuine_pairs):
        raise CalibrationUnusable(
            f"the calibration {path} states that it is measured, but its record lacks a dataset, command or "
            f"genuine pairs. Make it with {CALIBRATES}."
        )
    person_pairs = min(record.identities * (record.identities - 1) // 2, record.impostor_pairs)
    least = -math.log(1.0 - _LEAST_CONFIDENCE) / person_pairs if person_pairs else 1.0
    if calibration.lowest_bound < least:
        raise CalibrationUnusable(
            f"the calibration {path} states a bound on FMR of {calibration.lowest_bound:g}, but "
            f"{record.identities} identities with {record.impostor_pairs} impostor pairs support none below "
            f"{least:.2g}. Make it with {CALIBRATES}."
        )

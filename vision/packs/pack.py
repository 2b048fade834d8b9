"""The types of a loaded pack: models ready for use, with their terms, files and calibration."""

from dataclasses import dataclass

from vision.face import BgrImage, DetectedFace
from vision.packs.calibration import MatchCalibration
from vision.packs.interfaces import Embedder, FaceDetector, Landmarker, PadNetwork
from vision.packs.templates import Template, TemplateForm

__all__ = ["LicenceTerms", "Pack", "PackFile"]


@dataclass(frozen=True, slots=True)
class LicenceTerms:
    """The terms of a part of a pack.

    Attributes:
        part: The file, or the part of the pack, to which the terms apply.
        weights: Licence of the weights, in plain words.
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
            ``vision.packs.verified_file.pack_version``.
        evaluation_only: Whether the terms or the quality of a part allow evaluation only.
        terms: The terms of every part.
        files: Every file loaded.
        detector: Detects faces.
        landmarker: Locates dense landmarks; ``None`` if the pack has no such model.
        embedder: Makes templates.
        template_form: How the embedder makes them. Only templates of one form can be compared.
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

    def template(self, image: BgrImage, face: DetectedFace) -> Template:
        """Return the template of ``face``, with the id of its form.

        Raises:
            ModelFailed: The embedder could not process the image.
        """
        return Template(self.embedder.embed(image, face), self.template_form.id)

"""What a loaded pack is: models ready for use, and everything that must be said about them."""

from dataclasses import dataclass

from vision.packs.calibration import MatchCalibration
from vision.packs.interfaces import Embedder, FaceDetector, Landmarker, PadNetwork

__all__ = ["LicenceTerms", "Pack", "PackFile"]


@dataclass(frozen=True, slots=True)
class LicenceTerms:
    """Under which terms a part of a pack may be used.

    Attributes:
        part: The file, or the part of the pack, that the terms are about.
        weights: Licence of the weights, in plain words.
        training_data: What is known of the training data and its terms, in plain words.
    """

    part: str
    weights: str
    training_data: str


@dataclass(frozen=True, slots=True)
class PackFile:
    """One file that was loaded, and the proof of which one.

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
        version: Changes whenever the loaded files or their preprocessing do: see
            ``vision.packs.verified_file.pack_version``. Templates of two versions do not compare.
        evaluation_only: True where the terms or the quality of a part allow evaluation only.
        terms: Terms of every part.
        files: Every file loaded.
        detector: Finds faces.
        landmarker: Finds dense landmarks; None where the pack has no such model.
        embedder: Makes templates.
        pad_networks: Presentation attack detection networks, possibly none.
        missing_pad_networks: Names of the catalogue's PAD networks that the pack should have and lacks. Its
            liveness is weaker without them.
        match_calibration: What a cosine of this pack's embedder is worth.
        runtime: One plain sentence for the log: which runtime and provider run the models, and why.
    """

    name: str
    version: str
    evaluation_only: bool
    terms: tuple[LicenceTerms, ...]
    files: tuple[PackFile, ...]
    detector: FaceDetector
    landmarker: Landmarker | None
    embedder: Embedder
    pad_networks: tuple[PadNetwork, ...]
    match_calibration: MatchCalibration
    runtime: str
    missing_pad_networks: tuple[str, ...] = ()

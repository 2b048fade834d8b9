"""What analyses answer, free of the wire's types, and what they worked on for whoever shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from liveness.express.interface import FrameCues, PadScore
from liveness.observation import ScanObservations
from liveness.selfie import SelfieResult
from liveness.signal import Signal
from liveness.verdict import AttackType, LivenessResult, Verdict
from server.analysis.errors import AnalysisCode
from vision.errors import ModelFailed
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.image_format import ImageHeader
from vision.isolation.video import VideoContainer

__all__ = [
    "ATTACK_CODES",
    "AnalysisMode",
    "AnalysisProblem",
    "ImageAnalysis",
    "ImageStudy",
    "SelectedFrame",
    "VideoAnalysis",
    "VideoSource",
    "VideoStudy",
]

ATTACK_CODES: Mapping[AttackType, int] = {
    AttackType.REAL: 0,
    AttackType.PRINT: 1,
    AttackType.SCREEN_REPLAY: 2,
    AttackType.PAPER_MASK: 3,
    AttackType.MASK_3D: 4,
    AttackType.DEEPFAKE: 5,
    AttackType.INJECTION: 6,
    AttackType.UNKNOWN: 7,
}
"""The number of each attack type; part of the contract, so that a number is never given to another type."""

_PERCENT = 100.0


class AnalysisMode(StrEnum):
    """How much is done for a selfie."""

    BASIC = "BASIC"
    """The eight signals and their sum."""
    FULL = "FULL"
    """Beside them the PAD networks and the cues of recapture, judged by the fusion model."""


@dataclass(frozen=True, slots=True)
class AnalysisProblem:
    """Why a picture that could be read has no verdict.

    Attributes:
        code: NO_FACE_DETECTED, MULTIPLE_FACES_DETECTED or INFERENCE_ERROR.
        message: For people: what was found and what to do.
    """

    code: AnalysisCode
    message: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ImageStudy:
    """What an analysis of a selfie worked on. Biometric data: never logged, never sent.

    Attributes:
        pixels: The upright picture, shape (height, width, 3), BGR.
        faces: The faces that count as persons, largest first.
        landmarks: Dense landmarks of the first; ``None`` where the pack finds none.
        pad_scores: What each PAD network said, ``frame_index`` 0; empty in BASIC.
        cues: The cues of recapture, one entry at most; empty in BASIC.
    """

    pixels: BgrImage
    faces: tuple[DetectedFace, ...]
    landmarks: Landmarks | None = None
    pad_scores: tuple[PadScore, ...] = ()
    cues: tuple[FrameCues, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAnalysis:
    """What was found in a selfie: either ``selfie``, or the problem.

    Attributes:
        header: What the file declares: format, stored size, orientation.
        selfie: Verdict and eight signals; ``None`` where there is a problem.
        problem: Why there is no verdict; ``None`` where there is one.
        full: The fusion's verdict on this one frame; ``None`` in BASIC and where there is a problem.
        study: What it worked on; ``None`` where a model failed.
        failure: What a model failed with, for the operator's log; ``None`` where none did.
    """

    header: ImageHeader
    selfie: SelfieResult | None
    problem: AnalysisProblem | None
    full: LivenessResult | None = None
    study: ImageStudy | None = field(default=None, repr=False, compare=False)
    failure: ModelFailed | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSource:
    """What was read of a video, or of a sequence of still frames.

    Attributes:
        container: The file's container; ``None`` for still frames.
        frames: Frames that were measured; of a fast video not every one is.
        usable: Those of them in which exactly one face is seen.
        seconds: From the first frame of the file to the last; ``None`` for still frames, whose times are
            not known.
        other_size: Frames of another size than the first, left out.
        repeated: Still frames that are an earlier one over again, left out; 0 for a file.
        complete: False where the file breaks or ends before what it declares; the frames are those before.
    """

    container: VideoContainer | None
    frames: int
    usable: int
    seconds: float | None
    other_size: int
    repeated: int
    complete: bool


@dataclass(frozen=True, slots=True, eq=False)
class SelectedFrame:
    """A frame that the expensive models saw.

    Attributes:
        index: Its index among the analysed frames, from 0.
        capture_time: Seconds from the first frame; for still frames its index, which is no time.
        pixels: The upright picture, shape (height, width, 3), BGR.
        face: The face in it.
    """

    index: int
    capture_time: float
    pixels: BgrImage
    face: DetectedFace


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class VideoStudy:
    """What an analysis of a video worked on. Biometric data: never logged, never sent.

    Attributes:
        observations: What was measured on every frame.
        selected: The frames that the expensive models saw, in order.
        pad_scores: What each PAD network said of them.
        cues: The cues of recapture of some of them.
    """

    observations: ScanObservations
    selected: tuple[SelectedFrame, ...]
    pad_scores: tuple[PadScore, ...]
    cues: tuple[FrameCues, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoAnalysis:
    """What was found in a video.

    Attributes:
        source: What was read.
        liveness: The fusion's verdict, with every signal.
        study: What it worked on.
    """

    source: VideoSource
    liveness: LivenessResult
    study: VideoStudy = field(repr=False, compare=False)

    @property
    def is_real(self) -> bool:
        """Whether the verdict is LIVE."""
        return self.liveness.verdict is Verdict.LIVE

    @property
    def is_spoof(self) -> bool:
        """Whether the verdict is SPOOF; an INCONCLUSIVE one is neither real nor a spoof."""
        return self.liveness.verdict is Verdict.SPOOF

    @property
    def real_probability(self) -> float:
        """That the face is real, 0..1."""
        return self.liveness.confidence / _PERCENT

    @property
    def confidence(self) -> float:
        """Of the likelier of the two answers, 0.5..1, whether or not it sufficed for a verdict."""
        return max(self.real_probability, 1.0 - self.real_probability)

    @property
    def attack_type(self) -> int:
        """The attack type's number, see ``ATTACK_CODES``."""
        return ATTACK_CODES[self.liveness.attack_type]

    @property
    def attack_type_name(self) -> str:
        """The attack type's name, lower_snake_case."""
        return self.liveness.attack_type.value.lower()

    @property
    def attack_type_confidence(self) -> float:
        """How sure of the attack type, 0..1."""
        return self.liveness.attack_type_confidence / _PERCENT

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Every signal, assessed or not."""
        return self.liveness.signals

"""The results and errors of analyses, independent of the wire, and the data that they used, for display.

The codes are those of the older selfie API (docs/analysis.md). An error of the request is an
``AnalysisRefused``, which is a ``server.base.errors.Refusal`` with that API's code beside its reason. An
image without a face and a model that failed are responses of a successful call (``AnalysisProblem``).
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from attempt import VideoStudy
from formats.image_format import ImageHeader
from liveness import AttackType, LivenessResult, Signal, Verdict
from liveness.express import FrameCues, PadScore
from liveness.selfie import INCONCLUSIVE_MARGIN, SelfieResult
from server.analysis.assessment import Assessment
from server.base.errors import Reason, Refusal
from vision.errors import ModelFailed
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.isolation.video import VideoContainer


class AnalysisCode(StrEnum):
    """Why there is no verdict."""

    INVALID_REQUEST = "INVALID_REQUEST"
    """The file is missing, too large or not readable; the reason states which."""
    NO_FACE_DETECTED = "NO_FACE_DETECTED"
    """No face was found."""
    MULTIPLE_FACES_DETECTED = "MULTIPLE_FACES_DETECTED"
    """More than one face was found, so the person to analyse is ambiguous. Only Facegate has this code."""
    INFERENCE_ERROR = "INFERENCE_ERROR"
    """A model failed; the same request may succeed."""
    SERVER_ERROR = "SERVER_ERROR"
    """The server failed."""


class AnalysisRefused(Refusal):
    """A refused analysis request: the file cannot be analysed, or the messages are not as the API demands.

    Attributes:
        code: The code of the contract; also in ``details``.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        details: Mapping[str, str | int | float] | None = None,
        code: AnalysisCode = AnalysisCode.INVALID_REQUEST,
    ) -> None:
        super().__init__(reason, message, details={"code": code.value, **(details or {})})
        self.code = code


_IMAGE_BYTES = 8
_VIDEO_BYTES = 9


def image_request_id() -> str:
    """Return ``lv_`` and 16 hexadecimal digits as in the older selfie API."""
    return f"lv_{secrets.token_hex(_IMAGE_BYTES)}"


def video_inference_id() -> str:
    """Return ``inf_`` and 18 hexadecimal digits, as in the older video API."""
    return f"inf_{secrets.token_hex(_VIDEO_BYTES)}"


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
"""The number of each attack type. It is part of the contract: a number is never assigned to another type."""

_PERCENT = 100.0


class AnalysisMode(StrEnum):
    """The extent of the analysis of a selfie."""

    BASIC = "BASIC"
    """The eight signals and their sum."""
    FULL = "FULL"
    """In addition, the PAD networks and the cues of recapture, judged by the fusion model."""


@dataclass(frozen=True, slots=True)
class AnalysisProblem:
    """Why an image that could be decoded has no verdict.

    Attributes:
        code: NO_FACE_DETECTED, MULTIPLE_FACES_DETECTED or INFERENCE_ERROR.
        message: The problem and its remedy, for people.
    """

    code: AnalysisCode
    message: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ImageStudy:
    """The data that an analysis of a selfie used. It is biometric: never logged, never sent.

    Attributes:
        pixels: The upright image, shape (height, width, 3), BGR.
        faces: The faces that count as persons, the subject first.
        landmarks: Dense landmarks of the first face; ``None`` if the pack finds none.
        pad_scores: The score of each PAD network, ``frame_index`` 0; empty in BASIC.
        cues: The cues of recapture, one entry at most; empty in BASIC.
    """

    pixels: BgrImage
    faces: tuple[DetectedFace, ...]
    landmarks: Landmarks | None = None
    pad_scores: tuple[PadScore, ...] = ()
    cues: tuple[FrameCues, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAnalysis:
    """The analysis of a selfie: either ``selfie`` or ``problem`` is set.

    Attributes:
        header: The header of the file: format, stored size, orientation.
        selfie: Verdict and eight signals; ``None`` if there is a problem.
        problem: Why there is no verdict; ``None`` if there is one.
        full: The verdict of the fusion model on this one frame; ``None`` in BASIC and if there is a problem.
        study: The data that the analysis used; ``None`` if a model failed.
        failure: The exception of a failed model, for the operator's log; ``None`` if none failed.
        assessment: The extent of the assessment, which bounds the confidence of LIVE; ``None`` without a
            verdict.
    """

    header: ImageHeader
    selfie: SelfieResult | None
    problem: AnalysisProblem | None
    full: LivenessResult | None = None
    study: ImageStudy | None = field(default=None, repr=False, compare=False)
    failure: ModelFailed | None = field(default=None, repr=False, compare=False)
    assessment: Assessment | None = None

    @property
    def scope(self) -> str:
        """The extent of the assessment, in words; empty without a verdict."""
        if self.assessment is None or self.selfie is None:
            return ""
        if self.full is not None:
            live = self.full.policy.live_threshold / _PERCENT
            return self.assessment.words(self.full.verdict, live=live)
        live = self.selfie.threshold + INCONCLUSIVE_MARGIN
        return self.assessment.words(self.selfie.verdict, live=live)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSource:
    """The part of a video, or of a sequence of still frames, that was read.

    Attributes:
        container: The container of the file; ``None`` for still frames.
        frames: Frames that were measured. Not every frame of a fast video is measured.
        usable: Measured frames in which exactly one face was found.
        seconds: Time from the first frame of the file to the last; ``None`` for still frames, because their
            times are not known.
        other_size: Frames whose size differs from the usual one; they are not measured.
        repeated: Still frames that repeat an earlier one; they are not measured. 0 for a file.
        complete: False if the file is damaged or shorter than declared; ``frames`` are those before the
            damage.
    """

    container: VideoContainer | None
    frames: int
    usable: int
    seconds: float | None
    other_size: int
    repeated: int
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoAnalysis:
    """The analysis of a video.

    Attributes:
        source: The part of the video that was read.
        liveness: The verdict of the fusion model, with every signal.
        study: The data that the analysis used.
        assessment: The extent of the assessment, which bounds the confidence of LIVE.
    """

    source: VideoSource
    liveness: LivenessResult
    study: VideoStudy = field(repr=False, compare=False)
    assessment: Assessment

    @property
    def scope(self) -> str:
        """The extent of the assessment, in words."""
        live = self.liveness.policy.live_threshold / _PERCENT
        return self.assessment.words(self.liveness.verdict, live=live)

    @property
    def is_real(self) -> bool:
        """Whether the verdict is LIVE."""
        return self.liveness.verdict is Verdict.LIVE

    @property
    def is_spoof(self) -> bool:
        """Whether the verdict is SPOOF. An INCONCLUSIVE verdict is neither real nor a spoof."""
        return self.liveness.verdict is Verdict.SPOOF

    @property
    def real_probability(self) -> float:
        """The probability that the face is real, 0..1."""
        return self.liveness.confidence / _PERCENT

    @property
    def confidence(self) -> float:
        """The probability of the likelier class, 0.5..1, even if it does not suffice for a verdict."""
        return max(self.real_probability, 1.0 - self.real_probability)

    @property
    def attack_type(self) -> int:
        """The number of the attack type; see ``ATTACK_CODES``."""
        return ATTACK_CODES[self.liveness.attack_type]

    @property
    def attack_type_name(self) -> str:
        """The name of the attack type, in lower_snake_case."""
        return self.liveness.attack_type.value.lower()

    @property
    def attack_type_confidence(self) -> float:
        """The confidence in the attack type, 0..1."""
        return self.liveness.attack_type_confidence / _PERCENT

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Every signal, whether measured or not."""
        return self.liveness.signals

"""The report on one file, from this process or a server. The source of the table, the JSON and the page.

As JSON it is the older selfie API's envelope, with its names, and the older video API's result.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from attempt import VideoStudy
from formats.exif import ExifTags
from liveness import Signal, Verdict
from server.analysis.results import ImageStudy, image_request_id

_DIGITS: Final = 4
_MODEL_ID: Final = "face_liveness"
_MODEL_NAME: Final = "Face Liveness Detection"


class FileKind(StrEnum):
    """The kind of a file, or of several files together."""

    IMAGE = "picture"
    VIDEO = "video"
    STILLS = "still frames"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The thresholds between the verdicts, as confidences 0..1.

    Attributes:
        spoof: SPOOF up to this confidence, or below it.
        live: LIVE from this confidence; INCONCLUSIVE between the two.
        stated: The one threshold that the report states; None if it states none.
    """

    spoof: float
    live: float
    stated: float | None = None

    @property
    def words(self) -> str:
        """Return the thresholds as a sentence."""
        # The sum's SPOOF ends before its band, the fusion's with its threshold.
        until = "up to" if self.stated is None else "below"
        return f"SPOOF {until} {self.spoof:.2f}, LIVE from {self.live:.2f}, INCONCLUSIVE between"


@dataclass(frozen=True, slots=True)
class Attack:
    """The most likely kind of attack.

    Attributes:
        number: Number in the contract; 0 is a real face.
        name: Lower snake case, such as ``"screen_replay"``.
        confidence: 0..1.
    """

    number: int
    name: str
    confidence: float

    @property
    def telling(self) -> bool:
        """Whether this names a kind of attack."""
        return self.name not in {"", "real", "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVerdict:
    """One verdict and its reasons.

    Attributes:
        confidence: Confidence that the person is live, 0..1.
        thresholds: See ``Thresholds``; None if they are unknown, such as those of a server's policy.
        signals: Every signal, in the order of the analysis.
        attack: The likely attack; None for the sum of the eight signals, which names none.
        explanations: The reasons, in sentences, most important first; empty for the sum of the eight
            signals.
    """

    verdict: Verdict
    confidence: float
    thresholds: Thresholds | None
    signals: tuple[Signal, ...]
    attack: Attack | None = None
    explanations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """The reason why there is no verdict.

    Attributes:
        code: A code of the contract, such as ``"NO_FACE_DETECTED"``.
        reason: More specific than the code, such as ``"VIDEO_TOO_LONG"``; empty if there is none.
    """

    code: str
    message: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """The report on one file.

    Attributes:
        files: The file; several for still frames that belong together.
        kind: Kind of the file; None if it is unknown.
        request_id: ``lv_`` and 16 hexadecimal digits; for a video, its inference id.
        started: Start of the analysis, UTC.
        finished: End of the analysis, UTC.
        selfie: The sum of the eight signals; for images only.
        fusion: The fusion's judgement of a video, or of an image in full mode.
        problem: Reason why there is no verdict; None if there is one.
        face_detected: Whether the detector found a face with sufficient confidence.
        assessment: Sentences on the extent of the assessment; empty without a verdict, and from a server
            that does not state it.
        facts: Properties of the file as words, by name, such as the size.
    """

    files: tuple[Path, ...]
    kind: FileKind | None
    request_id: str
    started: datetime
    finished: datetime
    selfie: FileVerdict | None = None
    fusion: FileVerdict | None = None
    problem: Problem | None = None
    face_detected: bool = True
    assessment: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def deciding(self) -> FileVerdict | None:
        """The judgement that gives the verdict: the fusion's if there is one, else the sum's.

        In full mode an image has both; the fusion uses more signals.
        """
        return self.fusion or self.selfie

    @property
    def why(self) -> str:
        """The reason of the problem or of the verdict, in a few words; empty if there is none."""
        if self.problem is not None:
            return self.problem.reason or self.problem.code
        decided = self.deciding
        if decided is None:
            return ""
        failed = (signal.name for signal in decided.signals if signal.passed is False)
        return " ".join(decided.explanations) or ", ".join(failed)

    @property
    def seconds(self) -> float:
        """Duration of the analysis."""
        return (self.finished - self.started).total_seconds()


def blank_finding(files: tuple[Path, ...]) -> FileReport:
    """Return the report on a file before its analysis."""
    now = datetime.now(UTC)
    return FileReport(
        files=files,
        kind=None,
        request_id=image_request_id(),
        started=now,
        finished=now,
        face_detected=False,
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ExplainedFile:
    """One file's report, with the images and measurements behind it."""

    finding: FileReport
    image: ImageStudy | None = field(default=None, repr=False)
    video: VideoStudy | None = field(default=None, repr=False)
    exif: ExifTags | None = field(default=None, repr=False)


def as_json_line(finding: FileReport) -> str:
    """Return the envelope as one line of ASCII. With JSON Lines, many files need no array in memory."""
    return json.dumps(as_envelope(finding), separators=(", ", ": "))


def as_envelope(finding: FileReport) -> Mapping[str, Any]:
    """Return the envelope: ``status``, ``request_id``, ``timestamp``, ``result`` and ``error``, always all.

    ``status`` is ``"success"`` with a result and null as error, or ``"error"`` with an error and null as
    result. Beside them, an image's envelope has ``full`` in full mode, and the envelope of a result has
    ``assessment``, like the service's response.
    """
    problem, result = finding.problem, None
    if problem is None:
        result = _image(finding) if finding.kind is FileKind.IMAGE else _video(finding)
    envelope = {
        "status": "error" if problem else "success",
        "request_id": finding.request_id,
        "timestamp": _moment(finding.finished),
        "result": result,
        "error": None if problem is None else {"code": problem.code, "message": problem.message},
    }
    if finding.kind is FileKind.IMAGE and finding.fusion is not None:
        envelope["full"] = _judgement(finding.fusion)
    if problem is None:
        envelope["assessment"] = finding.assessment
    return envelope


def _image(finding: FileReport) -> Mapping[str, Any]:
    selfie = finding.selfie
    if selfie is None:
        raise ValueError("an image without a problem must have the sum of its signals")
    return {
        "verdict": selfie.verdict.value,
        "confidence": _rounded(selfie.confidence),
        "threshold": None if selfie.thresholds is None else selfie.thresholds.stated,
        "face_detected": finding.face_detected,
        "signals": _signals(selfie.signals),
    }


def _video(finding: FileReport) -> Mapping[str, Any]:
    fusion = finding.fusion
    if fusion is None:
        raise ValueError("a video without a problem must have a judgement")
    attack = fusion.attack or Attack(number=0, name="", confidence=0.0)
    real = fusion.confidence
    return {
        "inference_id": finding.request_id,
        "model_id": _MODEL_ID,
        "model_name": _MODEL_NAME,
        "moderation_type": "video",
        "status": "completed",
        "result": {
            "is_real": fusion.verdict is Verdict.LIVE,
            "is_spoof": fusion.verdict is Verdict.SPOOF,
            "real_probability": _rounded(real),
            "confidence": _rounded(max(real, 1 - real)),
            "attack_type": attack.number,
            "attack_type_name": attack.name,
            "attack_type_confidence": _rounded(attack.confidence),
        },
        "response_time_ms": round(1000 * finding.seconds),
        "created_at": _moment(finding.started),
        "completed_at": _moment(finding.finished),
        "verdict": fusion.verdict.value,
        "explanations": list(fusion.explanations),
        "signals": _signals(fusion.signals),
        "video": dict(finding.values),
    }


def _judgement(judgement: FileVerdict) -> Mapping[str, Any]:
    attack = judgement.attack
    return {
        "verdict": judgement.verdict.value,
        "confidence": _rounded(judgement.confidence),
        "attack_type": None if attack is None else attack.number,
        "attack_type_name": None if attack is None else attack.name,
        "attack_type_confidence": None if attack is None else _rounded(attack.confidence),
        "explanations": list(judgement.explanations),
        "signals": _signals(judgement.signals),
    }


def _signals(signals: Iterable[Signal]) -> list[Mapping[str, Any]]:
    return [
        {
            "name": signal.name,
            "label": signal.label,
            "score": None if signal.score is None else _rounded(signal.score),
            "weight": _rounded(signal.weight),
            "passed": signal.passed,
            "detail": signal.detail,
        }
        for signal in signals
    ]


def _rounded(value: float) -> float:
    return round(value, _DIGITS)


def _moment(time: datetime) -> str:
    """Return a time as the older video API writes it: ISO 8601, UTC, as in ``2026-02-07T10:04:55.120Z``."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

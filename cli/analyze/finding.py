"""The report on one file, from this process or a server. The source of the table, the JSON and the page."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from liveness import Signal, Verdict
from server.analysis.results import image_request_id

__all__ = ["Attack", "FileKind", "FileReport", "FileVerdict", "Problem", "Thresholds", "blank_finding"]


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
        """Returns the thresholds as a sentence."""
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
        verdict: LIVE, SPOOF or INCONCLUSIVE.
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
        message: Message for people.
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
        inference_id: For a video, ``inf_`` and hexadecimal digits; empty for an image.
        assessment: Sentences on the extent of the assessment; empty without a verdict, and from a server
            that does not state it.
        facts: Properties of the file as words, by name, such as the size.
        values: The same properties for programs.
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
    inference_id: str = ""
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
    def seconds(self) -> float:
        """Duration of the analysis."""
        return (self.finished - self.started).total_seconds()


def blank_finding(files: tuple[Path, ...]) -> FileReport:
    """Returns the report on a file before its analysis."""
    now = datetime.now(UTC)
    return FileReport(
        files=files,
        kind=None,
        request_id=image_request_id(secrets.token_bytes),
        started=now,
        finished=now,
        face_detected=False,
    )

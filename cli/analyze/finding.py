"""What was found in one file, wherever it was analysed: what the table, the JSON and the page are made of."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from liveness.signal import Signal
from liveness.verdict import Verdict
from server.analysis.identifiers import image_request_id

__all__ = ["Attack", "FileKind", "FileReport", "FileVerdict", "Problem", "Thresholds", "blank_finding"]


class FileKind(StrEnum):
    """What a file, or several together, were taken for."""

    IMAGE = "picture"
    VIDEO = "video"
    STILLS = "still frames"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where one verdict ends and the next begins, as confidences 0..1.

    Attributes:
        spoof: SPOOF up to here, or below.
        live: LIVE from here on; INCONCLUSIVE between.
        stated: The one threshold that the answer names; None where it names none.
    """

    spoof: float
    live: float
    stated: float | None = None

    @property
    def words(self) -> str:
        """The same in a sentence."""
        # The sum's SPOOF ends before its band, the fusion's with its threshold.
        until = "up to" if self.stated is None else "below"
        return f"SPOOF {until} {self.spoof:.2f}, LIVE from {self.live:.2f}, INCONCLUSIVE between"


@dataclass(frozen=True, slots=True)
class Attack:
    """What it may be, if it is an attack.

    Attributes:
        number: Of the contract; 0 is a real face.
        name: Lower snake case, such as ``"screen_replay"``.
        confidence: 0..1.
    """

    number: int
    name: str
    confidence: float

    @property
    def telling(self) -> bool:
        """Whether it names a kind of attack."""
        return self.name not in {"", "real", "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVerdict:
    """One verdict and what it rests on.

    Attributes:
        verdict: LIVE, SPOOF or INCONCLUSIVE.
        confidence: That the person is live, 0..1.
        thresholds: See ``Thresholds``; None where they are not known, as of a server's policy.
        signals: Every signal, in the order of the answer.
        attack: What it may be; None for the sum of the eight signals, which does not say.
        explanations: Why, in sentences, most important first; empty for the sum of the eight signals.
    """

    verdict: Verdict
    confidence: float
    thresholds: Thresholds | None
    signals: tuple[Signal, ...]
    attack: Attack | None = None
    explanations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no verdict.

    Attributes:
        code: A code of the contract, such as ``"NO_FACE_DETECTED"``.
        message: For people.
        reason: Finer than the code, such as ``"VIDEO_TOO_LONG"``; empty where there is nothing finer.
    """

    code: str
    message: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """Everything that is known of one file.

    Attributes:
        files: The file; several for still frames that belong together.
        kind: What it was taken for; None where that could not be told.
        request_id: ``lv_`` and 16 hexadecimal digits; of a video, its inference id.
        started: When the analysis began, UTC.
        finished: When it ended, UTC.
        selfie: The sum of the eight signals; pictures only.
        fusion: The fusion's judgement: of a video, or of a picture in full mode.
        problem: Why there is no verdict; None where there is one.
        face_detected: Whether a face was found that the detector is sure enough of.
        inference_id: Of a video, ``inf_`` and hexadecimal digits; empty for a picture.
        facts: What was read, in words by name, such as the size.
        values: The same for programs.
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
    facts: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def deciding(self) -> FileVerdict | None:
        """The judgement whose verdict is the answer: the fusion's where it was asked, else the sum's.

        In full mode a picture has both; the fusion knows more.
        """
        return self.fusion or self.selfie

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.finished - self.started).total_seconds()


def blank_finding(files: tuple[Path, ...]) -> FileReport:
    """What is known of a file before anything was done with it."""
    now = datetime.now(UTC)
    return FileReport(
        files=files,
        kind=None,
        request_id=image_request_id(secrets.token_bytes),
        started=now,
        finished=now,
        face_detected=False,
    )

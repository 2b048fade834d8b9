"""Tests trusted images against a policy, as a server does."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cli.errors import FileUnusable
from cli.image.files import read_image
from formats.image_format import ImageHeader
from matcher import PortraitPolicy, PortraitReport, Requirement, TrustedImageRefused, examine_portrait
from vision.errors import VisionError
from vision.image import StillDecoder
from vision.isolation.pool import DecoderPool
from vision.packs import Pack

__all__ = ["DecodersOnDemand", "ImageFinding", "ImageResult", "as_json", "assess_image"]


class ImageFinding(StrEnum):
    """The overall finding on an image."""

    CONFORMANT = "CONFORMANT"
    """Every hard requirement is met."""
    NOT_CONFORMANT = "NOT_CONFORMANT"
    """A hard requirement is not met, or the image cannot be used at all."""
    UNDECIDED = "UNDECIDED"
    """The file or a model failed, or a hard requirement could not be assessed; a server refuses it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageResult:
    """One image, tested against a policy.

    Attributes:
        file: The file.
        answer: The overall finding.
        report: The report; None if the image could not be tested.
        reason: Reason of the refusal if there is no report; empty if it has none.
        message: Why there is no report; empty if there is one.
    """

    file: Path
    answer: ImageFinding
    report: PortraitReport | None = None
    reason: str = ""
    message: str = ""

    @property
    def shortfalls(self) -> tuple[Requirement, ...]:
        """The requirements that refuse the image."""
        return () if self.report is None else tuple(each for each in self.report.requirements if each.refuses)


class DecodersOnDemand:
    """Decodes JPEG 2000 in isolated processes, which start with the first such image."""

    def __init__(self) -> None:
        """Starts no process."""
        self._pool: DecoderPool | None = None

    def decode_still(self, data: bytes, *, header: ImageHeader) -> NDArray[np.uint8]:
        """See ``vision.image.StillDecoder``."""
        if self._pool is None:
            pool = DecoderPool()
            pool.start()
            self._pool = pool
        return self._pool.decode_still(data, header=header)

    def __enter__(self) -> Self:
        """Starts no process."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the processes."""
        if self._pool is not None:
            self._pool.close()


def assess_image(
    file: Path, *, pack: Pack, policy: PortraitPolicy, still_decoder: StillDecoder
) -> ImageResult:
    """Tests one file against a policy. Reports problems of the file in the return value.

    Args:
        file: The image.
        pack: The models.
        policy: The requirements.
        still_decoder: Decoder for JPEG 2000.
    """
    try:
        data = read_image(file)
        report = examine_portrait(data, pack=pack, policy=policy, still_decoder=still_decoder)
    except TrustedImageRefused as refusal:
        return ImageResult(
            file=file, answer=ImageFinding.NOT_CONFORMANT, reason=refusal.reason.value, message=str(refusal)
        )
    except (FileUnusable, VisionError) as error:
        return ImageResult(file=file, answer=ImageFinding.UNDECIDED, message=str(error))
    refusing = [each for each in report.requirements if each.refuses]
    if not refusing:
        answer = ImageFinding.CONFORMANT
    elif any(each.passed is False for each in refusing):
        answer = ImageFinding.NOT_CONFORMANT
    else:
        answer = ImageFinding.UNDECIDED
    return ImageResult(file=file, answer=answer, report=report)


def as_json(checked: ImageResult) -> Mapping[str, Any]:
    """Returns the tests as values for programs."""
    values: dict[str, Any] = {"file": str(checked.file), "answer": checked.answer.value}
    report = checked.report
    if report is None:
        return values | {"reason": checked.reason or None, "message": checked.message}
    box = report.face_box
    return values | {
        "container": report.container or None,
        "media_type": report.media_type,
        "width": report.width,
        "height": report.height,
        "eye_distance_px": round(report.eye_distance_px, 2),
        "face_box": [round(side, 1) for side in (box.left, box.top, box.right, box.bottom)],
        "background_faces": report.background_faces,
        "notes": list(report.notes),
        "requirements": [_requirement(each) for each in report.requirements],
    }


def _requirement(requirement: Requirement) -> Mapping[str, Any]:
    return {
        "code": requirement.code.value,
        "clause": requirement.clause,
        "severity": requirement.severity.value,
        "passed": requirement.passed,
        "measured": requirement.measured or None,
        "value": requirement.value,
        "unit": requirement.unit or None,
        "required": requirement.required or None,
        "score": requirement.score,
        "method": None
        if requirement.score is None or requirement.method is None
        else requirement.method.value,
        "unassessed": requirement.unassessed or None,
    }

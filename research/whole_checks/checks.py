"""Runs whole checks of simulated persons over the wire: a real server, the reference client, real time.

``research.dynamic`` judges frames in virtual time, without a network. Here an orchestrator uploads a
portrait, a simulated phone scans in front of the person or attacker, and the server decides by one of its
policies, with all its models. The phone shows every hint, and the person follows it.
"""

import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from facegate.v1 import feedback_pb2, result_pb2, scan_pb2

from cli.demo.local_server import local_server
from cli.demo.tested import open_tested
from cli.simulated.phone import phone_in_hand
from facegate_client import (
    CallRefusedError,
    FaceScanner,
    Orchestrator,
    ScanEvents,
    open_channel,
    ticket_of,
)
from research.dynamic.cases import Case, settings_of
from simulator import Photo
from vision.image import encode_jpeg
from vision.packs import Pack

__all__ = ["Conditions", "run_checks"]

_PORTRAIT: Final = (600, 800)
_EYES: Final = (300.0, 330.0)
_EYE_DISTANCE: Final = 120.0
"""A portrait of 600 x 800 pixels and the place of the eyes in it, as ISO/IEC 19794-5 wants them."""
_LONGEST_SECONDS: Final = 60.0
_WAIT_SECONDS: Final = 15.0
_JPEG_QUALITY: Final = 92


@dataclass(frozen=True, slots=True)
class Conditions:
    """The common conditions of all checks.

    Attributes:
        pack: Spec of the server's pack.
        policy: The policy of the checks.
        policies: A folder with further policies; ``None`` for the shipped ones.
        width: Width of the frames, pixels.
        height: Height of the frames, pixels.
        rate: Frames a second.
    """

    pack: str
    policy: str
    policies: Path | None
    width: int
    height: int
    rate: float


@dataclass(slots=True)
class _Course(ScanEvents):
    """The course of a scan, as the device sees it."""

    hints: dict[str, None] = field(default_factory=dict)
    attempts: int = 0

    def feedback(self, feedback: feedback_pb2.Feedback) -> None:
        name = feedback_pb2.FeedbackCode.Name(feedback.code)
        self.hints[name.removeprefix("FEEDBACK_CODE_")] = None

    def attempt_started(self, start: scan_pb2.AttemptStart) -> None:
        self.attempts += 1


async def run_checks(
    cases: Sequence[Case],
    *,
    photos: Mapping[str, Photo],
    pack: Pack,
    conditions: Conditions,
    folder: Path,
) -> AsyncIterator[dict[str, Any]]:
    """Yields one row for each check, one check after the other.

    Args:
        cases: The persons and attackers.
        photos: The photo of each person.
        pack: Its detector shows the simulated person their face on the screen.
        conditions: The common conditions.
        folder: An empty folder for the server's data and log.

    Raises:
        ClientError: The server cannot be reached, or broke the protocol.
        CommandError: The server did not start, or a file cannot be written.
    """
    tested = open_tested(folder / "platform")
    if conditions.policies is not None:
        # The test platform has a folder of policies already.
        for policy in conditions.policies.glob("*.toml"):
            shutil.copy(policy, folder / "platform" / "policies")
    async with (
        local_server(
            folder,
            log=folder / "server.log",
            pack=conditions.pack,
            models_dir=folder,
            further=tested.settings,
        ) as server,
        open_channel(server.service) as service,
        open_channel(server.device) as device,
    ):
        orchestrator = Orchestrator(channel=service, api_key=tested.real.key)
        for case in cases:
            created = await orchestrator.upload_trusted_image(
                _portrait(photos[case.person]), policy=conditions.policy
            )
            settings = settings_of(
                case, width=conditions.width, height=conditions.height, rate=conditions.rate
            )
            phone = phone_in_hand(
                photos[case.person],
                replace(settings, seconds=_LONGEST_SECONDS),
                find_faces=pack.detector.detect,
            )
            course, began = _Course(), time.monotonic()
            scanner = FaceScanner(
                channel=device, ticket=ticket_of(created), source=phone, screen=phone, events=course
            )
            refused = None
            try:
                await scanner.scan()
            except CallRefusedError as error:
                refused = error.refusal.reason
            seconds = time.monotonic() - began
            response = await orchestrator.finish_check(created.check_id, wait_s=_WAIT_SECONDS)
            yield _row(case, response.result, course, seconds=seconds, refused=refused)


def _row(
    case: Case,
    result: result_pb2.CheckResult,
    course: _Course,
    *,
    seconds: float,
    refused: str | None,
) -> dict[str, Any]:
    return {
        "name": case.name,
        "kind": str(case.kind),
        "ambient": str(case.ambient),
        "person": case.person,
        "status": result_pb2.CheckStatus.Name(result.status).removeprefix("CHECK_STATUS_"),
        "reasons": [
            result_pb2.FailureReason.Name(reason).removeprefix("FAILURE_REASON_") for reason in result.reasons
        ],
        "verdict": result_pb2.LivenessVerdict.Name(result.liveness.verdict).removeprefix("LIVENESS_VERDICT_"),
        "explanations": list(result.liveness.explanations),
        "bits": round(result.liveness.verified_bits, 1),
        "attempts": course.attempts,
        "hints": list(course.hints),
        "seconds": round(seconds, 1),
        "refused": refused,
    }


def _portrait(photo: Photo) -> bytes:
    """Returns the person's portrait as a JPEG: the photo, with the eyes at their place."""
    centres = photo.eye_centres.mean(axis=0)
    scale = _EYE_DISTANCE / photo.eye_distance
    moves = np.array([[scale, 0, _EYES[0] - scale * centres[0]], [0, scale, _EYES[1] - scale * centres[1]]])
    picture = cv2.warpAffine(
        photo.pixels, moves, _PORTRAIT, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return encode_jpeg(np.asarray(picture, np.uint8), quality=_JPEG_QUALITY)

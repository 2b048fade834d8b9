"""Records, starts and frames for tests."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from facegate.v1 import feedback_pb2, result_pb2

from device_integrity.camera import CameraClaim, DeviceClaim, Platform
from server.base.worker_pool import WorkerPool
from server.domain.terms import Mode, Plan
from server.scan.messages import FrameMessage, StartMessage
from server.storage.records import AttemptRecord, CheckRecord
from tests.server.live import LiveServer
from tests.server.raw_device import RawStream

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


def check_record(**changes: Any) -> CheckRecord:
    """Return a check that waits for its scan, with ``changes``."""
    fields: dict[str, Any] = {
        "check_id": UUID(int=7, version=4),
        "tenant": "default",
        "policy_name": "standard",
        "policy_version": 1,
        "policy_sha256": bytes(32),
        "policy_source": b"",
        "requested_mode": Mode.EXPRESS,
        "subject_reference": "",
        "consent_reference": "",
        "portrait_template": None,
        "portrait_report": b"",
        "pack_name": "embedded",
        "pack_version": "1",
        "pack_sha256": bytes(32),
        "create_time": NOW,
        "scan_deadline": NOW + timedelta(seconds=180),
        "result_deadline": NOW + timedelta(days=1),
        "challenge_key_sha256": bytes(32),
    }
    return CheckRecord(**(fields | changes))


def attempt_record(number: int, **changes: Any) -> AttemptRecord:
    """Return a running attempt, with ``changes``."""
    fields: dict[str, Any] = {
        "check_id": UUID(int=7, version=4),
        "number": number,
        "epoch": 1,
        "start_time": NOW,
        "counted": False,
        "mode": Mode.EXPRESS,
        "plan": Plan.EXPRESS,
        "outcome": None,
        "ended_by": None,
        "verdict": None,
        "frames": 0,
        "dropped": 0,
        "feedback": (),
        "end_time": None,
        "final_mac_sha256": None,
        "judgement": None,
    }
    return AttemptRecord(**(fields | changes))


def start_message(**changes: Any) -> StartMessage:
    """Return a start, with ``changes``."""
    fields: dict[str, Any] = {
        "raw": b"start",
        "protocol_version": 1,
        "token": "token",
        "key_share": bytes(range(32)),
        "session_public_key": b"key",
        "server_spki_sha256": b"",
        "resume": False,
        "device": DeviceClaim(platform=Platform.DESKTOP),
        "camera": CameraClaim(),
    }
    return StartMessage(**(fields | changes))


def frame_message(index: int = 0, **changes: Any) -> FrameMessage:
    """Return a frame, with ``changes``."""
    fields: dict[str, Any] = {
        "header": b"header %d" % index,
        "image": b"image %d" % index,
        "mac": bytes(32),
        "attempt": 1,
        "index": index,
        "capture_time_us": 1000 + index * 40_000,
        "dropped_before": 0,
        "width": 360,
        "height": 480,
    }
    return FrameMessage(**(fields | changes))


# Waiting for background work of a pool.


async def until_idle(pool: WorkerPool) -> None:
    """Return once a pool of one worker has finished all work, including work that no caller awaits."""
    loop, idle = asyncio.get_running_loop(), asyncio.Event()
    pool.run_later(loop.call_soon_threadsafe, idle.set)
    await idle.wait()


# What a stream brought.


def seen(stream: RawStream, kind: str) -> list[Any]:
    """The messages of a kind that a device has read so far."""
    return [getattr(message, kind) for message in stream.seen if message.WhichOneof("message") == kind]


def hints(stream: RawStream) -> list[str]:
    """The hints that a device has read so far."""
    return [
        feedback_pb2.FeedbackCode.Name(feedback.code).removeprefix("FEEDBACK_CODE_")
        for feedback in seen(stream, "feedback")
    ]


async def reasons(live: LiveServer, check_id: str) -> list[str]:
    """The reasons in the result of a check."""
    result = (await live.finish(check_id)).result
    return [result_pb2.FailureReason.Name(each).removeprefix("FAILURE_REASON_") for each in result.reasons]

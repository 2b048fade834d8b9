"""A challenge that is left before its end: an attack that was seen decides, however the line was lost.

What shows the attack here is a frozen picture: that is sure, whatever colours were drawn.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest
from facegate.v1 import result_pb2, scan_pb2

from server.checks.state import CheckState
from server.checks.terms import AttemptOutcome
from server.verdict import FailureReason
from simulator.scene import ScanKind
from tests.server.live import LiveServer, pictures
from tests.server.raw_device import RawDevice, RawStream

_DYNAMIC = scan_pb2.MODE_DYNAMIC


async def _shown(
    scene: LiveServer, kind: ScanKind, *, mode: scan_pb2.Mode.ValueType = _DYNAMIC
) -> tuple[str, RawDevice, RawStream]:
    """A stream that showed 24 pictures in its first attempt."""
    upload = await scene.upload(mode=mode)
    device = RawDevice(scene.device, upload)
    stream = await device.open(capabilities=[scan_pb2.CAPABILITY_FLASH])
    await stream.begin()
    await stream.send_frames(pictures(kind=kind)[:24])
    await stream.taken(20)
    return upload.check_id, device, stream


async def _assert_decided(scene: LiveServer, check_id: str) -> None:
    record = await scene.record(check_id)
    assert record.state is CheckState.DECIDED
    assert record.reasons[:2] == (FailureReason.ABANDONED, FailureReason.SPOOF)
    answer = await scene.finish(check_id, audit_images=2)
    assert answer.result.status == result_pb2.CHECK_STATUS_FAILURE
    assert answer.result.liveness.verdict == result_pb2.LIVENESS_VERDICT_SPOOF
    assert answer.result.liveness.used_mode == _DYNAMIC
    assert answer.evidence_frame.sha256 == answer.result.evidence_frame.sha256
    assert len(answer.audit_images) == 2


async def _vanishes(stream: RawStream) -> None:
    await stream.vanish()


async def _half_closes(stream: RawStream) -> None:
    await stream.half_close()
    assert await stream.outcome() is None


async def _breaks_a_rule(stream: RawStream) -> None:
    await stream.send(stream.frame(pictures()[25], flash_step=9))
    refusal = await stream.outcome()
    assert refusal is not None
    assert refusal.reason == "INVALID_FIELD"


@pytest.mark.parametrize("leave", [_vanishes, _half_closes, _breaks_a_rule])
async def test_who_leaves_after_an_attack_was_seen_gets_no_other_colours(
    scene: LiveServer, leave: Callable[[RawStream], Awaitable[None]]
) -> None:
    check_id, device, stream = await _shown(scene, ScanKind.FROZEN_FRAME)
    await leave(stream)
    await scene.unattended()
    await _assert_decided(scene, check_id)
    (attempt,) = await scene.attempts(check_id)
    assert attempt.outcome is AttemptOutcome.DECIDED
    assert (await device.refusal()).reason == "CHECK_CLOSED"


async def test_a_newer_stream_does_not_save_what_the_older_showed(scene: LiveServer) -> None:
    check_id, _, stream = await _shown(scene, ScanKind.FROZEN_FRAME)
    record = await scene.record(check_id)
    assert record.session_key is not None
    # As another replica does when a newer stream arrives there.
    await scene.repository.acquire_lease(
        UUID(check_id),
        session_key=record.session_key,
        proven=True,
        owner="another replica",
        now=datetime.now(UTC),
        lease_seconds=60.0,
    )
    await stream.vanish()
    await scene.unattended()
    await _assert_decided(scene, check_id)


async def test_a_stream_that_is_fenced_while_it_runs_is_judged_too(scene: LiveServer) -> None:
    check_id, device, stream = await _shown(scene, ScanKind.FROZEN_FRAME)
    newer = await device.open(resume=True, capabilities=[scan_pb2.CAPABILITY_FLASH])
    await newer.prove()
    await newer.begin()
    # The older one learns of it when it is to write next, at the latest when its lease is due.
    await stream.send(stream.end())
    await stream.outcome()
    await scene.reaches(check_id, CheckState.DECIDED)
    await _assert_decided(scene, check_id)
    await newer.vanish()


async def test_a_stream_that_is_fenced_and_silent_is_judged_before_the_newer_one_is_far(
    scene: LiveServer,
) -> None:
    check_id, device, stream = await _shown(scene, ScanKind.FROZEN_FRAME)
    newer = await device.open(resume=True, capabilities=[scan_pb2.CAPABILITY_FLASH])
    await newer.prove()
    await newer.begin()
    async with asyncio.timeout(3.0):
        await scene.reaches(check_id, CheckState.DECIDED)
    await _assert_decided(scene, check_id)
    await stream.outcome()
    await newer.vanish()


async def test_a_genuine_person_who_loses_the_line_comes_back(scene: LiveServer) -> None:
    check_id, device, stream = await _shown(scene, ScanKind.GENUINE)
    await stream.vanish()
    await scene.unattended()
    assert (await scene.record(check_id)).state is CheckState.WAITING
    (attempt,) = await scene.attempts(check_id)
    assert attempt.outcome is AttemptOutcome.INTERRUPTED
    again = await device.open(resume=True, capabilities=[scan_pb2.CAPABILITY_FLASH])
    await again.prove()
    assert (await again.begin()).plan == scan_pb2.PLAN_FLASH
    await again.vanish()


async def test_without_a_challenge_leaving_decides_nothing(scene: LiveServer) -> None:
    check_id, _, stream = await _shown(scene, ScanKind.FROZEN_FRAME, mode=scan_pb2.MODE_EXPRESS)
    await stream.vanish()
    await scene.unattended()
    assert (await scene.record(check_id)).state is CheckState.WAITING

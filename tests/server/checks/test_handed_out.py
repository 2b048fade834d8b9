"""Lost, altered or unavailable evidence: FinishCheck reports it, and still returns the result."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from facegate_client.result_keys import fetch_key_set
from facegate_client.result_signature import verify_response
from tests.server.live import LiveServer, pictures, serving, settings_for
from tests.server.raw_device import RawDevice

_Problem = service_pb2.EvidenceProblem
_FEWER = service_pb2.AUDIT_IMAGE_SHORTFALL_FEWER_CAPTURED
_POLICY = service_pb2.AUDIT_IMAGE_SHORTFALL_POLICY
_PROBLEMS = service_pb2.AUDIT_IMAGE_SHORTFALL_PROBLEMS
_NONE = service_pb2.AUDIT_IMAGE_SHORTFALL_UNSPECIFIED


async def _decided(live: LiveServer) -> tuple[str, list[Path]]:
    """A check that succeeded, and the files of its images, the evidence frame's first."""
    upload = await live.upload()
    stream = await RawDevice(live.device, upload).open()
    await stream.run_attempt(pictures())
    assert await stream.outcome() is None
    folder = Path(live.settings.objects_url)
    return upload.check_id, [folder / entry.object_key for entry in await live.evidence(upload.check_id)]


def _alter(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


async def _counted(live: LiveServer, problem: str) -> float:
    url = f"http://127.0.0.1:{live.server.admin_port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        lines = (await answer.text()).splitlines()
    start = f'facegate_evidence_problems_total{{problem="{problem}"}} '
    return sum(float(line.removeprefix(start)) for line in lines if line.startswith(start))


async def test_lost_and_altered_pictures_are_reported_and_counted(scene: LiveServer) -> None:
    check_id, files = await _decided(scene)
    whole = await scene.finish(check_id, audit_images=2)
    assert not whole.evidence_problems
    before = await _counted(scene, "ALTERED"), await _counted(scene, "LOST")
    await asyncio.to_thread(_alter, files[0])
    await asyncio.to_thread(files[2].unlink)

    answer = await scene.finish(check_id, audit_images=2)

    assert answer.result == whole.result
    assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
    keys = await fetch_key_set(f"http://127.0.0.1:{scene.server.admin_port}/.well-known/jwks.json")
    verify_response(answer, keys, check_id=check_id, accept_sandbox=True)
    assert not answer.HasField("evidence_frame")
    assert list(answer.audit_images) == [whole.audit_images[0]]
    assert [(problem.kind, problem.picture) for problem in answer.evidence_problems] == [
        (_Problem.KIND_ALTERED, answer.result.evidence_frame),
        (_Problem.KIND_LOST, answer.result.audit_images[1]),
    ]
    assert answer.audit_image_shortfall == _PROBLEMS
    after = await _counted(scene, "ALTERED"), await _counted(scene, "LOST")
    assert after == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize(
    ("asked", "given", "shortfall"), [(0, 0, _NONE), (1, 1, _NONE), (2, 2, _NONE), (3, 2, _POLICY)]
)
async def test_a_policy_that_keeps_fewer_is_named(
    scene: LiveServer, asked: int, given: int, shortfall: int
) -> None:
    check_id, _ = await _decided(scene)
    answer = await scene.finish(check_id, audit_images=asked)
    assert (len(answer.audit_images), answer.audit_image_shortfall) == (given, shortfall)
    assert not answer.evidence_problems


async def test_a_scan_with_fewer_frames_is_named(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.begin()
    await stream.send_frames(pictures()[:2])
    await stream.taken(2)
    await stream.half_close()
    assert await stream.outcome() is None
    answer = await scene.finish(upload.check_id, audit_images=2)
    assert (len(answer.audit_images), answer.audit_image_shortfall) == (0, _FEWER)


async def test_a_store_that_is_out_of_reach_is_distinguished(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path)) as live:
        check_id, _ = await _decided(live)
        store = Path(live.settings.objects_url)
        await asyncio.to_thread(_put_away, store)
        answer = await live.finish(check_id, audit_images=2)
        assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
        assert [problem.kind for problem in answer.evidence_problems] == [_Problem.KIND_UNAVAILABLE] * 3
        await asyncio.to_thread(_put_back, store)
        answer = await live.finish(check_id, audit_images=2)
        assert not answer.evidence_problems
        assert answer.evidence_frame.image


def _put_away(folder: Path) -> None:
    folder.rename(folder.with_name("away"))
    folder.write_bytes(b"")


def _put_back(folder: Path) -> None:
    folder.unlink()
    folder.with_name("away").rename(folder)

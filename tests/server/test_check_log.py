"""The life of a check in the log: one line for each step, found by the check's identifier."""

import asyncio
import io
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from server.base.worker_pool import WorkerPool
from server.domain.terms import CheckState
from server.storage.database import open_database
from server.telemetry.stages import check_bound
from tests.server.live import PATIENT, LiveServer, fresh_pictures, serving, settings_for, until
from tests.server.raw_device import RawDevice


def _lines(log: io.StringIO, check_id: str) -> list[dict[str, Any]]:
    every = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in every if line.get("check_id") == check_id]


async def _whole_check(live: LiveServer) -> str:
    upload = await live.upload(subject_reference="subject-quetzal")
    stream = await RawDevice(live.device, upload).open()
    await stream.run_attempt(fresh_pictures())
    assert await stream.outcome() is None
    await live.finish(upload.check_id)
    return upload.check_id


async def test_a_check_can_be_followed_from_its_creation_to_its_erasure(
    tmp_path: Path, log: io.StringIO
) -> None:
    async with serving(settings_for(tmp_path), tuning=replace(PATIENT, sweep_seconds=0.02)) as live:
        check_id = await _whole_check(live)
        live.clock.ahead = timedelta(days=400)

        async def erased_is_logged() -> bool:
            return "check_erased" in log.getvalue()

        await until(erased_is_logged)
        assert (await live.record(check_id)).state is CheckState.ERASED
    lines = _lines(log, check_id)
    assert [line["event"] for line in lines] == [
        "check_created",
        "scan_begun",
        "attempt_judged",
        "check_decided",
        "check_finished",
        "check_erased",
    ]
    assert [line.get("attempt") for line in lines] == [None, None, 1, 1, None, None]
    created, begun, judged, decided, _, erased = lines
    assert (created["policy"], created["mode"], created["sandbox"]) == ("test", "EXPRESS", True)
    assert begun["stream"] == 1
    assert (judged["outcome"], judged["ended_by"]) == ("DECIDED", "SIGNED")
    assert judged["frames"] > 8
    assert decided["status"] == "SUCCESS"
    assert erased["part"] == "check"
    assert all(line["level"] == "info" for line in lines)
    assert "quetzal" not in log.getvalue()


async def test_identifiers_of_two_checks_do_not_mix(tmp_path: Path, log: io.StringIO) -> None:
    async with serving(settings_for(tmp_path), tuning=PATIENT) as live:
        uploads = [await live.upload() for _ in range(2)]
        streams = [await RawDevice(live.device, upload).open() for upload in uploads]
        for stream in streams:
            await stream.begin()
        await asyncio.gather(*(stream.run_rest(fresh_pictures()) for stream in streams))
        assert [await stream.outcome() for stream in streams] == [None, None]
    for upload in uploads:
        events = [line["event"] for line in _lines(log, upload.check_id)]
        assert events == ["check_created", "scan_begun", "attempt_judged", "check_decided"]


async def test_a_check_that_is_left_has_its_lines(tmp_path: Path, log: io.StringIO) -> None:
    async with serving(settings_for(tmp_path)) as live:
        upload = await live.upload()
        stream = await RawDevice(live.device, upload).open()
        await stream.begin()
        await stream.send_frames(fresh_pictures()[:10])
        await stream.taken(9)
        await stream.vanish()
        await live.reaches(upload.check_id, CheckState.WAITING)
        await live.finish(upload.check_id, close_now=True)
    events = [line["event"] for line in _lines(log, upload.check_id)]
    assert events[:2] == ["check_created", "scan_begun"]
    assert events[-2:] == ["check_decided", "check_finished"]
    assert [
        line["attempt"] for line in _lines(log, upload.check_id) if line["event"] == "attempt_judged"
    ] == [1]


async def test_threads_get_the_bound_identifiers(tmp_path: Path) -> None:
    def bound(*_: object) -> object:
        return structlog.contextvars.get_contextvars().get("check_id")

    check_id = UUID(int=7)
    pool = WorkerPool(workers=1)
    database = open_database(f"sqlite:///{tmp_path / 'a.db'}", make=True)
    try:
        with check_bound(check_id):
            seen = [await pool.run(bound), await pool.run_first(bound), await pool.run_later(bound).result()]
            seen += [await database.write(bound), await database.read(bound)]
        assert seen == [str(check_id)] * 5
        assert await pool.run(bound) is None
    finally:
        pool.close()
        await database.close()

"""Canaries in failure paths, and the log of a check and of a whole server."""

import asyncio
import io
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import aiohttp
import grpc
import pytest
import structlog
from facegate.v1 import audit_pb2, scan_pb2
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from sqlalchemy import Connection, select, text

from server.access.api_keys import new_api_key
from server.base.worker_pool import WorkerPool
from server.configuration.settings import Settings
from server.domain.terms import CheckState
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder
from server.storage.database import open_database
from server.storage.engine import database_file
from server.storage.tables import device_key_uses, scan_memories
from server.telemetry.stages import check_bound
from tests.canaries import Canaries
from tests.server.api_keys import bearer, write_keys
from tests.server.live import (
    FAST,
    LiveServer,
    fresh_pictures,
    pictures,
    portrait,
    serving,
    settings_for,
    until,
)
from tests.server.raw_device import Ended, RawDevice, opened

# Recognisable tokens, keys, images and references in failure paths: no log, metric or error has them.

_SUBJECT: Final = "customer-4711-canary"
_CONSENT: Final = "consent-4711-canary"
_PURPOSE: Final = "purpose-4711-canary"
_ROLES: Final = ("orchestrator", "compliance_reader", "compliance_admin")
_FULL: Final = (
    "CREATE TRIGGER full BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
)


@dataclass
class _Scene:
    """A server with a decided check, and everything that callers and operators get to see of it."""

    live: LiveServer
    keys: dict[str, str]
    canaries: Canaries
    seen: list[bytes] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    async def provoke(self, role: str, call: Callable[..., Any], request: object) -> None:
        """Call, and keep the error with all its trailers."""
        metadata = bearer(self.keys.get(role, role))
        try:
            answer = call(request, metadata=metadata)
            await (answer if isinstance(answer, Awaitable) else _drained(answer))
        except grpc.aio.AioRpcError as error:
            self.keep(error)
        else:
            self.reasons.append("OK")

    def keep(self, error: grpc.aio.AioRpcError) -> None:
        """Keep all parts of an error."""
        self.seen.append((error.details() or "").encode())
        for name, value in (*(error.initial_metadata() or ()), *(error.trailing_metadata() or ())):
            self.seen.append(name.encode())
            self.seen.append(value if isinstance(value, bytes) else str(value).encode())
        self.reasons.append(error.code().name)

    async def execute(self, statement: str, **values: object) -> None:
        """Change the database, as a damage would."""
        async with self.live.database() as database:
            await database.write(lambda connection: connection.execute(text(statement), values).rowcount)


async def _drained(stream: Any) -> None:
    async for _ in stream:
        pass


@pytest.mark.slow
async def test_no_failure_path_leaks_a_canary(tmp_path: Path, log: io.StringIO) -> None:
    listeners, keys = write_keys(tmp_path, {role: f'roles = ["{role}"]' for role in _ROLES})
    settings = settings_for(tmp_path, listeners=listeners)
    canaries = Canaries()
    for name, value in (("subject", _SUBJECT), ("consent", _CONSENT), ("purpose", _PURPOSE)):
        canaries.plant(name, value)
    for role, key in keys.items():
        canaries.plant(f"API key of {role}", key)
    async with serving(settings) as live:
        scene = _Scene(live, keys, canaries)
        for path in settings.key_folder.iterdir():
            canaries.plant(path.name, path.read_bytes())
        await _refused_uploads(scene)
        upload = await _decided(scene)
        await _refused_access(scene, upload.check_id)
        await _damaged(scene, upload.check_id)
        url = f"http://127.0.0.1:{live.server.admin_port}"
        async with aiohttp.ClientSession() as session:
            for page in ("metrics", "readyz", "healthz"):
                async with session.get(f"{url}/{page}") as answer:
                    scene.seen.append(await answer.read())
    written = log.getvalue()
    for event in ("call_refused", "storage_unavailable", "picture_not_kept"):
        assert event in written, event
    assert {"UNAUTHENTICATED", "PERMISSION_DENIED", "INVALID_ARGUMENT", "UNAVAILABLE"} <= set(scene.reasons)
    assert canaries.leaks(written) == []
    assert [leak for part in scene.seen for leak in canaries.leaks(part)] == []


async def _refused_uploads(scene: _Scene) -> None:
    call = scene.live.service.UploadTrustedImage
    bad = b"\xff\xd8\xff\xe0" + os.urandom(4_000)
    scene.canaries.plant("bad image", bad)
    scene.canaries.plant("portrait", portrait())
    for image, subject in ((bad, _SUBJECT), (_SUBJECT.encode() * 9, _SUBJECT), (portrait(), _SUBJECT * 20)):
        request = service_pb2.UploadTrustedImageRequest(
            image=image, subject_reference=subject, consent_reference=_CONSENT
        )
        await scene.provoke("orchestrator", call, request)
    wrong = new_api_key()[0]
    scene.canaries.plant("unknown API key", wrong)
    await scene.provoke(wrong, call, service_pb2.UploadTrustedImageRequest(subject_reference=_SUBJECT))
    assert "OK" not in scene.reasons


async def _decided(scene: _Scene) -> service_pb2.UploadTrustedImageResponse:
    """A check that is decided, and a device with a token of another check."""
    metadata = bearer(scene.keys["orchestrator"])
    request = service_pb2.UploadTrustedImageRequest(
        image=portrait(), subject_reference=_SUBJECT, consent_reference=_CONSENT
    )
    upload: service_pb2.UploadTrustedImageResponse
    upload = await scene.live.service.UploadTrustedImage(request, metadata=metadata)
    scene.canaries.plant("scan token", upload.scan_token)
    frames = fresh_pictures()
    for number, frame in enumerate(frames):
        scene.canaries.plant(f"frame {number}", frame.jpeg)
    broken = RawDevice(scene.live.device, upload)
    broken.token = ("B" if broken.token[0] != "B" else "C") + broken.token[1:]
    with pytest.raises(Ended) as caught:
        await broken.open()
    scene.seen.append(repr(caught.value.refusal).encode())
    stream = await RawDevice(scene.live.device, upload).open()
    await stream.run_attempt(frames)
    assert await stream.outcome() is None
    answer = await scene.live.service.FinishCheck(
        service_pb2.FinishCheckRequest(check_id=upload.check_id, audit_image_limit=4), metadata=metadata
    )
    scene.canaries.plant("signature of the result", answer.result_jws[-40:])
    return upload


async def _refused_access(scene: _Scene, check_id: str) -> None:
    """Wrong roles, purposes that are missing or refused, and fields that no call takes."""
    service = EvidenceServiceStub(scene.live.service_channel)
    image = evidence_pb2.GetEvidenceImageRequest
    calls: tuple[tuple[str, Callable[..., Any], object], ...] = (
        ("orchestrator", service.ListChecks, evidence_pb2.ListChecksRequest(subject_reference=_SUBJECT)),
        ("orchestrator", service.EraseSubject, _erasure(_PURPOSE)),
        ("compliance_reader", service.EraseSubject, _erasure(_PURPOSE)),
        ("compliance_admin", service.EraseSubject, _erasure("")),
        ("compliance_admin", service.EraseSubject, _erasure(_PURPOSE * 20)),
        ("compliance_admin", service.EraseSubject, _erasure(f"{_PURPOSE}\n{_SUBJECT}")),
        ("compliance_reader", service.GetEvidence, evidence_pb2.GetEvidenceRequest(check_id=_SUBJECT)),
        ("compliance_reader", service.GetEvidenceImage, image(check_id=check_id, sha256=bytes(32))),
        ("compliance_reader", service.GetEvidenceImage, image(check_id=check_id, purpose=_PURPOSE)),
        (
            "compliance_reader",
            service.ListChecks,
            evidence_pb2.ListChecksRequest(subject_reference=_SUBJECT, page_token=_CONSENT),
        ),
        ("compliance_reader", service.ListChecks, evidence_pb2.ListChecksRequest(device_sign=_SUBJECT * 30)),
        (
            "compliance_reader",
            service.ListAuditEvents,
            audit_pb2.ListAuditEventsRequest(subject_reference=_SUBJECT, page_token=_CONSENT),
        ),
        (
            "compliance_admin",
            service.PlaceHold,
            evidence_pb2.PlaceHoldRequest(check_id=check_id, reference=f"\x07{_SUBJECT}", reason=_PURPOSE),
        ),
        (
            "compliance_admin",
            service.ReleaseHold,
            evidence_pb2.ReleaseHoldRequest(check_id=check_id, reference=_SUBJECT, purpose=_PURPOSE),
        ),
        (
            "compliance_admin",
            service.ExportSubject,
            evidence_pb2.ExportSubjectRequest(subject_reference=_SUBJECT * 20, purpose=_PURPOSE),
        ),
    )
    before = len(scene.reasons)
    for role, call, request in calls:
        await scene.provoke(role, call, request)
    assert "OK" not in scene.reasons[before:], scene.reasons[before:]


def _erasure(purpose: str) -> evidence_pb2.EraseSubjectRequest:
    return evidence_pb2.EraseSubjectRequest(
        subject_reference=_SUBJECT, purpose=purpose, reason=evidence_pb2.ERASURE_REASON_REQUEST
    )


async def _damaged(scene: _Scene, check_id: str) -> None:
    """Evidence that was altered, an audit log and an object store that take nothing any more."""
    live, service = scene.live, EvidenceServiceStub(scene.live.service_channel)
    entries = await live.evidence(check_id)
    folder = Path(live.settings.objects_url)
    foreign = os.urandom(5_000)
    scene.canaries.plant("altered object", foreign)
    for entry in entries:
        await asyncio.to_thread((folder / entry.object_key).write_bytes, foreign)
    export = evidence_pb2.ExportEvidenceRequest(check_id=check_id, purpose=_PURPOSE)
    picture = evidence_pb2.GetEvidenceImageRequest(
        check_id=check_id, sha256=entries[0].facts.sha256, purpose=_PURPOSE
    )
    read = evidence_pb2.GetEvidenceRequest(check_id=check_id, purpose=_PURPOSE)
    finish = service_pb2.FinishCheckRequest(check_id=check_id, audit_image_limit=4)
    before = len(scene.reasons)
    await scene.provoke("compliance_reader", service.GetEvidenceImage, picture)
    await scene.provoke("compliance_reader", service.ExportEvidence, export)
    await scene.provoke("orchestrator", live.service.FinishCheck, finish)
    await scene.execute("UPDATE evidence_records SET ciphertext = :foreign", foreign=foreign)
    await scene.provoke("compliance_reader", service.GetEvidence, read)
    await scene.provoke("orchestrator", live.service.FinishCheck, finish)
    await scene.execute(_FULL)
    await scene.provoke("compliance_reader", service.GetEvidence, read)
    await scene.provoke("compliance_admin", service.EraseSubject, _erasure(_PURPOSE))
    assert scene.reasons[before:] == [
        "DATA_LOSS",
        # The archive and the answer state which images cannot be read.
        "OK",
        "OK",
        "DATA_LOSS",
        "DATA_LOSS",
        "DATA_LOSS",
        "UNAVAILABLE",
    ]
    # Where the folder of images was, nothing can be written any more.
    await asyncio.to_thread((folder / "evidence").rename, folder / "gone")
    await asyncio.to_thread((folder / "evidence").touch)
    metadata = bearer(scene.keys["orchestrator"])
    upload = await live.service.UploadTrustedImage(
        service_pb2.UploadTrustedImageRequest(image=portrait("red-shirt"), subject_reference=_SUBJECT),
        metadata=metadata,
    )
    scene.canaries.plant("second scan token", upload.scan_token)
    stream = await RawDevice(live.device, upload).open()
    await stream.begin()
    await stream.send_frames(fresh_pictures())
    await stream.send(stream.end())
    refusal = await stream.outcome()
    if refusal is not None:
        scene.seen.append(repr(refusal).encode())


# The life of a check in the log: one line for each step, found by the check's identifier.


def _lines(log: io.StringIO, check_id: str) -> list[dict[str, Any]]:
    every = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in every if line.get("check_id") == check_id]


async def _whole_check(live: LiveServer) -> str:
    check_id, _, stream = await opened(live, subject_reference="subject-quetzal")
    await stream.run_attempt(fresh_pictures())
    assert await stream.outcome() is None
    await live.finish(check_id)
    return check_id


async def test_a_check_can_be_followed_from_its_creation_to_its_erasure(
    tmp_path: Path, log: io.StringIO
) -> None:
    async with serving(settings_for(tmp_path), tuning=replace(FAST, sweep_seconds=0.02)) as live:
        check_id = await _whole_check(live)
        live.clock.ahead = timedelta(days=400)
        await until(lambda: "check_erased" in log.getvalue())
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


@pytest.mark.slow
async def test_identifiers_of_two_checks_do_not_mix(tmp_path: Path, log: io.StringIO) -> None:
    async with serving(settings_for(tmp_path), tuning=FAST) as live:
        uploads = [await live.upload() for _ in range(2)]
        streams = [await RawDevice(live.device, upload).open() for upload in uploads]
        for stream in streams:
            await stream.begin()
        await asyncio.gather(*(stream.run_rest(fresh_pictures()) for stream in streams))
        assert [await stream.outcome() for stream in streams] == [None, None]
    for upload in uploads:
        events = [line["event"] for line in _lines(log, upload.check_id)]
        assert events == ["check_created", "scan_begun", "attempt_judged", "check_decided"]


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


# The content that a whole server logs, and that it never logs.


async def test_a_whole_check_leaves_nothing_secret_in_the_log_and_no_reference_in_a_file(
    tmp_path: Path, log: io.StringIO
) -> None:
    settings = settings_for(tmp_path)
    async with serving(settings) as live:
        upload = await live.upload(subject_reference=_SUBJECT, consent_reference=_CONSENT)
        device = RawDevice(live.device, upload)
        stream = await device.open()
        result = await stream.run_attempt(pictures())
        assert await stream.outcome() is None
        assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
        answer = await live.finish(upload.check_id, audit_images=4)
        broken = RawDevice(live.device, upload)
        broken.token = "B" + broken.token[1:]
        with pytest.raises(Ended, match="TOKEN_INVALID"):
            await broken.open()
        secrets = {path.name: path.read_bytes() for path in settings.key_folder.iterdir()}
    canaries = Canaries()
    for name, value in (("subject", _SUBJECT), ("consent", _CONSENT)):
        canaries.plant(name, value)
    file = database_file(settings.database_url)
    assert file is not None
    searched = [one for one in file.parent.rglob("*") if one.is_file()]
    assert file in searched
    assert [leak for one in searched for leak in canaries.leaks(one.read_bytes())] == []
    assert await _subject_hash(settings) in KeyFolder(
        KeyFiles(settings.key_folder)
    ).keys.memory.subject_hashes("default", _SUBJECT)

    written = log.getvalue()
    assert "serving" in written
    assert "call_refused" in written
    canaries.plant("token", upload.scan_token)
    canaries.plant("end of the token", upload.scan_token[30:])
    canaries.plant("signature", answer.result_jws[-40:])
    for name, secret in secrets.items():
        canaries.plant(name, secret)
    for number, image in enumerate([portrait(), *(picture.jpeg for picture in pictures())]):
        canaries.plant(f"image {number}", image)
    assert canaries.leaks(written) == []
    for line in written.splitlines():
        values = json.loads(line).values()
        assert all(isinstance(value, str | int | float | bool | list | None) for value in values), line
        assert len(line) < 20_000


async def _subject_hash(settings: Settings) -> str:
    """The hash by which the memory of scans and keys of devices knows the one person."""

    def hashes(connection: Connection) -> set[str]:
        tables = (scan_memories, device_key_uses)
        return {one for table in tables for one in connection.scalars(select(table.c.subject_hash))}

    database = open_database(settings.database_url)
    (found,) = await database.read(hashes)
    await database.close()
    return found

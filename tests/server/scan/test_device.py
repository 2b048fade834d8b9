"""What decides about devices and pictures over the wire: signs, findings, and scans sent again."""

import functools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import cv2
import grpc
import numpy as np
import pytest
import pytest_asyncio
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from facegate.v1 import device_pb2, result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub
from sqlalchemy import select
from structlog.testing import capture_logs

from device_integrity import DeviceTest
from device_integrity.policy import RAISED_NAMES
from device_integrity.stream import key_mark
from facegate_protocol import load_public_key, public_key_der
from facegate_protocol.texts import VERDICTS
from lab.simulator.photo import builtin_image
from lab.simulator.scan import simulate_scan
from lab.simulator.scene import ScanKind, SceneSettings
from liveness import VerdictReason
from matcher.records import RecordVersion, build_record, serialise, wrap_in_dg2
from server.base.worker_pool import WorkerPool
from server.device.evidence import EvidenceFinding
from server.domain.terms import CheckState
from server.keyring.keys import MemoryKey
from server.keyring.sealing import WrappingKeys
from server.running.app import FacegateServer
from server.running.tls import TlsFiles
from server.scan.device_memory import DeviceMemory
from server.storage.database import Database, open_database
from server.storage.devices import DeviceRepository, forget_subject_rows
from server.storage.repository import CheckRepository
from server.storage.scan_memory import DatabaseScanMemory
from server.storage.tables import device_key_uses
from tests.formats.samples import jpeg_segment
from tests.liveness.warped_photo import bulge, warp_photo
from tests.packs import real_photo
from tests.sampling import some_fast
from tests.server.databases import make_tables
from tests.server.live import (
    FAST,
    PLAN,
    LiveServer,
    Picture,
    ServerTime,
    ShiftedClock,
    fresh_pictures,
    patience_for_starts,
    pictures,
    serving,
    settings_for,
    until,
)
from tests.server.models_once import remembering_pack
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice, RawStream, Request, opened
from tests.server.storage.samples import NOW, new_check
from vision.image import encode_jpeg

# Decided signs over the wire: they fail a check under every policy, and no later stream undoes them.

_MANIPULATED = result_pb2.FAILURE_REASON_DEVICE_MANIPULATED
_SUCCESS = result_pb2.CHECK_STATUS_SUCCESS
_KEYS_FILE = "server-keys.txt"
_FLASH = scan_pb2.CAPABILITY_FLASH

_POLICIES = ["standard", "low", "dynamic", "adaptive", "no-flash"]

_PHONE = device_pb2.DeviceProfile(
    platform=device_pb2.PLATFORM_ANDROID, manufacturer="Google", model="Pixel 9", os_version="16"
)
_CAMERA = device_pb2.CameraProfile(id="1", label="front camera", facing=device_pb2.CAMERA_FACING_FRONT)
_EMULATOR = device_pb2.DeviceProfile(
    platform=device_pb2.PLATFORM_ANDROID, manufacturer="Google", model="sdk_gphone64_x86_64", os_version="16"
)
_OBS = device_pb2.CameraProfile(id="1", label="OBS Virtual Camera", facing=device_pb2.CAMERA_FACING_FRONT)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def signs_live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server with TLS for devices and a complete list of its keys."""
    folder = tmp_path_factory.mktemp("server")
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    issued = authority.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
    certificate, key = folder / "server.pem", folder / "server.key"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    key.chmod(0o600)
    free = {"port": 0}
    settings = settings_for(
        folder,
        listeners={
            "device": free | {"tls": {"certificate": certificate, "key": key}},
            "service": free,
            "admin": free,
        },
        device_integrity={"server_keys": "complete", "server_keys_file": folder / _KEYS_FILE},
    )
    (folder / _KEYS_FILE).write_text("# none but the listener's own\n")
    clock, world = ShiftedClock(), ServerTime()
    server = FacegateServer(
        settings, pack=remembering_pack(), tuning=FAST, now=clock, monotonic=world.monotonic
    )
    with patience_for_starts():
        await server.start()
    database = open_database(settings.database_url)
    trusting = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    try:
        async with (
            grpc.aio.secure_channel(server.device_target, trusting) as device,
            grpc.aio.insecure_channel(server.service_target) as service,
        ):
            yield LiveServer(server, settings, clock, world, device, service, CheckRepository(database))
    finally:
        await database.close()
        await server.stop()


@pytest.fixture(scope="module")
def own_key(signs_live: LiveServer) -> bytes:
    """The key that an honest device sees."""
    tls = signs_live.settings.listeners.device.tls
    assert tls is not None
    return TlsFiles(tls).spki_sha256


async def _open(
    live: LiveServer,
    policy: str,
    seen: bytes,
    *,
    device: device_pb2.DeviceProfile = _PHONE,
    camera: device_pb2.CameraProfile = _CAMERA,
) -> tuple[str, RawDevice, RawStream]:
    upload = await live.upload(policy=policy)
    raw = RawDevice(VerificationServiceStub(live.device_channel), upload)
    stream = await raw.open(device=device, camera=camera, server_spki_sha256=seen, capabilities=[_FLASH])
    return upload.check_id, raw, stream


async def _result(live: LiveServer, check_id: str) -> result_pb2.CheckResult:
    return (await live.finish(check_id)).result


def _decisive(result: result_pb2.CheckResult) -> set[str]:
    return {check.name for check in result.device.checks if check.decisive}


@pytest.mark.slow
@pytest.mark.parametrize("policy", _POLICIES)
async def test_a_manipulated_device_fails_under_every_policy(
    signs_live: LiveServer, own_key: bytes, policy: str
) -> None:
    shown = fresh_pictures()
    _, _, honest = await _open(signs_live, "standard", own_key)
    await honest.run_attempt(shown)
    await honest.outcome()
    check_id, _, stream = await _open(signs_live, policy, bytes(range(32)), device=_EMULATOR, camera=_OBS)
    answer = await stream.run_attempt(shown)
    assert (answer.status, answer.another_attempt) == (scan_pb2.SCAN_STATUS_FAILURE, False)
    assert await stream.outcome() is None
    result = await _result(signs_live, check_id)
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert _MANIPULATED in result.reasons
    assert _decisive(result) == {"camera.name", "device.emulator", "server_key.tls", "memory.frames"}
    assert not any(check.tolerated for check in result.device.checks)
    assert not result.device.tolerated_checks


@pytest.mark.parametrize(
    "sign", some_fast(["camera.name", "device.emulator", "server_key.tls", "memory.frames"], step=2)
)
async def test_each_sign_alone_refuses_a_scan_that_succeeds_without_it(
    signs_live: LiveServer, own_key: bytes, sign: str
) -> None:
    shown = fresh_pictures()
    check_id, _, stream = await _open(signs_live, "evaluation", own_key)
    await stream.run_attempt(shown)
    await stream.outcome()
    assert (await _result(signs_live, check_id)).status == _SUCCESS
    check_id, _, stream = await _open(
        signs_live,
        "evaluation",
        bytes(range(32)) if sign == "server_key.tls" else own_key,
        device=_EMULATOR if sign == "device.emulator" else _PHONE,
        camera=_OBS if sign == "camera.name" else _CAMERA,
    )
    await stream.run_attempt(shown if sign == "memory.frames" else fresh_pictures())
    await stream.outcome()
    result = await _result(signs_live, check_id)
    assert result.reasons == [_MANIPULATED]
    assert _decisive(result) == {sign}


async def test_the_next_key_counts_once_it_is_listed(signs_live: LiveServer) -> None:
    file, following = signs_live.settings.device_integrity.server_keys_file, bytes([7] * 32)
    assert file is not None
    fresh = file.with_suffix(".new")
    fresh.write_text(f"{following.hex()}  next.pem\n")
    with capture_logs() as logs:
        fresh.replace(file)
        await until(lambda: any(entry["event"] == "server_keys_read" for entry in logs))
    check_id, _, stream = await _open(signs_live, "evaluation", following)
    await stream.run_attempt(fresh_pictures())
    await stream.outcome()
    assert (await _result(signs_live, check_id)).status == _SUCCESS


@pytest.mark.parametrize(("frames", "left"), [(4, "dropped"), (4, "cancelled"), (0, "half-closed")])
async def test_a_sign_decides_however_little_was_shown(
    signs_live: LiveServer, own_key: bytes, frames: int, left: str
) -> None:
    check_id, device, stream = await _open(signs_live, "evaluation", own_key, camera=_OBS)
    await stream.begin()
    await stream.send_frames(fresh_pictures()[:frames])
    await stream.taken(frames)
    match left:
        case "dropped":
            await stream.vanish()
            await signs_live.reaches(check_id, CheckState.DECIDED)
        case "half-closed":
            await stream.half_close()
            await stream.outcome()
        case _:
            await signs_live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=check_id))
    result = (await signs_live.finish(check_id, close_now=True)).result
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert result.reasons[0] == _MANIPULATED
    assert _decisive(result) == {"camera.name"}
    assert (await device.refusal()).reason == "CHECK_CLOSED"


async def test_a_camera_renamed_in_a_later_stream_still_counts(
    signs_live: LiveServer, own_key: bytes
) -> None:
    check_id, device, stream = await _open(signs_live, "evaluation", own_key, camera=_OBS)
    await stream.begin()
    await stream.vanish()
    await signs_live.reaches(check_id, CheckState.WAITING)
    resumed = await device.open(resume=True, device=_PHONE, camera=_CAMERA, server_spki_sha256=own_key)
    await resumed.prove()
    await resumed.run_attempt(fresh_pictures())
    await resumed.outcome()
    result = await _result(signs_live, check_id)
    assert result.reasons == [_MANIPULATED]
    assert _decisive(result) == {"camera.name"}


@pytest.mark.parametrize("left", some_fast(["dropped", "half-closed", "cancelled"], step=3))
async def test_frames_and_key_of_a_check_without_a_verdict_are_recognised(
    signs_live: LiveServer, own_key: bytes, left: str
) -> None:
    shown = fresh_pictures()
    check_id, device, first = await _open(signs_live, "evaluation", own_key)
    await first.begin()
    await first.taken(await first.send_frames(shown))
    match left:
        case "dropped":
            await first.vanish()
        case "half-closed":
            await first.half_close()
            await first.outcome()
        case _:
            await signs_live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=check_id))
    await signs_live.unattended()
    upload = await signs_live.upload(policy="evaluation")
    again = RawDevice(VerificationServiceStub(signs_live.device_channel), upload)
    again.session_key = device.session_key
    stream = await again.open(device=_PHONE, camera=_CAMERA, server_spki_sha256=own_key)
    await stream.begin()
    await stream.taken(await stream.send_frames(shown))
    # They count though the connection is lost.
    await stream.vanish()
    await signs_live.reaches(upload.check_id, CheckState.DECIDED)
    result = await _result(signs_live, upload.check_id)
    assert _MANIPULATED in result.reasons
    assert _decisive(result) == {"memory.frames", "memory.session_key"}


@pytest.mark.parametrize("again", [True, False])
async def test_another_attempt_is_offered_to_honest_devices_only(
    signs_live: LiveServer, own_key: bytes, again: bool
) -> None:
    check_id, _, stream = await _open(signs_live, "evaluation", own_key, camera=_CAMERA if again else _OBS)
    # The attempt has too few frames to decide anything else.
    answer = await stream.run_attempt(fresh_pictures()[:10])
    assert answer.another_attempt is again
    if again:
        await stream.half_close()
    await stream.outcome()
    result = await _result(signs_live, check_id)
    assert (result.reasons[0] == _MANIPULATED) is not again
    if not again:
        assert result_pb2.FAILURE_REASON_CONDITIONS not in result.reasons


async def test_a_waiver_is_in_the_result(signs_live: LiveServer, own_key: bytes) -> None:
    shown = fresh_pictures()
    _, _, stream = await _open(signs_live, "test", own_key)
    await stream.run_attempt(shown)
    await stream.outcome()
    check_id, _, stream = await _open(signs_live, "test", own_key)
    await stream.run_attempt(shown)
    await stream.outcome()
    result = await _result(signs_live, check_id)
    assert result.status == _SUCCESS
    assert list(result.device.tolerated_checks) == ["memory.frames"]
    (check,) = (check for check in result.device.checks if check.name == "memory.frames")
    assert (check.reason, check.decisive, check.tolerated) == ("FRAMES_SEEN_BEFORE", True, True)
    # The other signs are still decisive under that policy.
    check_id, _, stream = await _open(signs_live, "test", own_key, camera=_OBS)
    await stream.run_attempt(fresh_pictures())
    await stream.outcome()
    assert (await _result(signs_live, check_id)).reasons == [_MANIPULATED]


# Run-time findings that apps report over the wire, in real checks under different policies.

_Check = result_pb2.DeviceCheck
_REPORTS: dict[str, Any] = {"capabilities": [scan_pb2.CAPABILITY_FLASH, scan_pb2.CAPABILITY_RUNTIME_FINDINGS]}
_HOOKED = "HOOKING_FRAMEWORK"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def runtime_live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server whose callers create real checks, with a policy under which every finding is decisive."""
    folder = tmp_path_factory.mktemp("server")
    settings = settings_for(folder, sandbox=False)
    write_policy(folder / "policies", "wary", decide=sorted(RAISED_NAMES))
    async with serving(settings) as live:
        yield live


def _findings(*kinds: str) -> bytes:
    words = device_pb2.RuntimeFindingKind
    return device_pb2.RuntimeFindings(
        looked_for=[kind for kind in words.values() if kind],
        findings=[
            device_pb2.RuntimeFinding(kind=words.Value(f"RUNTIME_FINDING_KIND_{kind}"), name="a trait")
            for kind in kinds
        ],
    ).SerializeToString()


def _report(findings: bytes) -> Request:
    return Request(attestation=device_pb2.Attestation(runtime_findings=findings))


async def _runtime_open(live: LiveServer, policy: str) -> tuple[str, RawDevice, RawStream]:
    upload = await live.upload(policy=policy)
    device = RawDevice(live.device, upload)
    return upload.check_id, device, await device.open(**_REPORTS)


async def _scanned(live: LiveServer, policy: str, findings: bytes) -> result_pb2.CheckResult:
    check_id, _, stream = await _runtime_open(live, policy)
    if findings:
        await stream.send(_report(findings))
    answer = await stream.run_attempt(fresh_pictures())
    await stream.outcome()
    result = await _result(live, check_id)
    if _MANIPULATED in result.reasons:
        assert (answer.status, answer.another_attempt) == (scan_pb2.SCAN_STATUS_FAILURE, False)
    return result


def _reported(result: result_pb2.CheckResult) -> dict[str, tuple[int, str]]:
    return {
        check.name: (check.outcome, check.reason)
        for check in result.device.checks
        if check.name.startswith("runtime.")
    }


@pytest.mark.parametrize(
    ("policy", "found", "name"),
    [
        ("standard", _HOOKED, "runtime.hooking"),
        *(pytest.param(each, _HOOKED, "runtime.hooking", marks=pytest.mark.slow) for each in _POLICIES[1:]),
        ("standard", "DEBUGGER", "runtime.debugger"),
    ],
)
async def test_a_hooking_framework_or_a_debugger_fails_under_every_policy(
    runtime_live: LiveServer, policy: str, found: str, name: str
) -> None:
    result = await _scanned(runtime_live, policy, _findings(found))
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert _MANIPULATED in result.reasons
    assert _decisive(result) == {name}
    assert not result.device.tolerated_checks
    assert result.device.assurance == result_pb2.DEVICE_ASSURANCE_NONE
    assert result.device.injection_method == "function_hooking"


async def test_a_finding_common_on_honest_phones_fails_only_by_policy(runtime_live: LiveServer) -> None:
    reported = await _scanned(runtime_live, "evaluation", _findings("ROOT"))
    assert (reported.status, list(reported.reasons), _decisive(reported)) == (_SUCCESS, [], set())
    assert _reported(reported)["runtime.root"][0] == _Check.OUTCOME_FAIL
    decided = await _scanned(runtime_live, "wary", _findings("ROOT"))
    assert list(decided.reasons) == [_MANIPULATED]
    assert _decisive(decided) == {"runtime.root"}


async def test_a_finding_is_not_taken_back_by_a_later_report_or_a_later_stream(
    runtime_live: LiveServer,
) -> None:
    check_id, device, stream = await _runtime_open(runtime_live, "evaluation")
    await stream.send(_report(_findings(_HOOKED)))
    async with runtime_live.database() as database:
        devices = DeviceRepository(database)

        async def kept() -> bool:
            return bool(await devices.findings(UUID(check_id)))

        await until(kept)
    await stream.vanish()
    await runtime_live.reaches(check_id, CheckState.WAITING)
    resumed = await device.open(resume=True, **_REPORTS)
    await resumed.prove()
    await resumed.send(_report(_findings()))
    await resumed.run_attempt(fresh_pictures())
    await resumed.outcome()
    result = await _result(runtime_live, check_id)
    assert list(result.reasons) == [_MANIPULATED]
    assert _decisive(result) == {"runtime.hooking"}


async def test_reports_are_for_devices_that_announce_them(runtime_live: LiveServer) -> None:
    _, _, stream = await opened(runtime_live, policy="evaluation")
    assert not stream.challenge.attestation.runtime_findings
    await stream.send(_report(_findings()))
    refusal = await stream.refusal()
    assert refusal.reason == "UNEXPECTED_MESSAGE"
    _, _, announced = await _runtime_open(runtime_live, "evaluation")
    assert announced.challenge.attestation.runtime_findings


# A recording of an earlier check that succeeded, sent again in a new check of a real server.

_NOT_TRUSTED = result_pb2.FAILURE_REASON_DEVICE_NOT_TRUSTED
_REQUIRED = """
[device.demands.unspecified]
memory = "required"
stream = "required"
"""

_LONGER = replace(FAST, plan=replace(PLAN, frames=26, seconds=2.5))
"""Long enough to compare movements."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sent_again_live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server whose callers are real ones."""
    folder = tmp_path_factory.mktemp("sent-again")
    settings = settings_for(folder, sandbox=False)
    policies = folder / "policies"
    write_policy(policies, "plain", tolerate=())
    write_policy(policies, "required", tolerate=(), tables=_REQUIRED)
    async with serving(settings, tuning=_LONGER) as served:
        yield served


def _shown() -> Sequence[Picture]:
    """A genuine scan, taken anew."""
    return fresh_pictures(pictures(count=36))


async def _check(
    live: LiveServer, shown: Sequence[Picture], policy: str, **upload: Any
) -> result_pb2.CheckResult:
    check_id, _, stream = await opened(live, policy=policy, **upload)
    await stream.run_attempt(shown)
    await stream.outcome()
    await live.unattended()
    return (await live.finish(check_id)).result


def _memory(result: result_pb2.CheckResult, name: str) -> result_pb2.DeviceCheck:
    return next(check for check in result.device.checks if check.name == name)


def _commented(shown: Sequence[Picture]) -> list[Picture]:
    """The same pictures in other files: with EXIF, which says that they are upside down, and a comment."""
    exif = jpeg_segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0")
    more = exif + jpeg_segment(0xFE, b"again")
    return [replace(each, jpeg=each.jpeg[:2] + more + each.jpeg[2:]) for each in shown]


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "also"), [("plain", []), ("required", [_NOT_TRUSTED])])
async def test_the_same_pictures_in_other_files_are_decisive(
    sent_again_live: LiveServer, policy: str, also: list["result_pb2.FailureReason.ValueType"]
) -> None:
    shown = _shown()
    assert (await _check(sent_again_live, shown, policy)).status == _SUCCESS
    result = await _check(sent_again_live, _commented(shown), policy)
    assert (result.status, list(result.reasons)) == (result_pb2.CHECK_STATUS_FAILURE, [_MANIPULATED, *also])
    found = _memory(result, "memory.frames")
    assert (found.reason, found.decisive, found.tolerated) == ("FRAMES_SHOWN_BEFORE", True, False)
    assert result.device.injection_instrument == "recorded_video"


@pytest.mark.slow
@pytest.mark.parametrize("flag", [cv2.IMWRITE_JPEG_OPTIMIZE, cv2.IMWRITE_JPEG_PROGRESSIVE])
async def test_the_same_coefficients_in_another_coding_are_decisive(
    sent_again_live: LiveServer, flag: int
) -> None:
    shown = _shown()
    first, again = (
        [replace(each, jpeg=_coded(each.jpeg, cv2.IMWRITE_JPEG_QUALITY, 90, flag, on)) for each in shown]
        for on in (0, 1)
    )
    assert not {one.jpeg for one in first} & {one.jpeg for one in again}
    assert (await _check(sent_again_live, first, "plain")).status == _SUCCESS
    found = _memory(await _check(sent_again_live, again, "plain"), "memory.frames")
    assert (found.reason, found.decisive) == ("FRAMES_SHOWN_BEFORE", True)


@pytest.mark.slow
async def test_frames_that_were_not_measured_are_recognised(sent_again_live: LiveServer) -> None:
    shown = _shown()
    # At ten frames a second every second frame is measured; these begin with another one.
    assert (await _check(sent_again_live, shown, "plain")).status == _SUCCESS
    result = await _check(sent_again_live, _commented(shown[1:]), "plain")
    assert _memory(result, "memory.frames").reason == "FRAMES_SHOWN_BEFORE"


@pytest.mark.slow
async def test_another_attempt_of_the_same_check_may_show_the_same_pictures(
    sent_again_live: LiveServer,
) -> None:
    check_id, _, stream = await opened(sent_again_live, policy="plain")
    shown = _shown()
    assert (await stream.run_attempt(shown[:10])).another_attempt
    await stream.run_attempt([replace(one, time_us=one.time_us + 10_000_000) for one in _commented(shown)])
    await stream.outcome()
    result = (await sent_again_live.finish(check_id)).result
    assert result.status == _SUCCESS
    assert _memory(result, "memory.frames").reason != "FRAMES_SHOWN_BEFORE"


async def test_a_mirrored_recording_is_a_doubt_that_decides_nothing(sent_again_live: LiveServer) -> None:
    shown = _shown()
    first = await _check(sent_again_live, shown, "plain")
    mirrored = [
        replace(each, jpeg=_coded(each.jpeg, cv2.IMWRITE_JPEG_QUALITY, 84, mirrored=True)) for each in shown
    ]
    result = await _check(sent_again_live, mirrored, "plain")
    assert (first.status, result.status) == (_SUCCESS, _SUCCESS)
    assert _memory(result, "memory.frames").reason == "FRAMES_NEW"
    found = _memory(result, "memory.similarity")
    assert (found.reason, found.outcome) == ("SIMILAR_TO_EARLIER_SCAN", _Check.OUTCOME_FAIL)
    assert not found.decisive


def _coded(jpeg: bytes, *settings: int, mirrored: bool = False) -> bytes:
    """The picture, encoded anew."""
    pixels = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    return cv2.imencode(".jpg", pixels[:, ::-1] if mirrored else pixels, settings)[1].tobytes()


@pytest.mark.slow
async def test_honest_scans_of_one_person_in_one_place_are_no_doubt(sent_again_live: LiveServer) -> None:
    for day in (11, 12):
        settings = SceneSettings(
            kind=ScanKind.GENUINE, seed=day, seconds=3.6, frames_per_second=10, width=360, height=480
        )
        frames = simulate_scan(real_photo("astronaut"), settings)
        taken = [
            Picture(encode_jpeg(one.pixels, quality=80), round(one.capture_time * 1e6), 360, 480)
            for one in frames
        ]
        result = await _check(sent_again_live, taken, "plain", subject_reference="daily")
        assert result.status == _SUCCESS
        assert _memory(result, "memory.frames").reason == "FRAMES_NEW"
        assert _memory(result, "memory.similarity").reason == "MOVES_ANEW"


# The recognition of repeated scans with the database's scan memory.

# SubjectPublicKeyInfo of P-256 with a compressed point of 33 octets (RFC 5480), up to the point.
_COMPRESSED_HEAD = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")


_MEMORY_KEY = MemoryKey(bytes(32))
_NEXT_KEY = MemoryKey(bytes([1]) * 32, earlier=(bytes(32),))


def _compressed(key: ec.EllipticCurvePublicKey) -> bytes:
    return _COMPRESSED_HEAD + key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


@dataclass(frozen=True, slots=True)
class _Memory:
    """The recognition of scans over a database, with the memory key of zeros unless another is given."""

    database: Database
    pool: WorkerPool
    store: DatabaseScanMemory

    async def scan(
        self,
        session_key: bytes,
        *,
        key: MemoryKey = _MEMORY_KEY,
        findings: Sequence[EvidenceFinding] = (),
        **check: Any,
    ) -> dict[str, DeviceTest]:
        """What is found about a scan of a new check, by the name of the test; the scan is kept."""
        memory = DeviceMemory(
            self.store, tenant_key=key.tenant_key, hash_subject=key.subject_hash, pool=self.pool
        )
        record = await CheckRepository(self.database).create(replace(new_check(), **check), None)
        frames = await memory.compare_frames(record, (), images=(), pictures={})
        found = await memory.compare_scan(
            record, frames=frames, findings=findings, session_key=session_key, now=NOW
        )
        await memory.keep(record, found, now=NOW)
        return {test.name: test for test in found.tests}


@pytest_asyncio.fixture
async def memory(tmp_path: Path) -> AsyncIterator[_Memory]:
    url = f"sqlite:///{tmp_path / 'checks.db'}"
    await make_tables(url)
    database, pool = open_database(url), WorkerPool(workers=1)
    store = DatabaseScanMemory(
        database,
        tenant_key=_MEMORY_KEY.tenant_key,
        wrapping_keys=WrappingKeys(newest="k", keys={"k": bytes(32)}),
    )
    yield _Memory(database, pool, store)
    pool.close()
    await database.close()


@pytest.mark.parametrize("first", ["whole", "compressed"])
async def test_a_session_key_is_recognised_however_its_point_is_written(memory: _Memory, first: str) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    whole, compressed = public_key_der(public), _compressed(public)
    assert whole != compressed
    assert load_public_key(compressed) == public
    outcomes = []
    for session_key in (whole, compressed) if first == "whole" else (compressed, whole):
        tests = await memory.scan(session_key)
        assert "memory.attestation_key" not in tests
        outcomes.append(tests["memory.session_key"].reason)
    assert outcomes == ["KEY_NEW", "KEY_REUSED"]


async def test_a_key_of_a_sandbox_scan_is_new_to_a_real_one(memory: _Memory) -> None:
    session_key = public_key_der(ec.generate_private_key(ec.SECP256R1()).public_key())
    scans = [await memory.scan(session_key, sandbox=sandbox) for sandbox in (True, False, True, False)]
    outcomes = [scan["memory.session_key"].reason for scan in scans]
    assert outcomes == ["KEY_NEW", "KEY_NEW", "KEY_REUSED", "KEY_REUSED"]
    # Erasing a subject covers both, also after a rotation of the memory key.
    hashes = _NEXT_KEY.subject_hashes("default", "subject-1")
    assert await memory.database.write(forget_subject_rows, "default", "subject-1", hashes) == 4


async def test_people_of_a_device_are_counted_by_hashes_that_a_rotation_keeps(memory: _Memory) -> None:
    session = public_key_der(ec.generate_private_key(ec.SECP256R1()).public_key())
    # The mark of the device's key, as a verifier that has not read the next memory key makes it.
    finding = EvidenceFinding(
        verifier="app_attest",
        checks=(),
        lasting_key=key_mark(b"device", tenant_key=_MEMORY_KEY.tenant_key("default")),
    )
    counted = []
    for key in (_MEMORY_KEY, _NEXT_KEY):
        for subject in ("anna", "bert", "anna"):
            tests = await memory.scan(session, key=key, findings=[finding], subject_reference=subject)
            counted.append(tests["memory.subjects"].detail)
    assert [detail.split("for ")[1].split()[0] for detail in counted] == ["1", "2", "2", "2", "2", "2"]
    stored = await memory.database.read(
        lambda connection: set(connection.scalars(select(device_key_uses.c.subject_hash)))
    )
    assert stored == {_MEMORY_KEY.subject_hash("default", subject) for subject in ("anna", "bert")}


# A scan on a whole server in which one person replaces another.

_OURS, _THEIRS = "astronaut", "red-shirt"
_BLUR = 2.5


@functools.cache
def _blurred(picture: Picture) -> Picture:
    """Blur an image, so that its frame is not selected while there are better ones."""
    pixels = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    soft = cv2.GaussianBlur(pixels, (0, 0), _BLUR)
    jpeg = bytes(cv2.imencode(".jpg", soft, [cv2.IMWRITE_JPEG_QUALITY, 80])[1])
    return Picture(jpeg, picture.time_us, picture.width, picture.height)


def _covered(picture: Picture) -> Picture:
    """Return the frame of a camera that a hand covers."""
    dark = np.zeros((picture.height, picture.width, 3), np.uint8)
    return replace(picture, jpeg=bytes(cv2.imencode(".jpg", dark)[1]))


@functools.cache
def _resized(picture: Picture) -> Picture:
    """Return an image of another size."""
    pixels = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    small = cv2.resize(pixels, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    return Picture(bytes(cv2.imencode(".jpg", small)[1]), picture.time_us, width, height)


_MADE: dict[str, Callable[[Picture], Picture]] = {
    "B": lambda picture: picture,
    "b": _blurred,
    "k": _covered,
    "S": _resized,
}


def _scan(letters: str) -> tuple[Picture, ...]:
    """Return a frame for each letter.

    A is the portrait's person, B another, b another and blurred, k a covered camera, and S another in frames
    of another size.
    """
    ours, theirs = pictures(_OURS), pictures(_THEIRS)
    assert len(letters) == len(ours)
    return tuple(
        ours[place] if letter == "A" else _MADE[letter](theirs[place]) for place, letter in enumerate(letters)
    )


def _constancy(result: result_pb2.CheckResult) -> result_pb2.Signal:
    (signal,) = [signal for signal in result.liveness.signals if signal.name == "identity_constancy"]
    return signal


async def test_the_result_states_one_person_throughout(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene)
    await stream.run_attempt(_scan("A" * 26))
    result = (await scene.finish(check_id)).result
    assert result.status == result_pb2.CHECK_STATUS_SUCCESS
    signal = _constancy(result)
    assert signal.passed
    assert signal.weight == 0.0
    assert "The face was identified in" in signal.detail


@pytest.mark.parametrize(
    "letters",
    ["A" * 13 + "B" * 13, "A" * 12 + "kk" + "B" * 12, "A" * 12 + "bbb" + "B" * 11, "A" * 13 + "S" * 13],
    ids=["A then B", "hidden by a cover", "hidden by a blur", "another frame size"],
)
async def test_another_person_in_the_scan_is_a_failure_with_its_own_reason(
    scene: LiveServer, letters: str
) -> None:
    check_id, _, stream = await opened(scene)
    reported = await stream.run_attempt(_scan(letters))
    assert reported.status == scan_pb2.SCAN_STATUS_FAILURE
    assert not reported.another_attempt
    result = (await scene.finish(check_id)).result
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert result_pb2.FAILURE_REASON_IDENTITY_CHANGED in result.reasons
    signal = _constancy(result)
    assert not signal.passed
    assert signal.HasField("passed")


async def test_a_person_in_no_selected_frame_is_detected(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene)
    await stream.run_attempt(_scan("A" * 5 + "bb" + "A" * 19))
    result = (await scene.finish(check_id)).result
    # The match is with the portrait's person, and another person was detected, too.
    assert result.match.same_person
    assert result_pb2.FAILURE_REASON_IDENTITY_CHANGED in result.reasons
    assert ", 0 of them" not in _constancy(result).detail


# A script that warps the trusted image itself, against a real server.

_WIDTH, _HEIGHT = 480, 510


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trusted_image_live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server whose callers create real checks."""
    async with serving(settings_for(tmp_path_factory.mktemp("server"), sandbox=False)) as server:
        yield server


@functools.cache
def _portrait() -> bytes:
    return encode_jpeg(builtin_image("astronaut"), quality=90)


def _trusted_image_shown(seed: int) -> tuple[Picture, ...]:
    """The same photo, bent by a script."""
    photo = real_photo("astronaut")
    picture = np.asarray(cv2.resize(photo.pixels, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
    marks = photo.landmarks * np.float32(_WIDTH / photo.pixels.shape[1])
    x, y = marks.mean(axis=0).tolist()
    face = (x, y, float(np.ptp(marks[:, 0])))
    bent = bulge(picture, face, strength=0.03, seed=seed)
    frames = warp_photo(picture, face, bent, noise=1.5, rate=10, seconds=2.6, seed=seed)
    return tuple(
        Picture(encode_jpeg(f.pixels, quality=90), round(f.capture_time * 1e6), _WIDTH, _HEIGHT)
        for f in frames
    )


async def _trusted_image_scanned(
    live: LiveServer, *, document: bool, image: bytes | None = None
) -> result_pb2.LivenessResult:
    upload = await live.service.UploadTrustedImage(
        service_pb2.UploadTrustedImageRequest(
            image=image or _portrait(), policy="once", document_portrait=document, request_id=str(uuid4())
        )
    )
    stream = await RawDevice(live.device, upload).open()
    await stream.run_attempt(_trusted_image_shown(seed=int(document)))
    await stream.outcome()
    result = (await live.finish(upload.check_id)).result
    assert VERDICTS[VerdictReason.SHOWS_TRUSTED_IMAGE] in result.liveness.explanations
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    return result.liveness


@pytest.mark.slow
async def test_the_portrait_of_a_document_that_a_script_sends_is_a_spoof(
    trusted_image_live: LiveServer,
) -> None:
    liveness = await _trusted_image_scanned(trusted_image_live, document=True)
    assert liveness.verdict == result_pb2.LIVENESS_VERDICT_SPOOF


@pytest.mark.slow
async def test_a_record_of_a_passport_needs_no_declaration(trusted_image_live: LiveServer) -> None:
    made = build_record(_portrait(), version=RecordVersion.ISO_19794_5_2005)
    record = wrap_in_dg2([serialise(made)])
    liveness = await _trusted_image_scanned(trusted_image_live, document=False, image=record)
    assert liveness.verdict == result_pb2.LIVENESS_VERDICT_SPOOF


async def test_a_portrait_that_is_not_declared_as_a_documents_is_a_doubt(
    trusted_image_live: LiveServer,
) -> None:
    liveness = await _trusted_image_scanned(trusted_image_live, document=False)
    assert liveness.verdict != result_pb2.LIVENESS_VERDICT_LIVE

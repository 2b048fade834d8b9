"""Decided signs over the wire: they fail a check under every policy, and no later stream undoes them."""

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
import trustme
from facegate.v1 import device_pb2, result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub
from structlog.testing import capture_logs

from server.domain.terms import CheckState
from server.running.app import FacegateServer
from server.running.tls import TlsFiles
from server.storage.database import open_database
from server.storage.repository import CheckRepository
from tests.sampling import some_fast
from tests.server.live import FAST, LiveServer, ShiftedClock, fresh_pictures, settings_for, until
from tests.server.models_once import remembering_pack
from tests.server.raw_device import RawDevice, RawStream

_MANIPULATED = result_pb2.FAILURE_REASON_DEVICE_MANIPULATED
_SUCCESS = result_pb2.CHECK_STATUS_SUCCESS
_KEYS_FILE = "server-keys.txt"
_FLASH = scan_pb2.CAPABILITY_FLASH

_PHONE = device_pb2.DeviceProfile(
    platform=device_pb2.PLATFORM_ANDROID, manufacturer="Google", model="Pixel 9", os_version="16"
)
_CAMERA = device_pb2.CameraProfile(id="1", label="front camera", facing=device_pb2.CAMERA_FACING_FRONT)
_EMULATOR = device_pb2.DeviceProfile(
    platform=device_pb2.PLATFORM_ANDROID, manufacturer="Google", model="sdk_gphone64_x86_64", os_version="16"
)
_OBS = device_pb2.CameraProfile(id="1", label="OBS Virtual Camera", facing=device_pb2.CAMERA_FACING_FRONT)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
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
    clock = ShiftedClock()
    server = FacegateServer(settings, pack=remembering_pack(), tuning=FAST, now=clock)
    await server.start()
    database = open_database(settings.database_url)
    trusting = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    try:
        async with (
            grpc.aio.secure_channel(server.device_target, trusting) as device,
            grpc.aio.insecure_channel(server.service_target) as service,
        ):
            yield LiveServer(server, settings, clock, device, service, CheckRepository(database))
    finally:
        await database.close()
        await server.stop()


@pytest.fixture(scope="module")
def own_key(live: LiveServer) -> bytes:
    """The key that an honest device sees."""
    tls = live.settings.listeners.device.tls
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


@pytest.mark.parametrize("policy", some_fast(["standard", "low", "dynamic", "adaptive", "no-flash"], step=5))
async def test_a_manipulated_device_fails_under_every_policy(
    live: LiveServer, own_key: bytes, policy: str
) -> None:
    shown = fresh_pictures()
    _, _, honest = await _open(live, "standard", own_key)
    await honest.run_attempt(shown)
    await honest.outcome()
    check_id, _, stream = await _open(live, policy, bytes(range(32)), device=_EMULATOR, camera=_OBS)
    answer = await stream.run_attempt(shown)
    assert (answer.status, answer.another_attempt) == (scan_pb2.SCAN_STATUS_FAILURE, False)
    assert await stream.outcome() is None
    result = await _result(live, check_id)
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert _MANIPULATED in result.reasons
    assert _decisive(result) == {"camera.name", "device.emulator", "server_key.tls", "memory.frames"}
    assert not any(check.tolerated for check in result.device.checks)
    assert not result.device.tolerated_checks


@pytest.mark.parametrize(
    "sign", some_fast(["camera.name", "device.emulator", "server_key.tls", "memory.frames"], step=2)
)
async def test_each_sign_alone_refuses_a_scan_that_succeeds_without_it(
    live: LiveServer, own_key: bytes, sign: str
) -> None:
    shown = fresh_pictures()
    check_id, _, stream = await _open(live, "evaluation", own_key)
    await stream.run_attempt(shown)
    await stream.outcome()
    assert (await _result(live, check_id)).status == _SUCCESS
    check_id, _, stream = await _open(
        live,
        "evaluation",
        bytes(range(32)) if sign == "server_key.tls" else own_key,
        device=_EMULATOR if sign == "device.emulator" else _PHONE,
        camera=_OBS if sign == "camera.name" else _CAMERA,
    )
    await stream.run_attempt(shown if sign == "memory.frames" else fresh_pictures())
    await stream.outcome()
    result = await _result(live, check_id)
    assert result.reasons == [_MANIPULATED]
    assert _decisive(result) == {sign}


async def test_the_next_key_counts_once_it_is_listed(live: LiveServer) -> None:
    file, following = live.settings.device_integrity.server_keys_file, bytes([7] * 32)
    assert file is not None
    fresh = file.with_suffix(".new")
    fresh.write_text(f"{following.hex()}  next.pem\n")
    fresh.replace(file)

    async def read() -> bool:
        return any(entry["event"] == "server_keys_read" for entry in logs)

    with capture_logs() as logs:
        await until(read)
    check_id, _, stream = await _open(live, "evaluation", following)
    await stream.run_attempt(fresh_pictures())
    await stream.outcome()
    assert (await _result(live, check_id)).status == _SUCCESS


async def test_a_session_key_of_another_check_decides(live: LiveServer, own_key: bytes) -> None:
    _, device, stream = await _open(live, "evaluation", own_key)
    await stream.run_attempt(fresh_pictures())
    await stream.outcome()
    upload = await live.upload(policy="evaluation")
    again = RawDevice(VerificationServiceStub(live.device_channel), upload)
    again.session_key = device.session_key
    stream = await again.open(device=_PHONE, camera=_CAMERA, server_spki_sha256=own_key)
    await stream.run_attempt(fresh_pictures())
    await stream.outcome()
    result = await _result(live, upload.check_id)
    assert result.reasons == [_MANIPULATED]
    assert _decisive(result) == {"memory.session_key"}


@pytest.mark.parametrize("left", some_fast(["dropped", "half-closed", "cancelled", "closed"], step=2))
@pytest.mark.parametrize("frames", some_fast([0, 4], step=2))
async def test_a_sign_decides_however_little_was_shown(
    live: LiveServer, own_key: bytes, frames: int, left: str
) -> None:
    check_id, device, stream = await _open(live, "evaluation", own_key, camera=_OBS)
    await stream.begin()
    await stream.send_frames(fresh_pictures()[:frames])
    await stream.taken(frames)
    match left:
        case "dropped":
            await stream.vanish()
            await live.reaches(check_id, CheckState.DECIDED if frames else CheckState.WAITING)
        case "half-closed":
            await stream.half_close()
            await stream.outcome()
        case "cancelled":
            await live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=check_id))
        case _:
            await live.finish(check_id, close_now=True)
    result = (await live.finish(check_id, close_now=True)).result
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    assert result.reasons[0] == _MANIPULATED
    assert _decisive(result) == {"camera.name"}
    refusal = await device.refusal()
    assert refusal.reason == "CHECK_CLOSED"


async def test_a_camera_renamed_in_a_later_stream_still_counts(live: LiveServer, own_key: bytes) -> None:
    check_id, device, stream = await _open(live, "evaluation", own_key, camera=_OBS)
    await stream.begin()
    await stream.vanish()
    await live.reaches(check_id, CheckState.WAITING)
    resumed = await device.open(resume=True, device=_PHONE, camera=_CAMERA, server_spki_sha256=own_key)
    await resumed.prove()
    await resumed.run_attempt(fresh_pictures())
    await resumed.outcome()
    result = await _result(live, check_id)
    assert result.reasons == [_MANIPULATED]
    assert _decisive(result) == {"camera.name"}


async def test_frames_of_an_earlier_check_count_after_a_lost_connection(
    live: LiveServer, own_key: bytes
) -> None:
    shown = fresh_pictures()
    _, _, first = await _open(live, "evaluation", own_key)
    await first.run_attempt(shown)
    await first.outcome()
    check_id, _, stream = await _open(live, "evaluation", own_key)
    await stream.begin()
    sent = await stream.send_frames(shown)
    await stream.taken(sent)
    await stream.vanish()
    await live.reaches(check_id, CheckState.DECIDED)
    result = await _result(live, check_id)
    assert _MANIPULATED in result.reasons
    assert _decisive(result) == {"memory.frames"}


@pytest.mark.parametrize("left", some_fast(["dropped", "half-closed", "cancelled"], step=3))
async def test_frames_and_key_of_a_check_without_a_verdict_are_recognised(
    live: LiveServer, own_key: bytes, left: str
) -> None:
    shown = fresh_pictures()
    check_id, device, first = await _open(live, "evaluation", own_key)
    await first.begin()
    await first.taken(await first.send_frames(shown))
    match left:
        case "dropped":
            await first.vanish()
        case "half-closed":
            await first.half_close()
            await first.outcome()
        case _:
            await live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=check_id))
    await live.unattended()
    upload = await live.upload(policy="evaluation")
    again = RawDevice(VerificationServiceStub(live.device_channel), upload)
    again.session_key = device.session_key
    stream = await again.open(device=_PHONE, camera=_CAMERA, server_spki_sha256=own_key)
    await stream.run_attempt(shown)
    await stream.outcome()
    result = await _result(live, upload.check_id)
    assert result.reasons == [_MANIPULATED]
    assert _decisive(result) == {"memory.frames", "memory.session_key"}


async def test_an_attempt_is_recognised_while_its_scan_goes_on(live: LiveServer, own_key: bytes) -> None:
    shown = fresh_pictures()
    _, device, first = await _open(live, "evaluation", own_key)
    # The attempt has too few frames to decide, so another attempt may follow on the same stream.
    answer = await first.run_attempt(shown[:10])
    assert answer.another_attempt
    upload = await live.upload(policy="evaluation")
    again = RawDevice(VerificationServiceStub(live.device_channel), upload)
    again.session_key = device.session_key

    stream = await again.open(device=_PHONE, camera=_CAMERA, server_spki_sha256=own_key)
    await stream.run_attempt(shown)
    await stream.outcome()
    result = await _result(live, upload.check_id)
    assert result.reasons == [_MANIPULATED]
    assert _decisive(result) == {"memory.frames", "memory.session_key"}
    await first.vanish()


@pytest.mark.slow
async def test_an_earlier_clip_without_its_first_frame_is_recognised(
    live: LiveServer, own_key: bytes
) -> None:
    shown = fresh_pictures()
    _, _, first = await _open(live, "evaluation", own_key)
    await first.run_attempt(shown)
    await first.outcome()
    for skipped in (1, 3):
        check_id, _, stream = await _open(live, "evaluation", own_key)
        await stream.run_attempt(shown[skipped:])
        await stream.outcome()
        assert _decisive(await _result(live, check_id)) == {"memory.frames"}


@pytest.mark.parametrize("again", [True, False])
async def test_another_attempt_is_offered_to_honest_devices_only(
    live: LiveServer, own_key: bytes, again: bool
) -> None:
    check_id, _, stream = await _open(live, "evaluation", own_key, camera=_CAMERA if again else _OBS)
    # The attempt has too few frames to decide anything else.
    answer = await stream.run_attempt(fresh_pictures()[:10])
    assert answer.another_attempt is again
    if again:
        await stream.half_close()
    await stream.outcome()
    result = await _result(live, check_id)
    assert (result.reasons[0] == _MANIPULATED) is not again
    if not again:
        assert result_pb2.FAILURE_REASON_CONDITIONS not in result.reasons


async def test_a_waiver_is_in_the_result(live: LiveServer, own_key: bytes) -> None:
    shown = fresh_pictures()
    _, _, stream = await _open(live, "test", own_key)
    await stream.run_attempt(shown)
    await stream.outcome()
    check_id, _, stream = await _open(live, "test", own_key)
    await stream.run_attempt(shown)
    await stream.outcome()
    result = await _result(live, check_id)
    assert result.status == _SUCCESS
    assert list(result.device.tolerated_checks) == ["memory.frames"]
    (check,) = (check for check in result.device.checks if check.name == "memory.frames")
    assert (check.reason, check.decisive, check.tolerated) == ("FRAMES_SEEN_BEFORE", True, True)
    # The other signs are still decisive under that policy.
    check_id, _, stream = await _open(live, "test", own_key, camera=_OBS)
    await stream.run_attempt(fresh_pictures())
    await stream.outcome()
    assert (await _result(live, check_id)).reasons == [_MANIPULATED]

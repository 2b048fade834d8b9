"""The whole server: listeners, health, reflection, callers, limits, deadlines and what it logs."""

import asyncio
import io
import json
import shutil
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import pytest
import pytest_asyncio
import trustme
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs

from server.api_keys import new_api_key
from server.app import FacegateServer
from server.errors import ConfigurationError, ListenerUnusable
from server.policies.errors import PolicyInvalid
from server.settings import LogLevel, LogSettings
from server.telemetry.logging import configure_logging
from tests.logs import log_plainly
from tests.server.live import (
    FAST,
    LiveServer,
    Refused,
    pictures,
    portrait,
    refused,
    remembering_pack,
    serving,
    settings_for,
    until,
    write_policy,
)
from tests.server.raw_device import Ended, RawDevice
from vision.errors import PackNotFound
from vision.packs import Pack
from vision.packs.interfaces import FaceDetector

_C = grpc.StatusCode
_SERVICES = ("", "facegate.v1.VerificationService")


async def _health(channel: grpc.aio.Channel) -> set[int]:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    return {(await stub.Check(health_pb2.HealthCheckRequest(service=name))).status for name in _SERVICES}


async def _refused(call: Any) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refused(caught.value)


async def _get(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.text()


# -- start and stop


async def test_what_policies_tolerate_is_told_at_the_start(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    write_policy(tmp_path / "policies", "strict", tolerate=())
    with capture_logs() as logs:
        async with serving(settings):
            pass
    told = {entry["policy"]: entry["checks"] for entry in logs if entry["event"] == "policy_tolerates_checks"}
    assert told["test"] == ["memory.frames"]
    assert not told.keys() & {"strict", "standard", "high"}


async def test_nothing_is_served_before_the_models_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = asyncio.Event()
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def load(*_args: object, **_kwargs: object) -> Pack:
        loop.call_soon_threadsafe(loading.set)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(60)
        return remembering_pack()

    monkeypatch.setattr("server.models.load_pack", load)
    server = FacegateServer(settings_for(tmp_path), tuning=FAST)
    starting = asyncio.ensure_future(server.start())
    await asyncio.wait_for(loading.wait(), 60)
    async with (
        grpc.aio.insecure_channel(server.device_target) as device,
        grpc.aio.insecure_channel(server.service_target) as service,
    ):
        for channel in (device, service):
            assert await _health(channel) == {health_pb2.HealthCheckResponse.NOT_SERVING}
        upload = VerificationServiceStub(service).UploadTrustedImage(service_pb2.UploadTrustedImageRequest())
        refusal = await _refused(upload)
        assert (refusal.code, refusal.reason) == (_C.UNAVAILABLE, "NOT_SERVING")
        assert refusal.retry_seconds
        refusal = await _refused(_first(VerificationServiceStub(device).ScanFace()))
        assert (refusal.code, refusal.reason) == (_C.UNAVAILABLE, "NOT_SERVING")
        status, body = await _get(server.admin_port, "/readyz")
        assert status == 503
        assert json.loads(body)["parts"]["models"] is False
        assert (await _get(server.admin_port, "/healthz"))[0] == 200

        release.set()
        await starting
        for channel in (device, service):
            assert await _health(channel) == {health_pb2.HealthCheckResponse.SERVING}
        status, body = await _get(server.admin_port, "/readyz")
        assert (status, json.loads(body)["ready"]) == (200, True)
        await server.drain()
        for channel in (device, service):
            assert await _health(channel) == {health_pb2.HealthCheckResponse.NOT_SERVING}
    await server.stop()


async def test_a_server_that_cannot_keep_evidence_is_not_ready(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    objects = Path(settings.objects_url)
    async with serving(settings) as live:
        await asyncio.to_thread(_replace_by_file, objects)
        status, body = await _get(live.server.admin_port, "/readyz")
        parts = {"models": True, "database": True, "disk": True, "objects": False}
        assert (status, json.loads(body)) == (503, {"ready": False, "parts": parts})
        assert (await _get(live.server.admin_port, "/healthz"))[0] == 200


def _replace_by_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_bytes(b"")


async def _first(call: Any) -> None:
    assert await call.read() is None


async def test_a_start_that_fails_leaves_nothing_open(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path / "one")) as live:
        listeners = {"device": {"port": 0}, "service": {"port": 0}, "admin": {"port": live.server.admin_port}}
        second = FacegateServer(settings_for(tmp_path / "two", listeners=listeners), pack=remembering_pack())
        with pytest.raises(ListenerUnusable):
            await second.start()
        await second.stop()

        port = int(live.server.device_target.rpartition(":")[2])
        listeners = {"device": {"port": port}, "service": {"port": 0}, "admin": {"port": 0}}
        third = FacegateServer(settings_for(tmp_path / "three", listeners=listeners), pack=remembering_pack())
        with pytest.raises(ListenerUnusable, match=f"device listener cannot use 127.0.0.1:{port}"):
            await third.start()
        await third.stop()


async def test_settings_that_cannot_be_met_keep_it_from_starting(tmp_path: Path) -> None:
    unknown = settings_for(tmp_path / "a", policies={"default": "none"})
    phones = {"apple": {"app_ids": ["TEAM123456.org.example.bank"]}, "proxy_spki_sha256": ["ab" * 32]}
    strict = settings_for(tmp_path / "b", policies={"default": "high"}, device_integrity=phones)
    for settings in (unknown, strict):
        server = FacegateServer(settings, pack=remembering_pack())
        with pytest.raises(ConfigurationError, match=r"policies\.default|default policy"):
            await server.start()
        await server.stop()
    missing = FacegateServer(settings_for(tmp_path / "c", policies={"folder": tmp_path / "none"}))
    with pytest.raises(PolicyInvalid):
        await missing.start()
    await missing.stop()


async def test_the_configured_pack_is_loaded_from_the_models_folder(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, pack="open", models_dir=tmp_path / "models")
    server = FacegateServer(settings, tuning=FAST)
    with pytest.raises(PackNotFound, match=r"not in .*models: fetch it with `facegate models pull open`"):
        await server.start()
    await server.stop()


# -- listeners


@pytest_asyncio.fixture
async def live(tmp_path: Path) -> AsyncIterator[LiveServer]:
    async with serving(settings_for(tmp_path)) as server:
        yield server


async def test_a_call_on_the_wrong_listener_is_unimplemented(live: LiveServer) -> None:
    wrong_device = VerificationServiceStub(live.service_channel)
    wrong_service = VerificationServiceStub(live.device_channel)
    refusals = {
        "ScanFace": await _refused(_first(wrong_device.ScanFace())),
        "UploadTrustedImage": await _refused(
            wrong_service.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=portrait()))
        ),
        "FinishCheck": await _refused(wrong_service.FinishCheck(service_pb2.FinishCheckRequest())),
        "GetCheck": await _refused(wrong_service.GetCheck(service_pb2.GetCheckRequest())),
        "WatchCheck": await _refused(_first(wrong_service.WatchCheck(service_pb2.WatchCheckRequest()))),
        "CancelCheck": await _refused(wrong_service.CancelCheck(service_pb2.CancelCheckRequest())),
    }
    for call, refusal in refusals.items():
        assert (refusal.code, refusal.reason) == (_C.UNIMPLEMENTED, "WRONG_LISTENER")
        assert refusal.metadata == {"call": call, "listener": "device" if call == "ScanFace" else "service"}


async def _services(channel: Any) -> set[str]:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    answer = await call.read()
    return {service.name for service in answer.list_services_response.service}


async def test_reflection_is_off_unless_asked_for_and_never_on_the_device_listener(
    live: LiveServer, tmp_path: Path
) -> None:
    for channel in (live.device_channel, live.service_channel):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _services(channel)
        assert caught.value.code() is _C.UNIMPLEMENTED
    async with serving(settings_for(tmp_path / "reflecting", reflection=True)) as open_server:
        listed = await _services(open_server.service_channel)
        assert {"facegate.v1.VerificationService", "facegate.v1.AnalysisService"} <= set(listed)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _services(open_server.device_channel)
        assert caught.value.code() is _C.UNIMPLEMENTED


# -- callers


async def test_api_keys(tmp_path: Path) -> None:
    keys = {role: new_api_key() for role in ("orchestrator", "compliance")}
    file = tmp_path / "keys.toml"
    file.touch(0o600)
    file.write_text(
        "\n".join(
            f'[[key]]\nname = "{role}"\nsha256 = "{digest}"\nroles = ["{role}"]'
            for role, (_, digest) in keys.items()
        )
    )
    listeners = {"device": {"port": 0}, "service": {"port": 0, "api_keys_file": file}, "admin": {"port": 0}}
    async with serving(settings_for(tmp_path, listeners=listeners)) as live:

        def finish(header: str | None) -> Any:
            metadata = () if header is None else (("authorization", header),)
            request = service_pb2.FinishCheckRequest(check_id=str(uuid4()))
            return live.service.FinishCheck(request, metadata=metadata)

        good = keys["orchestrator"][0]
        for header, code, reason in (
            (None, _C.UNAUTHENTICATED, "UNAUTHENTICATED"),
            ("Bearer ", _C.UNAUTHENTICATED, "UNAUTHENTICATED"),
            (f"Bearer {good}x", _C.UNAUTHENTICATED, "UNAUTHENTICATED"),
            (f"Basic {good}", _C.UNAUTHENTICATED, "UNAUTHENTICATED"),
            (f"Bearer {keys['compliance'][0]}", _C.PERMISSION_DENIED, "PERMISSION_DENIED"),
            (f"Bearer {good}", _C.NOT_FOUND, "CHECK_NOT_FOUND"),
            (f"bearer {good}", _C.NOT_FOUND, "CHECK_NOT_FOUND"),
        ):
            refusal = await _refused(finish(header))
            assert (refusal.code, refusal.reason) == (code, reason), header
            assert good[5:] not in refusal.message + str(refusal.metadata)
        upload = live.service.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=portrait()))
        assert (await _refused(upload)).reason == "UNAUTHENTICATED"


async def test_mutual_tls(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    files = _certificate(tmp_path, authority)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    listeners = {
        "device": {"port": 0, "tls": files},
        "service": {
            "port": 0,
            "tls": files | {"client_ca": tmp_path / "ca.pem"},
            "clients": [
                {"identity": f"cn:{name}", "name": name, "tenant": name, "roles": ["orchestrator"]}
                for name in ("backend-one", "backend-two")
            ],
        },
        "admin": {"port": 0},
    }
    server = FacegateServer(settings_for(tmp_path, listeners=listeners), pack=remembering_pack(), tuning=FAST)
    await server.start()
    request = service_pb2.UploadTrustedImageRequest(image=portrait())
    async with _secure(server.service_target, authority, authority, "backend-one") as channel:
        upload = await VerificationServiceStub(channel).UploadTrustedImage(request)
        finish = service_pb2.FinishCheckRequest(check_id=upload.check_id)
        assert (
            await _refused(VerificationServiceStub(channel).FinishCheck(finish))
        ).reason == "NOT_SCANNED_YET"
    async with _secure(server.service_target, authority, authority, "backend-two") as channel:
        assert (
            await _refused(VerificationServiceStub(channel).FinishCheck(finish))
        ).reason == "CHECK_NOT_FOUND"
    for issuer in (stranger, None):
        async with _secure(server.service_target, authority, issuer, "backend-one") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await VerificationServiceStub(channel).UploadTrustedImage(request, timeout=5)
            assert caught.value.code() in {_C.UNAVAILABLE, _C.DEADLINE_EXCEEDED}

    async with _secure(server.device_target, authority, None, "") as channel:
        device = RawDevice(VerificationServiceStub(channel), upload)
        stream = await device.open(server_spki_sha256=bytes(32))
        await stream.run_attempt(pictures())
        assert await stream.outcome() is None
    async with _secure(server.service_target, authority, authority, "backend-one") as channel:
        answer = await VerificationServiceStub(channel).FinishCheck(finish)
    checks = {check.name: check.reason for check in answer.result.device.checks}
    # A proxy ended TLS between the device and this server, and the result says so.
    assert checks["server_key.tls"] == "OTHER_KEY"
    await server.stop()


def _certificate(folder: Path, authority: trustme.CA) -> dict[str, Path]:
    issued = authority.issue_cert("localhost", "127.0.0.1")
    certificate, key = folder / "server.pem", folder / "server.key"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    key.chmod(0o600)
    return {"certificate": certificate, "key": key}


def _secure(target: str, authority: trustme.CA, issuer: trustme.CA | None, name: str) -> grpc.aio.Channel:
    own = None if issuer is None else issuer.issue_cert(f"{name}.example", common_name=name)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=authority.cert_pem.bytes(),
        private_key=None if own is None else own.private_key_pem.bytes(),
        certificate_chain=None if own is None else own.cert_chain_pems[0].bytes(),
    )
    return grpc.aio.secure_channel(target, credentials)


# -- limits


class _Held:
    """A detector that waits until it is told to go on."""

    def __init__(self, model: FaceDetector, loop: asyncio.AbstractEventLoop) -> None:
        self._model, self._loop = model, loop
        self.release = asyncio.Event()
        self.held = 0

    def detect(self, image: Any) -> Any:
        self.held += 1
        asyncio.run_coroutine_threadsafe(self.release.wait(), self._loop).result(60)
        return self._model.detect(image)


async def test_scans_beyond_the_limit_are_asked_to_come_later(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, limits={"max_scans": 2})) as live:
        uploads = [await live.upload() for _ in range(3)]
        streams = [await RawDevice(live.device, upload).open() for upload in uploads[:2]]
        third = RawDevice(live.device, uploads[2])
        refusal = await third.refusal()
        assert (refusal.code, refusal.reason) == (_C.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert refusal.retry_seconds
        assert refusal.metadata == {"limit": "2", "retrySeconds": "3.0"}
        for stream in streams:
            await stream.vanish()
        await live.unattended()
        assert (await (await third.open()).run_attempt(pictures())).status == scan_pb2.SCAN_STATUS_SUCCESS


async def test_unary_calls_beyond_the_limit_and_beyond_their_deadline(tmp_path: Path) -> None:
    held = _Held(remembering_pack().detector, asyncio.get_running_loop())
    pack = replace(remembering_pack(), detector=held)
    limits = {"max_uploads": 1, "max_unary": 1, "wait_seconds": 0.2}
    async with serving(settings_for(tmp_path, limits=limits), pack=pack) as live:
        request = service_pb2.UploadTrustedImageRequest(image=portrait(), request_id=str(uuid4()))
        first = asyncio.ensure_future(live.service.UploadTrustedImage(request))

        async def being_worked_on() -> bool:
            return held.held > 0

        await until(being_worked_on)

        refusal = await _refused(live.upload())
        assert (refusal.code, refusal.reason) == (_C.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert refusal.retry_seconds
        # A verdict is still to be had.
        assert (await _refused(live.finish(str(uuid4())))).reason == "CHECK_NOT_FOUND"
        held.release.set()
        accepted = await first
        held.release.clear()

        # The same request again is answered from storage; a new one waits for its deadline.
        assert await live.service.UploadTrustedImage(request, timeout=20) == accepted
        late = service_pb2.UploadTrustedImageRequest(image=portrait(), subject_reference="late")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await live.service.UploadTrustedImage(late, timeout=0.5)
        assert caught.value.code() is _C.DEADLINE_EXCEEDED
        held.release.set()

        async def served_again() -> bool:
            try:
                return bool((await live.upload()).check_id)
            except grpc.aio.AioRpcError as error:
                return refused(error).reason != "OVERLOADED"

        await until(served_again)


async def test_the_servers_own_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.edge.service_servicer._MAX_SECONDS", 0.2)
    held = _Held(remembering_pack().detector, asyncio.get_running_loop())
    async with serving(settings_for(tmp_path), pack=replace(remembering_pack(), detector=held)) as live:
        refusal = await _refused(live.upload())
        assert (refusal.code, refusal.reason) == (_C.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
        held.release.set()


# -- what is logged


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, down to debug."""
    import logging

    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    configure_logging(LogSettings(level=LogLevel.DEBUG), stream=stream)
    yield stream
    log_plainly()
    root.handlers = handlers
    root.setLevel(level)


async def test_a_whole_check_leaves_nothing_biometric_and_no_secret_in_the_log(
    tmp_path: Path, log: io.StringIO
) -> None:
    async with serving(settings_for(tmp_path)) as live:
        upload = await live.upload(subject_reference="subject-4711", consent_reference="consent-4711")
        device = RawDevice(live.device, upload)
        stream = await device.open()
        result = await stream.run_attempt(pictures())
        assert await stream.outcome() is None
        assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
        answer = await live.finish(upload.check_id, audit_images=4)
        assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
        broken = RawDevice(live.device, upload)
        broken.token = "B" + broken.token[1:]
        with pytest.raises(Ended, match="TOKEN_INVALID"):
            await broken.open()
        secrets = [path.read_bytes() for path in (tmp_path / "data" / "keys").iterdir()]
    written = log.getvalue()
    assert "serving" in written
    assert "call_refused" in written
    assert upload.scan_token not in written
    assert upload.scan_token[30:] not in written
    assert answer.result_jws[-40:] not in written
    assert "4711" not in written
    for secret in secrets:
        assert secret.hex() not in written
        assert b64encode(secret).decode() not in written
    for image in [portrait(), *(picture.jpeg for picture in pictures())]:
        part = image[500:524]
        assert part.hex() not in written
        assert b64encode(part).decode() not in written
    for line in written.splitlines():
        entry = json.loads(line)
        assert all(isinstance(value, str | int | float | bool | list | None) for value in entry.values()), (
            entry
        )
        assert len(line) < 20_000

"""The whole server: how it starts and stops, its listeners, health and reflection."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs

from facegate_client import StreamLostError
from facegate_client.stream_call import StreamCall
from server.base.errors import ConfigurationError, ListenerUnusable
from server.policies.loading import PolicyInvalid
from server.running.app import FacegateServer
from tests.server.live import FAST, LiveServer, portrait, serving, settings_for
from tests.server.models_once import remembering_pack
from tests.server.policy_files import write_policy
from tests.server.refusals import refusal_of
from vision.errors import PackNotFound
from vision.packs import Pack

_SERVICES = ("", "facegate.v1.VerificationService")


async def _health(channel: grpc.aio.Channel) -> set[int]:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    return {(await stub.Check(health_pb2.HealthCheckRequest(service=name))).status for name in _SERVICES}


async def _get(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.text()


async def test_tolerated_tests_are_logged_at_the_start(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    write_policy(tmp_path / "policies", "strict", tolerate=())
    with capture_logs() as logs:
        async with serving(settings):
            pass
    tolerated = {
        entry["policy"]: entry["checks"] for entry in logs if entry["event"] == "policy_tolerates_checks"
    }
    assert tolerated["test"] == ["memory.frames"]
    assert not tolerated.keys() & {"strict", "standard", "high"}


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

    monkeypatch.setattr("server.running.models.load_pack", load)
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
        refusal = await refusal_of(upload)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")
        assert refusal.retry_seconds
        refusal = await refusal_of(_first(VerificationServiceStub(device).ScanFace()))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")
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
        parts = {"models": True, "database": True, "memory": True, "disk": True, "objects": False}
        answer = json.loads(body)
        assert (status, answer["ready"], answer["parts"]) == (503, False, parts)
        assert set(answer["reasons"]) == {"objects"}
        assert (await _get(live.server.admin_port, "/healthz"))[0] == 200


def _replace_by_file(folder: Path) -> None:
    while folder.is_dir():  # The server may make it again for its witness of the audit log.
        shutil.rmtree(folder.rename(folder.with_name("replaced")))
        with suppress(IsADirectoryError):
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


@pytest_asyncio.fixture
async def live(tmp_path: Path) -> AsyncIterator[LiveServer]:
    async with serving(settings_for(tmp_path)) as server:
        yield server


async def test_a_call_on_the_wrong_listener_is_unimplemented(live: LiveServer) -> None:
    wrong_device = VerificationServiceStub(live.service_channel)
    wrong_service = VerificationServiceStub(live.device_channel)
    refusals = {
        "ScanFace": await refusal_of(_first(wrong_device.ScanFace())),
        "UploadTrustedImage": await refusal_of(
            wrong_service.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=portrait()))
        ),
        "FinishCheck": await refusal_of(wrong_service.FinishCheck(service_pb2.FinishCheckRequest())),
        "GetCheck": await refusal_of(wrong_service.GetCheck(service_pb2.GetCheckRequest())),
        "WatchCheck": await refusal_of(_first(wrong_service.WatchCheck(service_pb2.WatchCheckRequest()))),
        "CancelCheck": await refusal_of(wrong_service.CancelCheck(service_pb2.CancelCheckRequest())),
    }
    for call, refusal in refusals.items():
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNIMPLEMENTED, "WRONG_LISTENER")
        assert refusal.metadata == {"call": call, "listener": "device" if call == "ScanFace" else "service"}


async def _services(channel: Any) -> set[str]:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    call: StreamCall[Any, Any] = StreamCall(stub.ServerReflectionInfo())
    with suppress(StreamLostError):
        await call.send(reflection_pb2.ServerReflectionRequest(list_services=""))
        await call.half_close()
    answer = await call.receive()
    assert answer is not None
    return {service.name for service in answer.list_services_response.service}


async def test_reflection_is_off_unless_asked_for_and_never_on_the_device_listener(
    live: LiveServer, tmp_path: Path
) -> None:
    for channel in (live.device_channel, live.service_channel):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _services(channel)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    async with serving(settings_for(tmp_path / "reflecting", reflection=True)) as open_server:
        listed = await _services(open_server.service_channel)
        assert {"facegate.v1.VerificationService", "facegate.v1.AnalysisService"} <= set(listed)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _services(open_server.device_channel)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED

"""The whole server: how it starts and stops, its listeners, health, readiness, TLS and administration."""

import asyncio
import contextlib
import hashlib
import json
import shutil
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from facegate_client import StreamLostError
from facegate_client.stream_call import StreamCall
from server.base.errors import ConfigurationError, ListenerUnusable
from server.configuration.settings import ServiceTls, Tls
from server.policies.loading import PolicyInvalid
from server.running.admin import AdminServer, CachedProbe, disk_probe, object_store_probe, storage_readiness
from server.running.app import FacegateServer
from server.running.capacity import ADMIN_CONNECTIONS
from server.running.tls import CertificateUnusable, TlsFiles
from server.storage.errors import StorageUnavailable
from server.storage.objects import open_object_store
from server.telemetry.metrics import Metrics
from tests.server.live import FAST, LiveServer, serving, settings_for
from tests.server.models_once import remembering_pack
from tests.server.policy_files import write_policy
from tests.server.refusals import refusal_of
from vision.packs import Pack

# The whole server: how it starts and stops, its listeners, health and reflection.

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
        with pytest.raises(aiohttp.ClientConnectionError):
            await _get(third.admin_port, "/healthz")
        await third.stop()


async def test_what_answers_stops_before_what_is_behind_it_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    def note(name: str) -> None:
        close = resolve_name(name)

        async def noted(*args: Any) -> None:
            closed.append(name)
            await close(*args)

        monkeypatch.setattr(name, noted)

    order = (
        "server.edge.listeners.Listener.stop",
        "server.running.background.Background.stop",
        "server.edge.device_servicer.DeviceServicer.idle",
        "server.checks.running.RunningScans.stop",
        "server.running.admin.AdminServer.stop",
        "server.running.workers.Workers.close",
        "server.storage.database._Sqlite.close",
    )
    server = FacegateServer(settings_for(tmp_path), pack=remembering_pack(), tuning=FAST)
    for name in order:
        note(name)
    await server.start()
    closed.clear()
    await server.stop()
    assert tuple(dict.fromkeys(closed)) == order


async def test_settings_that_cannot_be_met_keep_it_from_starting(tmp_path: Path) -> None:
    unknown = settings_for(tmp_path / "a", policies={"default": "none"})
    phones = {"apple": {"app_ids": ["TEAM123456.org.example.bank"]}, "proxy_spki_sha256": ["ab" * 32]}
    strict = settings_for(tmp_path / "b", policies={"default": "high"}, device_integrity=phones)
    unserved = settings_for(tmp_path / "d", policies={"default": "standard", "served": ["evaluation"]})
    missing = settings_for(tmp_path / "c", policies={"folder": tmp_path / "none"})
    default = r"policies\.default|default policy"
    for settings, error, said in (
        (unknown, ConfigurationError, default),
        (strict, ConfigurationError, default),
        (unserved, ConfigurationError, default),
        (missing, PolicyInvalid, None),
    ):
        server = FacegateServer(settings, pack=remembering_pack())
        with pytest.raises(error, match=said):
            await server.start()
        await server.stop()


async def test_a_policy_that_is_not_served_is_refused_and_its_open_checks_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    async with serving(settings_for(tmp_path, policies={"folder": folder, "default": "test"})) as live:
        begun = await live.upload(policy="short")
    served = settings_for(tmp_path, policies={"folder": folder, "default": "test", "served": ["test"]})
    async with serving(served) as live:
        await live.upload()
        refused = await refusal_of(live.upload(policy="short"))
        assert (refused.reason, refused.metadata["policies"]) == ("POLICY_NOT_FOUND", "test")
        await live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=begun.check_id))
        assert (await live.finish(begun.check_id)).result.policy.name == "short"


@pytest_asyncio.fixture
async def app_live(tmp_path: Path) -> AsyncIterator[LiveServer]:
    async with serving(settings_for(tmp_path)) as server:
        yield server


async def _services(channel: Any) -> set[str]:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    call: StreamCall[Any, Any] = StreamCall(stub.ServerReflectionInfo())
    with suppress(StreamLostError):
        await call.send(reflection_pb2.ServerReflectionRequest(list_services=""))
        await call.half_close()
    answer = await call.receive()
    assert answer is not None
    return {service.name for service in answer.list_services_response.service}


async def test_reflection_is_for_a_server_on_loopback_and_never_on_the_device_listener(
    app_live: LiveServer, tmp_path: Path
) -> None:
    listed = await _services(app_live.service_channel)
    assert {"facegate.v1.VerificationService", "facegate.v1.AnalysisService"} <= set(listed)
    settings = settings_for(tmp_path / "reachable", sandbox=True)
    listeners = settings.listeners.model_dump()
    listeners["admin"] |= {"host": "0.0.0.0", "trusted_network": True}  # noqa: S104
    async with serving(settings_for(tmp_path / "reachable", listeners=listeners)) as reachable:
        for channel in (app_live.device_channel, reachable.device_channel, reachable.service_channel):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await _services(channel)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


_JWKS = {"keys": [{"kty": "EC", "kid": "1"}]}
_AUDIT_JWKS = {"keys": [{"kty": "EC", "kid": "2"}]}


class Parts:
    """Parts of a server with a readiness that a test sets."""

    def __init__(self) -> None:
        self.models: Any = True
        self.database: Any = True

    async def of_models(self) -> bool:
        return await self._answer(self.models)

    async def of_database(self) -> bool:
        return await self._answer(self.database)

    async def _answer(self, value: Any) -> bool:
        if isinstance(value, Exception):
            raise value
        return bool(value)


@pytest.fixture
def parts() -> Parts:
    return Parts()


def _admin_server(readiness: dict[str, Callable[[], Awaitable[bool]]], *, port: int = 0) -> AdminServer:
    return AdminServer(
        host="127.0.0.1",
        port=port,
        metrics=Metrics(CollectorRegistry()),
        jwks=lambda: _JWKS,
        audit_jwks=lambda: _AUDIT_JWKS,
        readiness=readiness,
    )


@pytest_asyncio.fixture
async def address(parts: Parts) -> AsyncIterator[str]:
    server = _admin_server({"models": parts.of_models, "database": parts.of_database})
    await server.start()
    yield f"http://127.0.0.1:{server.port}"
    await server.stop()


async def get(url: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, answer.headers["Content-Type"], await answer.text()


async def test_metrics_are_served_and_nothing_else(address: str) -> None:
    status, media_type, body = await get(f"{address}/metrics")
    assert status == 200
    assert media_type.startswith("text/plain")
    assert "facegate_scans_in_progress 0.0" in body
    assert (await get(f"{address}/checks"))[0] == 404


async def test_readiness_is_that_of_every_part(address: str, parts: Parts) -> None:
    assert (await get(f"{address}/readyz"))[0] == 200
    parts.database = False
    status, _, body = await get(f"{address}/readyz")
    assert status == 503
    assert '"database": false' in body
    assert '"models": true' in body
    # Health is that the process answers.
    assert (await get(f"{address}/healthz"))[0] == 200


async def test_a_part_that_fails_is_not_ready_and_its_text_is_not_shown(address: str, parts: Parts) -> None:
    parts.database = RuntimeError("postgresql://user:hunter2@host")
    with capture_logs() as logs:
        status, _, body = await get(f"{address}/readyz")
    assert status == 503
    assert "hunter2" not in body
    assert logs == [{"event": "not_ready", "log_level": "warning", "part": "database", "why": "RuntimeError"}]


async def test_why_a_part_is_not_ready_is_logged_when_it_changes(address: str, parts: Parts) -> None:
    locked, full = (StorageUnavailable(why) for why in ("it is locked", "the disk is full"))
    with capture_logs() as logs:
        for parts.database in (locked, locked, full, True, full):
            await get(f"{address}/readyz")
    assert [entry["why"] for entry in logs] == ["it is locked", "the disk is full", "the disk is full"]


async def test_a_part_that_hangs_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.running.admin._READY_SECONDS", 0.05)

    async def hang() -> bool:
        await asyncio.sleep(60)
        return True

    server = _admin_server({"database": hang})
    await server.start()
    try:
        assert (await get(f"http://127.0.0.1:{server.port}/readyz"))[0] == 503
    finally:
        await server.stop()


async def test_any_page_may_read_the_result_keys(address: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{address}/.well-known/jwks.json", headers={"Origin": "https://a.example"}) as answer,
    ):
        assert (answer.status, answer.content_type) == (200, "application/jwk-set+json")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert '"kid": "1"' in await answer.text()


async def test_a_taken_port_is_reported(address: str) -> None:
    port = int(address.rsplit(":", 1)[1])
    with pytest.raises(ListenerUnusable, match=str(port)):
        await _admin_server({}, port=port).start()


async def test_the_oldest_connection_gives_way(address: str) -> None:
    host, _, port = address.removeprefix("http://").rpartition(":")
    held = [await asyncio.open_connection(host, int(port)) for _ in range(ADMIN_CONNECTIONS + 5)]
    # They came one after the other, and only the newest ones are open.
    for reader, _ in held[:5]:
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 60) == b""
    status, _, _ = await get(f"{address}/healthz")
    assert status == 200
    for _, writer in held:
        writer.close()


@dataclass
class Files:
    ca: trustme.CA
    certificate: Path
    key: Path
    client_ca: Path

    def shown_by(self, ca: trustme.CA) -> grpc.ChannelCredentials:
        """A client with a certificate of an authority."""
        client = ca.issue_cert("a@example.org", key_type=trustme.KeyType.ECDSA)
        chain = b"".join(blob.bytes() for blob in client.cert_chain_pems)
        return grpc.ssl_channel_credentials(self.ca.cert_pem.bytes(), client.private_key_pem.bytes(), chain)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    issued = ca.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
    made = Files(ca, tmp_path / "c.pem", tmp_path / "k.pem", tmp_path / "ca.pem")
    made.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    made.key.write_bytes(issued.private_key_pem.bytes())
    made.key.chmod(0o600)
    made.client_ca.write_bytes(ca.cert_pem.bytes())
    return made


async def tls_serving(credentials: grpc.ServerCredentials) -> AsyncIterator[str]:
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    port = server.add_secure_port("127.0.0.1:0", credentials)  # two addresses may get one port of two servers
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def call(address: str, credentials: grpc.ChannelCredentials) -> int:
    async with grpc.aio.secure_channel(address, credentials) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        answer = await check(health_pb2.HealthCheckRequest(), timeout=60)
        return int(answer.status)


async def refused_call(address: str, credentials: grpc.ChannelCredentials) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(address, credentials)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_device_that_trusts_the_authority_connects(files: Files) -> None:
    async for address in tls_serving(
        TlsFiles(Tls(certificate=files.certificate, key=files.key)).credentials()
    ):
        trusting = grpc.ssl_channel_credentials(files.ca.cert_pem.bytes())
        assert await call(address, trusting) == health_pb2.HealthCheckResponse.SERVING
        stranger = grpc.ssl_channel_credentials(trustme.CA().cert_pem.bytes())
        await refused_call(address, stranger)


async def test_with_a_client_ca_only_its_certificates_connect(files: Files) -> None:
    tls = ServiceTls(certificate=files.certificate, key=files.key, client_ca=files.client_ca)
    async for address in tls_serving(TlsFiles(tls).credentials()):
        assert await call(address, files.shown_by(files.ca)) == health_pb2.HealthCheckResponse.SERVING
        none = grpc.ssl_channel_credentials(files.ca.cert_pem.bytes())
        for refused in (none, files.shown_by(trustme.CA())):
            await refused_call(address, refused)


def test_the_fingerprint_is_that_of_the_public_key(files: Files) -> None:
    certificate = x509.load_pem_x509_certificates(files.certificate.read_bytes())[0]
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    held = TlsFiles(Tls(certificate=files.certificate, key=files.key))
    assert held.spki_sha256 == hashlib.sha256(spki).digest()
    assert held.not_after == certificate.not_valid_after_utc


def test_a_key_that_is_open_to_others_is_refused(files: Files) -> None:
    files.key.chmod(0o644)
    with pytest.raises(CertificateUnusable, match=r"0644.*chmod 600"):
        TlsFiles(Tls(certificate=files.certificate, key=files.key))


def test_a_key_of_another_certificate_is_refused(files: Files) -> None:
    files.key.write_bytes(files.ca.issue_cert("localhost", "127.0.0.1").private_key_pem.bytes())
    with pytest.raises(CertificateUnusable, match="not the private key of"):
        TlsFiles(Tls(certificate=files.certificate, key=files.key))


@pytest.mark.parametrize("name", ["certificate", "key", "client_ca"])
@pytest.mark.parametrize(
    "content", [b"", b"no PEM", b"x" * 1_048_577, None], ids=["empty", "junk", "huge", "missing"]
)
def test_an_invalid_file_is_named(files: Files, name: str, content: bytes | None) -> None:
    path: Path = getattr(files, name)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(CertificateUnusable, match=path.name):
        TlsFiles(ServiceTls(certificate=files.certificate, key=files.key, client_ca=files.client_ca))


def _renew(files: Files) -> None:
    issued = files.ca.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
    files.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    files.key.write_bytes(issued.private_key_pem.bytes())


async def _shown(address: str) -> bytes:
    """SHA-256 of the key that the server presents to a new connection."""
    host, _, port = address.rpartition(":")
    pem = await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


async def test_a_renewed_certificate_is_shown_without_a_restart(files: Files) -> None:
    held = TlsFiles(Tls(certificate=files.certificate, key=files.key))
    trusting = grpc.ssl_channel_credentials(files.ca.cert_pem.bytes())
    first = held.spki_sha256
    async for address in tls_serving(held.credentials()):
        async with grpc.aio.secure_channel(address, trusting) as standing:
            health_of: Any = health_pb2_grpc.HealthStub(standing)
            await health_of.Check(health_pb2.HealthCheckRequest(), timeout=60)
            assert await _shown(address) == first
            _renew(files)
            # Nothing changes before the files are read again.
            assert await _shown(address) == first
            assert held.refresh()
            assert held.spki_sha256 != first
            assert await _shown(address) == held.spki_sha256
            assert await _shown(address) == held.spki_sha256
            # The existing connection continues.
            await health_of.Check(health_pb2.HealthCheckRequest(), timeout=60)
        assert await call(address, trusting) == health_pb2.HealthCheckResponse.SERVING


async def test_files_that_do_not_fit_each_other_change_nothing(files: Files) -> None:
    held = TlsFiles(Tls(certificate=files.certificate, key=files.key))
    first, key = held.spki_sha256, files.key.read_bytes()
    async for address in tls_serving(held.credentials()):
        # Between the renewal of the certificate and that of its key.
        _renew(files)
        renewed = files.key.read_bytes()
        for content in (key, b"no PEM"):
            files.key.write_bytes(content)
            assert not held.refresh()
            assert await _shown(address) == held.spki_sha256 == first
        files.key.write_bytes(renewed)
        files.key.chmod(0o644)
        assert not held.refresh()
        files.key.chmod(0o600)
        assert held.refresh()
        assert await _shown(address) == held.spki_sha256 != first


async def test_another_client_authority_counts_for_new_connections(files: Files) -> None:
    held = TlsFiles(ServiceTls(certificate=files.certificate, key=files.key, client_ca=files.client_ca))
    other = trustme.CA(key_type=trustme.KeyType.ECDSA)
    async for address in tls_serving(held.credentials()):
        assert await call(address, files.shown_by(files.ca)) == health_pb2.HealthCheckResponse.SERVING
        files.client_ca.write_bytes(other.cert_pem.bytes())
        assert held.refresh()
        assert await call(address, files.shown_by(other)) == health_pb2.HealthCheckResponse.SERVING
        await refused_call(address, files.shown_by(files.ca))


class Probe:
    """Counts its calls."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.release = asyncio.Event()
        self.release.set()

    async def __call__(self) -> None:
        self.asked += 1
        await self.release.wait()
        if self.error is not None:
            raise self.error


class HandClock:
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


async def test_an_answer_holds_for_a_few_seconds() -> None:
    probe, clock = Probe(), HandClock()
    part = CachedProbe(probe, seconds=5.0, monotonic=clock)
    assert await part()
    probe.error = OSError("full")
    clock.time += 4.9
    assert await part()
    assert probe.asked == 1
    clock.time += 0.2
    with pytest.raises(OSError, match="full"):
        await part()
    probe.error = None
    with pytest.raises(OSError, match="full"):
        await part()
    clock.time += 5.0
    assert await part()
    assert probe.asked == 3


async def test_a_probe_that_hangs_is_asked_once_and_not_given_up() -> None:
    probe, clock = Probe(), HandClock()
    probe.release.clear()
    part = CachedProbe(probe, seconds=5.0, monotonic=clock)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(part(), 0.01)
        clock.time += 60.0
    assert probe.asked == 1
    probe.release.set()
    assert await part()


async def test_the_object_store_is_written_read_and_left_clean(tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    objects = open_object_store(str(folder))
    probe = object_store_probe(objects, name="one")
    await probe()
    assert not [path for path in folder.rglob("*") if path.is_file()]
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir()
    folder.rmdir()
    folder.write_bytes(b"")
    with pytest.raises(StorageUnavailable):
        await probe()


def test_the_disk_is_written_and_left_clean(tmp_path: Path) -> None:
    asyncio.run(disk_probe(tmp_path)())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageUnavailable, match="cannot be written: No such file or directory"):
        asyncio.run(disk_probe(tmp_path / "absent")())


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("sqlite:////data/facegate.db", {"objects", "disk"}),
        ("postgresql+asyncpg://user@host/db", {"objects"}),
    ],
)
def test_the_disk_is_a_part_where_the_database_is_a_file(url: str, parts: set[str]) -> None:
    assert set(storage_readiness(open_object_store("memory://"), database_url=url)) == parts

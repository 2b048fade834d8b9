"""Devices over TLS: the policy ``high``, and a proxy that ends the TLS of an honest device that trusts it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from facegate.v1 import result_pb2

from facegate_client import (
    FaceScanner,
    Orchestrator,
    TlsSettings,
    open_channel,
    server_spki_sha256,
    ticket_of,
)
from lab.simulate import write_platform
from lab.simulator import FlashKind
from lab.simulator.devices import DeviceKind, StoredPlatform, make_device, policy_text
from lab.simulator.devices.client import (
    DeviceAttestor,
    PlayedSource,
    camera_profile_of,
    device_profile_of,
    runtime_findings_of,
)
from lab.simulator.phone import WorldTime
from lab.tests.test_devices.played import failed, front_camera, platform_settings, reasons, signs
from server.running.app import FacegateServer
from server.running.assembly import Tuning
from tests.packs import shared_pack
from tests.server.flash_phone import in_step, phone
from tests.server.live import FAST, patience_for_starts, portrait, settings_for
from tests.server.models_once import remembering_pack
from vision.packs import Pack

pytestmark = pytest.mark.asyncio(loop_scope="session")

_POLICIES = {
    "pinned": policy_text("pinned").replace(
        'android_key = "required"', 'android_key = "required"\nserver_key = "required"'
    ),
    # The TLS key is tested, and decides nothing, not even the assurance.
    "unpinned": policy_text("unpinned").replace(
        'android_key = "required"', 'android_key = "required"\nserver_key = "ignored"'
    ),
}


_CHUNK = 65_536


@dataclass(slots=True)
class Intercepted:
    """The address of the proxy, and the plain traffic that it recorded.

    Attributes:
        target: ``host:port``.
        from_device: Everything that devices sent.
        from_server: Everything that the server sent.
    """

    target: str
    from_device: bytearray = field(default_factory=bytearray)
    from_server: bytearray = field(default_factory=bytearray)


@contextlib.asynccontextmanager
async def intercepting(
    server: str, *, shown: ssl.SSLContext, trusted: ssl.SSLContext
) -> AsyncIterator[Intercepted]:
    """Run the proxy on a free port of loopback.

    Args:
        server: ``host:port`` of the server.
        shown: The certificate that the proxy presents to devices.
        trusted: The authority of the server, which has the name localhost.
    """
    host, _, port = server.rpartition(":")
    tasks: set[asyncio.Task[object]] = set()
    writers: set[asyncio.StreamWriter] = set()
    for context in (shown, trusted):
        context.set_alpn_protocols(["h2"])

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            tasks.add(task)
        writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(
                host, int(port), ssl=trusted, server_hostname="localhost"
            )
        except OSError:
            writer.transport.abort()
            return
        writers.add(far_writer)
        try:
            await asyncio.gather(
                _forward(reader, far_writer, read.from_device), _forward(far_reader, writer, read.from_server)
            )
        finally:
            writer.transport.abort()
            far_writer.transport.abort()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=shown)
    read = Intercepted(f"localhost:{listener.sockets[0].getsockname()[1]}")
    try:
        yield read
    finally:
        listener.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, read: bytearray) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            read += chunk
            writer.write(chunk)
            await writer.drain()
    writer.close()


@dataclass(frozen=True, slots=True)
class TappedLine:
    """A server with TLS, and a proxy before its device listener."""

    server: FacegateServer
    stored: StoredPlatform
    proxy: Intercepted
    authority: trustme.CA

    @property
    def device_tls(self) -> TlsSettings:
        """The device trusts the authority of both certificates: an enterprise's, or malware's."""
        return TlsSettings(root_certificates=self.authority.cert_pem.bytes())

    async def check(self, *, policy: str, target: str) -> tuple[str, result_pb2.CheckResult]:
        """A whole check of an honest phone; returns its scan token and the result."""
        phone = make_device(DeviceKind.ANDROID, self.stored.platform)
        async with (
            open_channel(self.server.service_target) as service,
            open_channel(target, tls=self.device_tls) as line,
        ):
            orchestrator = Orchestrator(channel=service, accept_sandbox=True)
            upload = await orchestrator.upload_trusted_image(portrait(), policy=policy)
            scanner = FaceScanner(
                channel=line,
                ticket=ticket_of(upload),
                source=front_camera("fast"),
                server_spki_sha256=await server_spki_sha256(target, self.device_tls),
                profile=device_profile_of(phone.claim),
                camera=camera_profile_of(phone.camera),
                attestor=DeviceAttestor(phone),
            )
            await scanner.scan()
            return upload.scan_token, (await orchestrator.finish_check(upload.check_id)).result


@asynccontextmanager
async def tls_server(
    folder: Path, stored: StoredPlatform, authority: trustme.CA, pack: Pack, **options: Any
) -> AsyncIterator[FacegateServer]:
    """A server that trusts the platform, with TLS on its device listener."""
    certificate, key = folder / "server.pem", folder / "server.key"
    issued = authority.issue_cert("localhost")
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.touch(mode=0o600)
    key.write_bytes(issued.private_key_pem.bytes())
    free: dict[str, object] = {"port": 0}
    listeners = {
        "device": free | {"tls": {"certificate": certificate, "key": key}},
        "service": free | {"local_sandbox": True},
        "admin": free,
    }
    settings = settings_for(folder, **platform_settings(stored), listeners=listeners)
    server = FacegateServer(settings, pack=pack, **options)
    with patience_for_starts():
        await server.start()
    try:
        yield server
    finally:
        await server.stop()


def _device_target(server: FacegateServer) -> str:
    return f"localhost:{server.device_target.rpartition(':')[2]}"


@asynccontextmanager
async def tapped(folder: Path) -> AsyncIterator[TappedLine]:
    authority = trustme.CA()
    stored = write_platform(folder / "platform", now=datetime.now(UTC))
    for name, text in _POLICIES.items():
        (stored.folder / "policies" / f"{name}.toml").write_text(text, encoding="utf-8")
    shown = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(shown)
    trusted = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    async with (
        tls_server(folder, stored, authority, remembering_pack(), tuning=FAST) as server,
        intercepting(_device_target(server), shown=shown, trusted=trusted) as proxy,
    ):
        yield TappedLine(server, stored, proxy, authority)


def _server_key(result: result_pb2.CheckResult) -> tuple[int, str]:
    (check,) = (check for check in result.device.checks if check.name == "server_key.tls")
    return check.outcome, check.reason


@pytest.mark.slow
async def test_a_proxy_that_reads_along_is_seen_and_costs_the_check_where_the_key_is_demanded(
    tmp_path: Path,
) -> None:
    async with tapped(tmp_path) as line:
        token, honest = await line.check(policy="pinned", target=_device_target(line.server))
        assert _server_key(honest) == (result_pb2.DeviceCheck.OUTCOME_PASS, "SAME_KEY")
        assert honest.status == result_pb2.CHECK_STATUS_SUCCESS
        assert token.encode() not in line.proxy.from_device

        token, tapped_result = await line.check(policy="pinned", target=line.proxy.target)
        assert token.encode() in line.proxy.from_device, "the proxy has to have read the scan in the clear"
        assert _server_key(tapped_result) == (result_pb2.DeviceCheck.OUTCOME_FAIL, "OTHER_KEY")
        assert signs(tapped_result) >= {"man_in_the_middle"}
        assert tapped_result.status == result_pb2.CHECK_STATUS_FAILURE
        assert reasons(tapped_result) == ["DEVICE_NOT_TRUSTED"]
        assert tapped_result.match.same_person

        _, ignored = await line.check(policy="unpinned", target=line.proxy.target)
        assert _server_key(ignored) == (result_pb2.DeviceCheck.OUTCOME_FAIL, "OTHER_KEY")
        assert ignored.status == result_pb2.CHECK_STATUS_SUCCESS


@pytest.mark.slow
async def test_high_completes_a_check_with_an_attested_phone(tmp_path: Path, assets: Path) -> None:
    pack = shared_pack(f"open:{assets / 'models'}")
    authority = trustme.CA()
    stored = write_platform(tmp_path / "platform", now=datetime.now(UTC))
    tls = TlsSettings(root_certificates=authority.cert_pem.bytes())
    device = make_device(DeviceKind.ANDROID, stored.platform)
    world = WorldTime()
    screen = phone(world, FlashKind.GENUINE, seed=5)
    async with tls_server(
        tmp_path, stored, authority, pack, tuning=Tuning(), monotonic=world.monotonic
    ) as server:
        target = _device_target(server)
        async with (
            open_channel(server.service_target) as service,
            open_channel(target, tls=tls) as line,
        ):
            orchestrator = Orchestrator(channel=service, accept_sandbox=True)
            upload = await orchestrator.upload_trusted_image(portrait(), policy="high")
            scanner = FaceScanner(
                channel=line,
                ticket=ticket_of(upload),
                source=PlayedSource(screen, device.habit),
                screen=screen,
                server_spki_sha256=await server_spki_sha256(target, tls),
                profile=device_profile_of(device.claim),
                camera=camera_profile_of(device.camera),
                attestor=DeviceAttestor(device),
                runtime_findings=runtime_findings_of(device.report),
            )
            with in_step():
                await scanner.scan()
            result = (await orchestrator.finish_check(upload.check_id)).result
    assert (reasons(result), failed(result)) == ([], set())
    assert result.status == result_pb2.CHECK_STATUS_SUCCESS
    assert result.policy.name == "high"
    assert result.sandbox
    assert result.match.fmr_bound <= 1e-5
    assert result.device.assurance >= result_pb2.DEVICE_ASSURANCE_MEDIUM

"""An honest device on an intercepted connection: a proxy ends its TLS, and the device trusts the proxy."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from facegate.v1 import result_pb2

from cli.test_devices import write_platform
from facegate_client import (
    FaceScanner,
    Orchestrator,
    TlsSettings,
    open_channel,
    server_spki_sha256,
    ticket_of,
)
from server.running.app import FacegateServer
from simulator.devices import DeviceKind, StoredPlatform, make_device, policy_text
from simulator.devices.client import DeviceAttestor, camera_profile_of, device_profile_of
from tests.cli.test_devices.intercepting_proxy import Intercepted, intercepting
from tests.cli.test_devices.played import front_camera, platform_settings, reasons, signs
from tests.server.live import FAST, patience_for_starts, portrait, settings_for
from tests.server.models_once import remembering_pack

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
async def tapped(folder: Path) -> AsyncIterator[TappedLine]:
    authority = trustme.CA()
    stored = write_platform(folder / "platform", now=datetime.now(UTC))
    for name, text in _POLICIES.items():
        (stored.folder / "policies" / f"{name}.toml").write_text(text, encoding="utf-8")
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
    server = FacegateServer(settings, pack=remembering_pack(), tuning=FAST)
    with patience_for_starts():
        await server.start()
    shown = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(shown)
    trusted = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    target = f"localhost:{server.device_target.rpartition(':')[2]}"
    try:
        async with intercepting(target, shown=shown, trusted=trusted) as proxy:
            yield TappedLine(server, stored, proxy, authority)
    finally:
        await server.stop()


def _server_key(result: result_pb2.CheckResult) -> tuple[int, str]:
    (check,) = (check for check in result.device.checks if check.name == "server_key.tls")
    return check.outcome, check.reason


@pytest.mark.slow
async def test_a_proxy_that_reads_along_is_seen_and_costs_the_check_where_the_key_is_demanded(
    tmp_path: Path,
) -> None:
    async with tapped(tmp_path) as line:
        straight = f"localhost:{line.server.device_target.rpartition(':')[2]}"
        token, honest = await line.check(policy="pinned", target=straight)
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

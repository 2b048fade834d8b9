"""The policy ``high`` with the files of ``open``: an attested phone of a sandbox caller completes a check."""

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
from server.running.assembly import Tuning
from simulator import FlashKind
from simulator.devices import DeviceKind, make_device
from simulator.devices.client import (
    DeviceAttestor,
    PlayedSource,
    camera_profile_of,
    device_profile_of,
    runtime_findings_of,
)
from simulator.phone import WorldTime
from tests.cli.test_devices.played import failed, platform_settings, reasons
from tests.packs import shared_pack
from tests.server.flash_phone import in_step, phone
from tests.server.live import patience_for_starts, portrait, settings_for

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]


async def test_high_completes_a_check_with_an_attested_phone(tmp_path: Path, assets: Path) -> None:
    pack = shared_pack(f"open:{assets / 'models'}")
    authority = trustme.CA()
    stored = write_platform(tmp_path / "platform", now=datetime.now(UTC))
    issued = authority.issue_cert("localhost")
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.touch(mode=0o600)
    key.write_bytes(issued.private_key_pem.bytes())
    free: dict[str, object] = {"port": 0}
    listeners = {
        "device": free | {"tls": {"certificate": certificate, "key": key}},
        "service": free | {"local_sandbox": True},
        "admin": free,
    }
    settings = settings_for(tmp_path, **platform_settings(stored), listeners=listeners)
    tls = TlsSettings(root_certificates=authority.cert_pem.bytes())
    device = make_device(DeviceKind.ANDROID, stored.platform)
    world = WorldTime()
    screen = phone(world, FlashKind.GENUINE, seed=5)
    server = FacegateServer(settings, pack=pack, tuning=Tuning(), monotonic=world.monotonic)
    with patience_for_starts():
        await server.start()
    target = f"localhost:{server.device_target.rpartition(':')[2]}"
    try:
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
    finally:
        await server.stop()
    assert (reasons(result), failed(result)) == ([], set())
    assert result.status == result_pb2.CHECK_STATUS_SUCCESS
    assert result.policy.name == "high"
    assert result.sandbox
    assert result.match.fmr_bound <= 1e-5
    assert result.device.assurance >= result_pb2.DEVICE_ASSURANCE_MEDIUM

"""Whole checks in DYNAMIC, in real time: a server with policies for them, and the person with the phone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

import grpc
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from server.running.assembly import Tuning
from simulator import AmbientPreset, FlashKind
from tests.packs import real_pack
from tests.server.flash_phone import HEIGHT, WIDTH, Wire, phone, scan
from tests.server.live import LiveServer, serving, settings_for
from tests.server.policy_files import write_policy

__all__ = ["check", "flash_server", "scanned"]


@asynccontextmanager
async def flash_server(folder: Path) -> AsyncIterator[LiveServer]:
    """A server as an operator runs it, with policies that allow one attempt.

    They are ``single``, which requires nothing beside the flash if the mode is raised; ``blinking`` and
    ``turning``, which also require a blink and depth; and ``approach``, which is ``adaptive`` with a lenient
    match.
    """
    settings = settings_for(folder)
    assert settings.policies.folder is not None
    # Rendered in the sun and from close by, the available person has a similarity close to the threshold of
    # "adaptive"; these tests are about the sequence, not the match.
    adaptive = (files("server.policies") / "shipped" / "adaptive.toml").read_text()
    lenient = adaptive.replace('"adaptive"', '"approach"').replace("max_fmr = 1e-4", "max_fmr = 0.1")
    (settings.policies.folder / "approach.toml").write_text(lenient)
    for name, blink, depth in (("single", False, False), ("blinking", True, False), ("turning", False, True)):
        write_policy(settings.policies.folder, name, maximum=1)
        path = settings.policies.folder / f"{name}.toml"
        raised = f"[challenge.raised]\nblink = {str(blink).lower()}\ndepth = {str(depth).lower()}\n"
        path.write_text(f"{path.read_text()}\n{raised}")
    async with serving(settings, pack=real_pack(), tuning=Tuning()) as server:
        yield server


async def check(
    real: LiveServer,
    kind: FlashKind,
    ambient: AmbientPreset = AmbientPreset.DARK,
    *,
    seed: int = 5,
    policy: str = "single",
    person: str = "astronaut",
    flash: bool = True,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    max_attempts: int = 1,
) -> tuple[result_pb2.CheckResult, Wire]:
    """Upload the portrait and scan; returns the result, and the messages on the wire."""
    mode = scan_pb2.MODE_DYNAMIC if flash else scan_pb2.MODE_UNSPECIFIED
    upload = await real.upload(policy=policy, mode=mode)
    return await scanned(
        real, upload, kind, ambient, seed=seed, person=person, size=size, max_attempts=max_attempts
    )


async def scanned(
    real: LiveServer,
    upload: service_pb2.UploadTrustedImageResponse,
    kind: FlashKind,
    ambient: AmbientPreset,
    *,
    seed: int,
    person: str,
    size: tuple[int, int],
    max_attempts: int = 1,
    channel: grpc.aio.Channel | None = None,
) -> tuple[result_pb2.CheckResult, Wire]:
    """The same with a portrait that was uploaded before; ``channel`` leads to the server by another way."""
    device, wire = phone(kind, ambient=ambient, seed=seed, person=person, size=size), Wire()
    await scan(
        real.device_channel if channel is None else channel,
        upload,
        device,
        screen=wire.watched(device),
        wire=wire,
        max_attempts=max_attempts,
    )
    return (await real.finish(upload.check_id)).result, wire

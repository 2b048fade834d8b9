"""``facegate serve``: runs a server until SIGTERM or Ctrl-C, then lets running scans finish."""

import asyncio
import gc
import signal
from typing import Final

import typer

from cli.errors import errors_reported
from device_integrity import DeviceIntegrityError
from liveness import LivenessError
from matcher import MatcherError
from server.audit import AuditError
from server.base.errors import ServerError
from server.configuration.loading import SettingsInvalid, load_settings
from server.configuration.settings import Settings
from server.keyring.sealing import SealError
from server.policies.loading import PolicyError
from server.running.app import FacegateServer
from server.running.memory import limit_arenas
from server.storage.errors import StorageError
from server.telemetry.logging import configure_logging, log_native_output
from server.trusted_images.stores import TrustedImagesError
from vision.errors import VisionError

_CANNOT_START: Final = (
    AuditError,
    DeviceIntegrityError,
    LivenessError,
    MatcherError,
    PolicyError,
    SealError,
    ServerError,
    StorageError,
    TrustedImagesError,
    VisionError,
)
"""The base classes of the errors of all packages of a server."""


def serve() -> None:
    """Run a server until SIGTERM or Ctrl-C.

    Running scans may finish first.

    Without a settings file it listens on loopback only, uses the `embedded` pack (for evaluation; an extra)
    and stores everything in `./data`. With a settings file, EXPRESS policies need another pack, or
    `allow_evaluation_pack = true`. `facegate config show` shows every setting.

    For example, with the defaults, with a settings file, and with another pack:

        facegate serve

        facegate serve --config /etc/facegate.toml

        FACEGATE_PACK=insightface:/srv/models/buffalo_l facegate serve
    """
    with errors_reported(SettingsInvalid):
        settings = load_settings().settings
    log_native_output()
    configure_logging(settings.log)
    limit_arenas()
    try:
        asyncio.run(_run(settings))
    except _CANNOT_START as error:
        typer.echo(f"The server cannot start: {error}", err=True)
        raise typer.Exit(2) from error


def _show_link(address: str) -> None:
    # Not in the log, which may be kept and read by others.
    typer.echo(f"The console, for one log-in: {address}", err=True)


async def _run(settings: Settings) -> None:
    server = FacegateServer(settings, show_link=_show_link)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        await server.start()
        # Objects of the start, such as code and models, stay. Frozen, they are not searched for garbage; the
        # search would stop every scan for a tenth of a second.
        gc.collect()
        gc.freeze()
        web = "" if server.web_target is None else f", web {server.web_target}"
        console = "" if server.console_address is None else f", console {server.console_address}"
        typer.echo(
            f"Facegate serves: device {server.device_target}, service {server.service_target}, "
            f"admin port {server.admin_port}{web}{console}",
            err=True,
        )
        if server.evaluates:
            typer.echo(
                f"The pack {settings.pack} is for evaluation only: do not decide about people with its "
                "results. EXPRESS policies use it because allow_evaluation_pack is true. The default policy "
                f"is {settings.policies.default}.",
                err=True,
            )
        await stopping.wait()
        await server.drain()
    finally:
        await server.stop()

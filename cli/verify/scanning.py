"""The device's side of `facegate verify` and `facegate scan`: their options, and the scan with a ticket."""

import asyncio
import secrets
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from cli.errors import PlatformUnusable
from cli.verify.display import ScanDisplay
from cli.verify.inputs import read_tls
from cli.verify.source import open_scan
from cli.words import describe_lost_connection, describe_refusal
from facegate_client import (
    CallRefusedError,
    ClientError,
    ConnectionFailedError,
    FaceScanner,
    FlashScreen,
    FrameSource,
    ScanOutcome,
    ScanSettings,
    ScanTicket,
    SourceError,
    open_channel,
    server_spki_sha256,
)
from server.configuration.settings import DeviceListener

if TYPE_CHECKING:
    from cli.test_devices.played_device import PlayedDevice

__all__ = [
    "DEVICE",
    "ERROR",
    "CaOption",
    "DeclineFlashOption",
    "FlashOption",
    "FpsOption",
    "KnobsOption",
    "PhotoOption",
    "ScanOption",
    "ScanOptions",
    "SeedOption",
    "SimulateOption",
    "TestDeviceOption",
    "TestPlatformOption",
    "fail",
    "failure_text",
    "opened_scanner",
    "scan_options",
]

ERROR: Final = 2
"""Exit status if nothing was verified because of an error."""
DEVICE: Final = f"127.0.0.1:{DeviceListener.model_fields['port'].default}"

ScanOption = Annotated[
    str | None,
    typer.Option(
        help="Source of the scan. A video file, a folder of images, `camera` or `camera:<number>`.",
        show_default=False,
    ),
]
SimulateOption = Annotated[
    str | None,
    typer.Option(
        help="Simulate a scan of this kind. Instead of --scan: a simulated scan of --photo, such as "
        "`genuine`, `static-photo`, `print` or `screen-replay`; `--help-all` lists the kinds.",
        show_default=False,
    ),
]
PhotoOption = Annotated[Path | None, typer.Option(help="With --simulate: the photo.", show_default=False)]
SeedOption = Annotated[
    int | None,
    typer.Option(
        help="With --simulate: seed of the random differences between scans; by default another number "
        "each time, because a server recognises repeated frames.",
        min=0,
        show_default=False,
    ),
]
FlashOption = Annotated[
    bool | None,
    typer.Option(
        "--flash/--no-flash",
        help="With --simulate: whether the phone's screen can flash and the person reads it; if not, "
        "DYNAMIC, an open mouth and a turned head are refused. "
        "By default it can for kinds that concern the flash, and with --mode dynamic.",
        show_default=False,
    ),
]
DeclineFlashOption = Annotated[
    bool,
    typer.Option(
        "--decline-flash",
        help="With --simulate: the phone can flash, but the person declines the flash.",
    ),
]
KnobsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="With --simulate: set a knob, as NAME=VALUE; may be repeated. The knobs are listed below.",
        show_default=False,
    ),
]
FpsOption = Annotated[float, typer.Option("--fps", help="Rate of a folder's images.", min=1, max=60)]
CaOption = Annotated[
    Path | None,
    typer.Option(help="PEM of the authorities to trust; by default the system's, and plaintext on loopback."),
]
TestDeviceOption = Annotated[
    str | None,
    typer.Option(
        help="Scan as a device of this kind, honest or manipulated, with evidence of --test-platform. "
        "The kinds are listed below.",
        show_default=False,
    ),
]
TestPlatformOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder that `facegate attest test-platform` made; the server must run with its settings.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """Where frames come from and where they go; see the options above.

    Attributes:
        flash: Whether the simulated phone's screen can flash.
    """

    device: str
    ca: Path | None
    scan: str | None
    simulate: str | None
    photo: Path | None
    seed: int
    flash: bool
    decline_flash: bool
    knobs: tuple[str, ...]
    frames_per_second: float
    test_device: str | None
    test_platform: Path | None


def scan_options(
    *,
    device: str,
    ca: Path | None,
    scan: str | None,
    simulate: str | None,
    photo: Path | None,
    seed: int | None,
    flash: bool | None,
    decline_flash: bool,
    knobs: list[str] | None,
    frames_per_second: float,
    test_device: str | None,
    test_platform: Path | None,
    flashes: bool = False,
) -> ScanOptions:
    """Returns the options of a scan, as the command line gives them.

    ``flashes`` is whether a simulated phone can flash if ``flash`` does not say. Raises ``BadParameter`` if
    they contradict each other.
    """
    if (flash is not None or decline_flash or knobs) and simulate is None:
        raise typer.BadParameter("--flash, --decline-flash and --set are for --simulate")
    if (scan is None) == (simulate is None):
        raise typer.BadParameter("give either --scan or --simulate", param_hint="--scan")
    if (test_device is None) != (test_platform is None):
        raise typer.BadParameter("give --test-device and --test-platform together")
    if decline_flash:
        flash = True
    elif flash is None and simulate is not None:
        from simulator.phone import needs_screen

        flash = flashes or needs_screen(simulate)
    return ScanOptions(
        device=device,
        ca=ca,
        scan=scan,
        simulate=simulate,
        photo=photo,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        flash=bool(flash),
        decline_flash=decline_flash,
        knobs=tuple(knobs or ()),
        frames_per_second=frames_per_second,
        test_device=test_device,
        test_platform=test_platform,
    )


@asynccontextmanager
async def opened_scanner(
    options: ScanOptions, messages: Console
) -> AsyncIterator[Callable[[ScanTicket], Awaitable[ScanOutcome]]]:
    """Opens source and connection before there is a ticket, so that a wrong file or address wastes none.

    Args:
        options: The options.
        messages: Shows hints to the person.

    Yields:
        A function that makes the scan of a ticket. Ctrl-C cancels the scan.

    Raises:
        ClientError: The source cannot be opened, or the server cannot be reached.
        PlatformUnusable: The test platform's folder contains none, or cannot be written.
    """
    # The device has no certificate.
    tls = read_tls(options.device, ca=options.ca)
    spki = await server_spki_sha256(options.device, tls)
    async with open_channel(options.device, tls=tls) as channel, _opened(options) as subject:

        async def scan(ticket: ScanTicket) -> ScanOutcome:
            played = subject.device
            with ScanDisplay(messages, shows_hints=options.simulate is None) as display:
                scanner = FaceScanner(
                    channel=channel,
                    ticket=ticket,
                    source=subject.source,
                    screen=subject.screen,
                    profile=None if played is None else played.profile,
                    camera=None if played is None else played.camera,
                    attestor=None if played is None else played.attestor,
                    runtime_findings=None if played is None else played.runtime_findings,
                    server_spki_sha256=spki,
                    events=display,
                    settings=ScanSettings(decline_flash=options.decline_flash),
                )
                with _cancelled_by_interrupt(scanner):
                    outcome = await scanner.scan()
            if outcome.source_error is not None:
                messages.print(
                    escape(f"The source of frames failed: {outcome.source_error}"), highlight=False
                )
            return outcome

        yield scan


def failure_text(error: ClientError | PlatformUnusable) -> str:
    """Returns what went wrong with a call or an input, and what to do."""
    match error:
        case CallRefusedError():
            return describe_refusal(error.refusal)
        case ConnectionFailedError():
            return describe_lost_connection(error)
    return str(error)


def fail(messages: Console, text: str) -> NoReturn:
    """Prints an error and ends the command with ``ERROR``."""
    messages.print(escape(text), style="red", highlight=False)
    raise typer.Exit(ERROR)


class _Subject(NamedTuple):
    """The source of the frames, the screen in front of it, and the device that contains both."""

    source: FrameSource
    screen: FlashScreen | None
    device: "PlayedDevice | None" = None


@asynccontextmanager
async def _opened(options: ScanOptions) -> AsyncIterator[_Subject]:
    played = None
    if options.test_device is not None and options.test_platform is not None:
        from cli.test_devices.played_device import open_played_device

        played = open_played_device(options.test_device, options.test_platform)
    subject = await _subject(options)
    if played is not None:
        subject = _Subject(played.source(subject.source), subject.screen, played)
    async with aclosing(subject.source):
        try:
            yield subject
        finally:
            if played is not None:
                played.save()


async def _subject(options: ScanOptions) -> _Subject:
    """Opens the source of the scan, and its screen."""
    if options.simulate is None:
        if options.scan is None:
            raise SourceError("there is no source to scan: give --scan or --simulate")
        # This computer's own screen is not used: it cannot report the exact time of a colour's appearance.
        return _Subject(open_scan(options.scan, frames_per_second=options.frames_per_second), None)
    from simulator.phone import open_simulated, open_simulated_phone

    if options.photo is None:
        raise SourceError("there is no photo to simulate: give --photo")
    made = (options.simulate, options.photo)
    if options.flash:
        phone = await asyncio.to_thread(open_simulated_phone, *made, seed=options.seed, knobs=options.knobs)
        return _Subject(phone, phone)
    return _Subject(
        await asyncio.to_thread(open_simulated, *made, seed=options.seed, knobs=options.knobs), None
    )


@contextmanager
def _cancelled_by_interrupt(scanner: FaceScanner) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread can handle signals.
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, scanner.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)

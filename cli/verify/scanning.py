"""The device's side of `facegate verify`: its options, hints to the person, and the scan."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import typer
from facegate.v1 import feedback_pb2, scan_pb2
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from cli.connection import read_tls
from cli.errors import errors_reported
from cli.lab import SimulatedDevice, simulator
from cli.shown import counted, say
from cli.words import feedback_text, feedback_texts, lost_words
from facegate_client import (
    FaceScanner,
    FlashScreen,
    FrameSource,
    ScanEvents,
    ScanOutcome,
    ScanTicket,
    SourceError,
    open_camera,
    open_channel,
    open_image_folder,
    open_video,
    server_spki_sha256,
)
from server.configuration.settings import DeviceListener

_LOOK: Final = "look at the camera."
_ASKED: Final = {
    scan_pb2.PLAN_FLASH: "look at the camera. The screen will flash in colours, at most 3 changes a second; "
    "Ctrl-C declines.",
    scan_pb2.PLAN_MOVEMENT: "follow the oval with your face.",
}


class ScanDisplay(ScanEvents):
    """Prints each hint once, and shows a progress bar if the console is a terminal."""

    def __init__(self, console: Console, *, shows_hints: bool) -> None:
        """Show on ``console``."""
        self._console = console
        self.shows_hints = shows_hints
        self._bar = Progress(TextColumn("{task.description}"), BarColumn(), console=console, transient=True)
        self._task = self._bar.add_task("scanning", total=1.0)
        self._hint: int | None = None
        self._flash = self._declined = False
        self._frames = 0

    def __enter__(self) -> "ScanDisplay":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def attempt_started(self, start: scan_pb2.AttemptStart) -> None:
        """Start a new bar."""
        self._hint = None
        self._flash, self._declined = start.plan == scan_pb2.PLAN_FLASH, False
        self._bar.update(self._task, completed=0.0, description="scanning")
        self._say(f"Attempt {start.attempt}: {_ASKED.get(start.plan, _LOOK)}")

    def feedback(self, feedback: feedback_pb2.Feedback) -> None:
        """Show the progress, and the hint if it differs from the one before."""
        self._bar.update(self._task, completed=min(max(feedback.progress, 0.0), 1.0))
        if feedback.code != self._hint:
            self._hint = feedback.code
            self._bar.update(self._task, description=feedback_text(feedback.code))
            self._say(f"  {feedback_text(feedback.code)}")

    def paused(self, pause: scan_pb2.CapturePause) -> None:
        """Show the reason of an interruption of the capture."""
        if pause.paused:
            self._say(f"  Interrupted. {feedback_text(pause.reason)}")

    def capture_finished(self, attempt: int, frames: int, dropped: int) -> None:
        """Show the number of frames sent; nothing if the flash was declined before the first."""
        self._frames = frames
        self._declined = self._flash and not frames
        if self._declined:
            return
        lost = f", {dropped} dropped" if dropped else ""
        self._say(f"  {counted(frames, 'frame')} sent{lost}. One moment, please.")

    def attempt_finished(self, result: scan_pb2.ScanResult) -> None:
        """Show hints if the attempt has to be repeated."""
        if self._declined and result.another_attempt:
            self._say("  Continuing without the flash.")
        elif result.status == scan_pb2.SCAN_STATUS_RETRY:
            self._say("  There is no decision yet.")
            for text in feedback_texts(result.feedback, frames=self._frames):
                self._say(f"  {text}")

    def connection_lost(self, reconnect: int, wait_s: float, cause: str) -> None:
        """Show that the client reconnects."""
        self._say(f"  Connection lost: {lost_words(cause)}. Reconnect {reconnect} in {wait_s:.1f} s.")

    def _say(self, text: str) -> None:
        say(text, console=self._console)


_CAMERA = "camera"
_FOLDER_RATE = 15.0
"""Images of a folder that are scanned in a second."""
_LIST: Final = "list"


def open_scan(scan: str) -> FrameSource:
    """Open a source in real time; must be called in a running event loop.

    Args:
        scan: ``camera``, ``camera:<index>``, or the path of a video file or of a folder of images.
    """
    kind, _, index = scan.partition(":")
    if kind == _CAMERA and not Path(scan).exists():
        if index and not (index.isascii() and index.isdigit()):
            raise SourceError(f"{scan!r} does not name a camera: write camera or camera:<number>")
        return open_camera(int(index or 0))
    path = Path(scan)
    if path.is_dir():
        return open_image_folder(path, frames_per_second=_FOLDER_RATE)
    return open_video(path)


DEVICE: Final = f"127.0.0.1:{DeviceListener.model_fields['port'].default}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """Where frames come from and where they go, as the command line gives them.

    Attributes:
        flashes: Whether any simulated phone can flash; without it, those can whose kind needs a screen.
    """

    device: str
    ca: Path | None
    scan: str | None
    simulate: str | None
    trusted: Path | None
    test_device: str | None
    flashes: bool = False

    def validate(self) -> None:
        """List the kinds of scans if they are asked for. Raise ``BadParameter`` for contradictions."""
        with errors_reported():
            if self.test_device is not None:
                simulator("--test-device")
            simulated = None if self.simulate is None else simulator("--simulate")
        if simulated is not None and self.simulate == _LIST:
            simulated.print_kinds()
            raise typer.Exit
        if self.scan is None and self.simulate is None:
            raise typer.BadParameter("give --scan or --simulate", param_hint="--scan")


@asynccontextmanager
async def opened_scanner(
    options: ScanOptions, messages: Console
) -> AsyncIterator[Callable[[ScanTicket], Awaitable[ScanOutcome]]]:
    """Open source and connection before there is a ticket, so that a wrong file or address wastes none.

    Yields:
        A function that makes the scan of a ticket. Ctrl-C cancels the scan.
    """
    # The device has no certificate.
    tls = read_tls(options.device, ca=options.ca)
    spki = await server_spki_sha256(options.device, tls)
    async with open_channel(options.device, tls=tls) as channel, _opened(options) as subject:

        async def scan(ticket: ScanTicket) -> ScanOutcome:
            parts = {} if subject.device is None else subject.device.scanner_parts()
            with ScanDisplay(messages, shows_hints=options.simulate is None) as display:
                scanner = FaceScanner(
                    channel=channel,
                    ticket=ticket,
                    source=subject.source,
                    screen=subject.screen,
                    **parts,
                    server_spki_sha256=spki,
                    events=display,
                )
                with _cancelled_by_interrupt(scanner):
                    outcome = await scanner.scan()
            if outcome.source_error is not None:
                say(f"The source of frames failed: {outcome.source_error}", console=messages)
            return outcome

        yield scan


class _Subject(NamedTuple):
    """The source of the frames, the screen in front of it, and the device that contains both."""

    source: FrameSource
    screen: FlashScreen | None
    device: SimulatedDevice | None = None


@asynccontextmanager
async def _opened(options: ScanOptions) -> AsyncIterator[_Subject]:
    subject = await _subject(options)
    async with aclosing(subject.source):
        if options.test_device is None:
            yield subject
            return
        with simulator("--test-device").opened_device(Path(options.test_device)) as device:
            yield _Subject(device.played(subject.source), subject.screen, device)


async def _subject(options: ScanOptions) -> _Subject:
    """Open the source of the scan, and its screen."""
    if options.simulate is None:
        if options.scan is None:
            raise SourceError("there is no source to scan: give --scan or --simulate")
        # This computer's own screen is not used: it cannot report the exact time of a colour's appearance.
        return _Subject(open_scan(options.scan), None)
    photo = options.trusted if options.scan is None else Path(options.scan)
    if photo is None:
        raise SourceError("there is no photo to simulate: give it as --scan")
    phone = await simulator("--simulate").open_phone(options.simulate, photo, flashes=options.flashes)
    return _Subject(*phone)


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

"""Makes a whole check: upload, scan and result, with two listeners."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from facegate.v1 import scan_pb2, verification_service_pb2
from rich.console import Console
from rich.markup import escape

from cli.verify.display import ScanDisplay
from cli.verify.inputs import read_api_key, read_file, read_key_set, read_tls
from cli.verify.source import open_scan
from cli.verify.words import portrait_words
from facegate_client import (
    FaceScanner,
    FlashScreen,
    FrameSource,
    Orchestrator,
    ScanSettings,
    SourceError,
    open_channel,
    server_spki_sha256,
    ticket_of,
)

if TYPE_CHECKING:
    from cli.test_devices.played_device import PlayedDevice

__all__ = ["CheckOptions", "ModeName", "run_check"]

_WAIT_SECONDS: Final = 15.0


class ModeName(StrEnum):
    """Modes to which a check can be raised."""

    EXPRESS = "express"
    DYNAMIC = "dynamic"


_MODES: Final = {
    None: scan_pb2.MODE_UNSPECIFIED,
    ModeName.EXPRESS: scan_pb2.MODE_EXPRESS,
    ModeName.DYNAMIC: scan_pb2.MODE_DYNAMIC,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """The options of `facegate verify`; see its help."""

    trusted: Path | None
    trusted_reference: str | None
    scan: str | None
    simulate: str | None
    photo: Path | None
    seed: int
    flash: bool | None
    decline_flash: bool
    knobs: tuple[str, ...]
    frames_per_second: float
    service: str
    device: str
    policy: str
    mode: ModeName | None
    subject: str
    consent: str
    api_key_file: Path | None
    ca: Path | None
    cert: Path | None
    key: Path | None
    jwks: str | None
    accept_sandbox: bool
    audit_images: int
    test_device: str | None
    test_platform: Path | None


class _Subject(NamedTuple):
    """The source of the frames, the screen in front of it, and the device that contains both."""

    source: FrameSource
    screen: FlashScreen | None
    device: "PlayedDevice | None" = None


async def run_check(options: CheckOptions, messages: Console) -> verification_service_pb2.FinishCheckResponse:
    """Makes the three calls: uploads the trusted image, scans, and finishes the check.

    Args:
        options: The options.
        messages: Shows hints to the person, and the server's findings.

    Raises:
        ClientError: A call is refused, a file cannot be read, or the server cannot be reached.
        PlatformUnusable: The test platform's folder contains none, or cannot be written.
    """
    portrait = None if options.trusted is None else read_file(options.trusted, "the trusted image")
    keys = await read_key_set(options.jwks)
    api_key = read_api_key(options.api_key_file)
    service_tls = read_tls(options.service, ca=options.ca, certificate=options.cert, key=options.key)
    # The device has no certificate.
    device_tls = read_tls(options.device, ca=options.ca)
    spki = await server_spki_sha256(options.device, device_tls)
    async with (
        open_channel(options.service, tls=service_tls) as service,
        open_channel(options.device, tls=device_tls) as device,
        _opened(options) as (source, screen, played),
    ):
        orchestrator = Orchestrator(
            channel=service, api_key=api_key, keys=keys, accept_sandbox=options.accept_sandbox
        )
        created = await orchestrator.upload_trusted_image(
            portrait,
            image_reference=options.trusted_reference,
            policy=options.policy,
            mode=_MODES[options.mode],
            subject_reference=options.subject,
            consent_reference=options.consent,
        )
        messages.print(escape(portrait_words(created.portrait)), highlight=False)
        with ScanDisplay(messages, shows_hints=options.simulate is None) as display:
            scanner = FaceScanner(
                channel=device,
                ticket=ticket_of(created),
                source=source,
                screen=screen,
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
            messages.print(escape(f"The source of frames failed: {outcome.source_error}"), highlight=False)
        return await orchestrator.finish_check(
            created.check_id, audit_image_limit=options.audit_images, wait_s=_WAIT_SECONDS
        )


@asynccontextmanager
async def _opened(options: CheckOptions) -> AsyncIterator[_Subject]:
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


async def _subject(options: CheckOptions) -> _Subject:
    """Opens the source of the scan, and its screen."""
    if options.simulate is None:
        if options.scan is None:
            raise SourceError("there is no source to scan: give --scan or --simulate")
        # This computer's own screen is not used: it cannot report the exact time of a colour's appearance.
        return _Subject(open_scan(options.scan, frames_per_second=options.frames_per_second), None)
    from cli.simulated.source import needs_screen, open_simulated, open_simulated_phone

    photo = options.photo or options.trusted
    if photo is None:
        raise SourceError("there is no photo to simulate: give --photo, or --trusted with a photo")
    kind = options.simulate
    flash = options.flash
    if flash is None:
        flash = options.mode is ModeName.DYNAMIC or needs_screen(kind)
    if flash:
        phone = await asyncio.to_thread(
            open_simulated_phone, kind, photo, seed=options.seed, knobs=options.knobs
        )
        return _Subject(phone, phone)
    return _Subject(
        await asyncio.to_thread(open_simulated, kind, photo, seed=options.seed, knobs=options.knobs), None
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

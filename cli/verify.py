"""``facegate verify``: the three calls of a check, as an orchestrator and a device make them."""

import asyncio
import secrets
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, NoReturn

import typer
from facegate.v1 import result_pb2, scan_pb2, verification_service_pb2
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from cli.errors import PlatformUnusable
from cli.evidence_words import evidence_words
from cli.portrait_words import portrait_words
from cli.refusal_text import describe_refusal
from cli.scan_display import ScanDisplay
from cli.scan_source import open_scan
from cli.verdict_files import result_json, save_verdict
from cli.verdict_table import verdict_view
from cli.verify_files import read_api_key, read_file, read_key_set, read_tls
from client import (
    CallRefusedError,
    ClientError,
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
from server.settings import DeviceListener, ServiceListener

if TYPE_CHECKING:
    from cli.test_devices.played_device import PlayedDevice

__all__ = ["verify"]

SUCCESS, FAILURE, UNDECIDED = 0, 1, 2
_EXITS = {
    result_pb2.CHECK_STATUS_SUCCESS: SUCCESS,
    result_pb2.CHECK_STATUS_NOT_DECIDED: UNDECIDED,
}

_SERVICE: Final = f"127.0.0.1:{ServiceListener.model_fields['port'].default}"
_DEVICE: Final = f"127.0.0.1:{DeviceListener.model_fields['port'].default}"
_WAIT_SECONDS = 15.0


class ModeName(StrEnum):
    """Modes that a check can be raised to."""

    EXPRESS = "express"
    DYNAMIC = "dynamic"


_MODES: Final = {
    None: scan_pb2.MODE_UNSPECIFIED,
    ModeName.EXPRESS: scan_pb2.MODE_EXPRESS,
    ModeName.DYNAMIC: scan_pb2.MODE_DYNAMIC,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
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


def verify(
    *,
    trusted: Annotated[
        Path | None,
        typer.Option(
            help="The trusted portrait: PNG, JPEG or JPEG 2000, an ISO/IEC 19794-5 record, or an ICAO data "
            "group 2.",
            show_default=False,
        ),
    ] = None,
    trusted_reference: Annotated[
        str | None,
        typer.Option(
            help="Instead of --trusted: where the portrait lies in the store of trusted images that the "
            "server is configured with.",
            show_default=False,
        ),
    ] = None,
    scan: Annotated[
        str | None,
        typer.Option(
            help="Who is scanned: a video file, a folder of images, `camera` or `camera:<number>`.",
            show_default=False,
        ),
    ] = None,
    simulate: Annotated[
        str | None,
        typer.Option(
            help="Instead of --scan: simulate `genuine`, `static-photo`, `waved-photo`, `screen-replay`, "
            "`frozen-frame` or `looped-clip` from --photo. In front of a phone whose screen flashes: "
            "`genuine`, `print`, `screen-replay`, `recorded-scan`, `injected-video`, `injected-tint`, "
            "`injected-relighting`, `rigid-mask` or `cut-out-print`.",
            show_default=False,
        ),
    ] = None,
    photo: Annotated[
        Path | None, typer.Option(help="With --simulate: the photo; the trusted one where not given.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="With --simulate: draws what differs between scans; another number each time where not "
            "given, as a server refuses frames that it has seen before.",
            min=0,
            show_default=False,
        ),
    ] = None,
    flash: Annotated[
        bool | None,
        typer.Option(
            "--flash/--no-flash",
            help="With --simulate: whether the phone's screen can flash; if not, DYNAMIC is refused. Where "
            "not given: with --mode dynamic, and for kinds that are about the flash.",
            show_default=False,
        ),
    ] = None,
    decline_flash: Annotated[
        bool,
        typer.Option(
            "--decline-flash",
            help="With --simulate: the phone can flash, and the person does not want it to.",
        ),
    ] = False,
    knobs: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="With --simulate: turn a knob, as NAME=VALUE; may be given again. They are listed below.",
            show_default=False,
        ),
    ] = None,
    frames_per_second: Annotated[
        float, typer.Option("--fps", help="Rate of a folder's images.", min=1, max=60)
    ] = 15.0,
    service: Annotated[str, typer.Option(help="host:port of the service listener.")] = _SERVICE,
    device: Annotated[str, typer.Option(help="host:port of the device listener.")] = _DEVICE,
    policy: Annotated[str, typer.Option(help="Policy; empty for the server's default.")] = "",
    mode: Annotated[ModeName | None, typer.Option(help="Raise the policy's mode.")] = None,
    subject: Annotated[str, typer.Option(help="Opaque reference to the person.")] = "",
    consent: Annotated[str, typer.Option(help="Reference to the legal basis.")] = "",
    api_key_file: Annotated[
        Path | None,
        typer.Option(envvar="FACEGATE_API_KEY_FILE", help="File with the orchestrator's API key."),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(help="PEM of the authorities to trust; off loopback the system's where not given."),
    ] = None,
    cert: Annotated[Path | None, typer.Option(help="PEM of the orchestrator's certificate (mTLS).")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM of its private key.")] = None,
    jwks: Annotated[
        str | None,
        typer.Option(
            help="File or URL with the server's result keys, such as "
            "http://127.0.0.1:<admin port>/.well-known/jwks.json: verify the verdict's signature."
        ),
    ] = None,
    accept_sandbox: Annotated[
        bool,
        typer.Option("--accept-sandbox", help="Take the result of a sandbox check: in tests only."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the evidence frame, the result and its signature.")
    ] = None,
    audit_images: Annotated[int, typer.Option(help="Audit images to ask for.", min=0, max=4)] = 0,
    test_device: Annotated[
        str | None,
        typer.Option(
            help="Scan as a device of this kind, honest or not, with evidence of --test-platform; the kinds "
            "are listed below.",
            show_default=False,
        ),
    ] = None,
    test_platform: Annotated[
        Path | None,
        typer.Option(
            help="Folder that `facegate attest test-platform` made, whose settings the server has.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Verify that a scan shows the trusted portrait's person, alive.

    Uploads the portrait, scans as a phone would, and asks for the verdict. Ctrl-C cancels the scan.

    Examples:
      facegate verify --trusted portrait.jpg --scan selfie.mp4

      facegate verify --trusted portrait.jpg --scan camera:0 --policy low --out evidence/

      facegate verify --trusted portrait.jpg --simulate waved-photo

      facegate verify --trusted portrait.jpg --mode dynamic --simulate genuine --set ambient.preset=office

      facegate verify --trusted portrait.jpg --mode dynamic --simulate injected-relighting
      --set injection.latency_seconds=0.2 --set injection.quality=0.5

      facegate verify --trusted portrait.jpg --simulate genuine --test-platform platform --test-device relayed
      --accept-sandbox

      facegate verify --trusted-reference 2031/4711.jpg --scan selfie.mp4

      facegate verify --trusted p.jpg --simulate genuine --api-key-file sandbox-key.txt --accept-sandbox

      facegate verify --trusted p.jpg --scan s.mp4 --service api.example:8444
      --device scan.example:8443 --api-key-file key.txt --json

    The exit status is 0 for SUCCESS, 1 for FAILURE and 2 where nothing was decided: NOT_DECIDED included.
    """
    if (trusted is None) == (trusted_reference is None):
        raise typer.BadParameter("give either --trusted or --trusted-reference", param_hint="--trusted")
    if (flash is not None or decline_flash or knobs) and simulate is None:
        raise typer.BadParameter("--flash, --decline-flash and --set are for --simulate")
    if (scan is None) == (simulate is None):
        raise typer.BadParameter("give either --scan or --simulate", param_hint="--scan")
    if (test_device is None) != (test_platform is None):
        raise typer.BadParameter("give --test-device and --test-platform together")
    options = _Options(
        trusted=trusted,
        trusted_reference=trusted_reference,
        scan=scan,
        simulate=simulate,
        photo=photo,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        flash=decline_flash or flash,
        decline_flash=decline_flash,
        knobs=tuple(knobs or ()),
        frames_per_second=frames_per_second,
        service=service,
        device=device,
        policy=policy,
        mode=mode,
        subject=subject,
        consent=consent,
        api_key_file=api_key_file,
        ca=ca,
        cert=cert,
        key=key,
        jwks=jwks,
        accept_sandbox=accept_sandbox,
        audit_images=audit_images,
        test_device=test_device,
        test_platform=test_platform,
    )
    messages = Console(stderr=True)
    try:
        response = asyncio.run(_check(options, messages))
        pictures = () if out is None else save_verdict(response, out)
    except CallRefusedError as error:
        _fail(messages, describe_refusal(error.refusal))
    except (ClientError, PlatformUnusable) as error:
        _fail(messages, str(error))
    except (OSError, ValueError) as error:
        _fail(messages, f"the verdict cannot be saved in {out}: {error}")
    if as_json:
        typer.echo(result_json(response.result))
    else:
        Console().print(verdict_view(response.result, signature="verified" if jwks else "not checked"))
    for line in evidence_words(response):
        messages.print(Text(line, "yellow"))
    for picture in pictures:
        messages.print(escape(f"saved {picture}"), highlight=False)
    if response.result.status == result_pb2.CHECK_STATUS_NOT_DECIDED:
        messages.print("The server failed, and nothing was verified. Try again with a new check.")
    raise typer.Exit(_EXITS.get(response.result.status, FAILURE))


class _Subject(NamedTuple):
    """Where frames come from, the screen before it, and the device around both."""

    source: FrameSource
    screen: FlashScreen | None
    device: "PlayedDevice | None" = None


async def _check(options: _Options, messages: Console) -> verification_service_pb2.FinishCheckResponse:
    portrait = None if options.trusted is None else read_file(options.trusted, "the trusted portrait")
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
            mode=scan_pb2.Mode.Value(f"MODE_{options.mode.name}")
            if options.mode
            else scan_pb2.MODE_UNSPECIFIED,
            subject_reference=options.subject,
            consent_reference=options.consent,
        )
        messages.print(escape(portrait_words(created.portrait)), highlight=False)
        with ScanDisplay(messages) as display:
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
async def _opened(options: _Options) -> AsyncIterator[_Subject]:
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
                played.remember()


async def _subject(options: _Options) -> _Subject:
    """Who is scanned, and with which screen."""
    if options.simulate is None:
        if options.scan is None:
            raise SourceError("nobody is to be scanned")
        # This computer's own screen is not driven: it would have to say when a colour really appeared.
        return _Subject(open_scan(options.scan, frames_per_second=options.frames_per_second), None)
    from cli.simulated_source import needs_screen, open_simulated, open_simulated_phone

    photo = options.photo or options.trusted
    if photo is None:
        raise SourceError("nobody is to be simulated: give --photo, or --trusted with a photo")
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
        yield  # Only the main thread may listen to signals.
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, scanner.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _fail(messages: Console, what: str) -> NoReturn:
    messages.print(escape(what), style="red", highlight=False)
    raise typer.Exit(UNDECIDED)

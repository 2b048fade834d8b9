"""``facegate verify``: the three calls of a check, as an orchestrator and a device make them."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, NamedTuple, NoReturn

import typer
from facegate.v1 import result_pb2, scan_pb2, verification_service_pb2
from joserfc.jwk import KeySet
from rich.console import Console
from rich.markup import escape

from cli.portrait_words import portrait_words
from cli.refusal_text import describe_refusal
from cli.scan_display import ScanDisplay
from cli.scan_source import open_scan
from cli.verdict_files import result_json, save_verdict
from cli.verdict_table import verdict_view
from client import (
    ApiKey,
    CallRefusedError,
    ClientError,
    CredentialsError,
    FaceScanner,
    FlashScreen,
    FrameSource,
    Orchestrator,
    ScanSettings,
    SourceError,
    TlsSettings,
    fetch_key_set,
    is_loopback,
    load_key_set,
    open_channel,
    server_spki_sha256,
    ticket_of,
)
from server.settings import DeviceListener, ServiceListener

__all__ = ["verify"]

SUCCESS, FAILURE, UNDECIDED = 0, 1, 2

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
    audit_images: int


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
    seed: Annotated[int, typer.Option(help="With --simulate: draws what differs between scans.", min=0)] = 0,
    flash: Annotated[
        bool | None,
        typer.Option(
            "--flash/--no-flash",
            help="With --simulate: whether the phone's screen can flash; if not, DYNAMIC is refused. Where "
            "not given: with --mode dynamic, and for kinds that are about the flash.",
            show_default=False,
        ),
    ] = None,
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
    out: Annotated[
        Path | None, typer.Option(help="Folder for the evidence frame, the result and its signature.")
    ] = None,
    audit_images: Annotated[int, typer.Option(help="Audit images to ask for.", min=0, max=4)] = 0,
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

      facegate verify --trusted-reference 2031/4711.jpg --scan selfie.mp4

      facegate verify --trusted p.jpg --scan s.mp4 --service api.example:8444
      --device scan.example:8443 --api-key-file key.txt --json

    The exit status is 0 for SUCCESS, 1 for FAILURE and 2 where nothing could be decided.
    """
    if (trusted is None) == (trusted_reference is None):
        raise typer.BadParameter("give either --trusted or --trusted-reference", param_hint="--trusted")
    if (flash is not None or knobs) and simulate is None:
        raise typer.BadParameter("--flash and --set are for --simulate", param_hint="--simulate")
    if (scan is None) == (simulate is None):
        raise typer.BadParameter("give either --scan or --simulate", param_hint="--scan")
    options = _Options(
        trusted=trusted,
        trusted_reference=trusted_reference,
        scan=scan,
        simulate=simulate,
        photo=photo,
        seed=seed,
        flash=flash,
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
        audit_images=audit_images,
    )
    messages = Console(stderr=True)
    try:
        response = asyncio.run(_check(options, messages))
        pictures = () if out is None else save_verdict(response, out)
    except CallRefusedError as error:
        _fail(messages, describe_refusal(error.refusal))
    except ClientError as error:
        _fail(messages, str(error))
    except (OSError, ValueError) as error:
        _fail(messages, f"the verdict cannot be saved in {out}: {error}")
    if as_json:
        typer.echo(result_json(response.result))
    else:
        Console().print(verdict_view(response.result, signature="verified" if jwks else "not checked"))
    for picture in pictures:
        messages.print(escape(f"saved {picture}"), highlight=False)
    raise typer.Exit(SUCCESS if response.result.status == result_pb2.CHECK_STATUS_SUCCESS else FAILURE)


class _Subject(NamedTuple):
    """Where frames come from, and the screen before it."""

    source: FrameSource
    screen: FlashScreen | None


async def _check(options: _Options, messages: Console) -> verification_service_pb2.FinishCheckResponse:
    portrait = None if options.trusted is None else _read(options.trusted, "the trusted portrait")
    keys = await _keys(options.jwks)
    api_key = _api_key(options.api_key_file)
    service_tls, device_tls = _tls(options, options.service), _tls(options, options.device, caller=False)
    spki = await server_spki_sha256(options.device, device_tls)
    async with (
        open_channel(options.service, tls=service_tls) as service,
        open_channel(options.device, tls=device_tls) as device,
        _opened(options) as (source, screen),
    ):
        orchestrator = Orchestrator(channel=service, api_key=api_key, keys=keys)
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
                server_spki_sha256=spki,
                events=display,
                settings=ScanSettings(),
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
    subject = await _subject(options)
    async with aclosing(subject.source):
        yield subject


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


async def _keys(jwks: str | None) -> KeySet | None:
    if jwks is None:
        return None
    if jwks.startswith(("http://", "https://")):
        return await fetch_key_set(jwks)
    return load_key_set(_read(Path(jwks), "the JWKS"))


def _api_key(path: Path | None) -> ApiKey | None:
    if path is None:
        return None
    try:
        return ApiKey(_read(path, "the API key").decode("ascii").strip())
    except UnicodeDecodeError as error:
        raise CredentialsError(f"the API key in {path} is not ASCII") from error


def _tls(options: _Options, target: str, *, caller: bool = True) -> TlsSettings | None:
    """TLS wherever it is asked for or the target is another computer; the device has no certificate."""
    mutual = caller and (options.cert is not None or options.key is not None)
    if options.ca is None and not mutual and is_loopback(target):
        return None
    return TlsSettings(
        root_certificates=None if options.ca is None else _read(options.ca, "the authorities"),
        client_certificate=_read(options.cert, "the certificate") if mutual and options.cert else None,
        client_key=_read(options.key, "the private key") if mutual and options.key else None,
    )


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{what} at {path} cannot be read: {error.strerror}") from error


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

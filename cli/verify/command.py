"""``facegate verify``: makes the three calls of a check, as an orchestrator and a device do."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from facegate.v1 import result_pb2, scan_pb2, verification_service_pb2
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from cli.connection import certificate_explained, read_api_key, read_file, read_key_set, read_tls
from cli.errors import PlatformUnusable
from cli.verdict import result_json, save_verdict, verdict_view
from cli.verify.scanning import (
    DEVICE,
    ERROR,
    CaOption,
    FlashOption,
    KnobsOption,
    ScanOption,
    ScanOptions,
    SimulateOption,
    TestDeviceOption,
    TestPlatformOption,
    fail,
    failure_text,
    opened_scanner,
    scan_options,
)
from cli.words import evidence_words, portrait_words
from facegate_client import ClientError, Orchestrator, open_channel, ticket_of
from server.configuration.settings import ServiceListener

__all__ = [
    "verify",
]


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
    scanning: ScanOptions
    service: str
    policy: str
    mode: ModeName | None
    subject: str
    consent: str
    api_key_file: Path | None
    cert: Path | None
    key: Path | None
    jwks: str | None
    accept_sandbox: bool
    audit_images: int


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
    files = {"ca": options.scanning.ca, "certificate": options.cert, "key": options.key}
    tls = read_tls(options.service, **files)
    async with (
        certificate_explained(options.service, **files),
        open_channel(options.service, tls=tls) as service,
        opened_scanner(options.scanning, messages) as scan,
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
        await scan(ticket_of(created))
        return await orchestrator.finish_check(
            created.check_id, audit_image_limit=options.audit_images, wait_s=_WAIT_SECONDS
        )


SUCCESS, FAILURE = 0, 1
_EXITS = {
    result_pb2.CHECK_STATUS_SUCCESS: SUCCESS,
    result_pb2.CHECK_STATUS_NOT_DECIDED: ERROR,
}

_SERVICE: Final = f"127.0.0.1:{ServiceListener.model_fields['port'].default}"


def verify(
    *,
    trusted: Annotated[
        Path | None,
        typer.Option(
            help="The trusted image. PNG, JPEG or JPEG 2000, an ISO/IEC 19794-5 or 39794-5 record, or "
            "an ICAO data group 2.",
            show_default=False,
        ),
    ] = None,
    trusted_reference: Annotated[
        str | None,
        typer.Option(
            help="Instead of --trusted: path of the image in the store of trusted images that the server is "
            "configured with.",
            show_default=False,
        ),
    ] = None,
    scan: ScanOption = None,
    simulate: SimulateOption = None,
    photo: Annotated[
        Path | None, typer.Option(help="With --simulate: the photo; by default the trusted image.")
    ] = None,
    flash: FlashOption = None,
    knobs: KnobsOption = None,
    service: Annotated[str, typer.Option(help="host:port of the service listener.")] = _SERVICE,
    device: Annotated[str, typer.Option(help="host:port of the device listener.")] = DEVICE,
    policy: Annotated[str, typer.Option(help="Policy; by default the server's.", show_default=False)] = "",
    mode: Annotated[ModeName | None, typer.Option(help="Raise the policy's mode.")] = None,
    subject: Annotated[str, typer.Option(help="Opaque reference to the person.")] = "",
    consent: Annotated[str, typer.Option(help="Reference to the legal basis.")] = "",
    api_key_file: Annotated[
        Path | None,
        typer.Option(envvar="FACEGATE_API_KEY_FILE", help="File with the orchestrator's API key."),
    ] = None,
    ca: CaOption = None,
    cert: Annotated[Path | None, typer.Option(help="PEM of the orchestrator's certificate (mTLS).")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM of its private key.")] = None,
    jwks: Annotated[
        str | None,
        typer.Option(
            help="Verify the signature with these keys. File or URL with the server's result keys, such as "
            "http://127.0.0.1:8445/.well-known/jwks.json."
        ),
    ] = None,
    accept_sandbox: Annotated[
        bool,
        typer.Option("--accept-sandbox", help="Accept the result of a sandbox check; for tests only."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to save to. It gets the evidence frame, the result and its signature."),
    ] = None,
    audit_images: Annotated[int, typer.Option(help="Audit images to request.", min=0, max=4)] = 0,
    test_device: TestDeviceOption = None,
    test_platform: TestPlatformOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            help="List each liveness signal and device test.",
        ),
    ] = False,
) -> None:
    """Verify that a scan shows the living person of the trusted image.

    Uploads the image, sends a scan as a phone does, and finishes the check. Ctrl-C cancels the scan.

    Examples:
      facegate verify --trusted portrait.jpg --scan selfie.mp4

      facegate verify --trusted portrait.jpg --simulate waved-photo

      facegate verify --trusted portrait.jpg --scan camera:0 --policy low --out evidence/

      facegate verify --trusted portrait.jpg --mode dynamic --simulate genuine --set ambient.preset=office

      facegate verify --trusted portrait.jpg --mode dynamic --simulate injected-relighting
      --set injection.latency_seconds=0.2 --set injection.quality=0.5

      facegate verify --trusted portrait.jpg --simulate genuine --test-platform platform --test-device relayed
      --accept-sandbox

      facegate verify --trusted-reference 2031/4711.jpg --scan selfie.mp4

      facegate verify --trusted p.jpg --simulate genuine --api-key-file sandbox-key.txt --accept-sandbox

      facegate verify --trusted p.jpg --scan s.mp4 --service api.example:8444
      --device scan.example:8443 --api-key-file key.txt --json

    The exit status is 0 for SUCCESS, 1 for FAILURE, and 2 for NOT_DECIDED or an error.
    """
    if (trusted is None) == (trusted_reference is None):
        raise typer.BadParameter("give either --trusted or --trusted-reference", param_hint="--trusted")
    scanning = scan_options(
        device=device,
        ca=ca,
        scan=scan,
        simulate=simulate,
        photo=photo or trusted,
        flash=flash,
        knobs=knobs,
        test_device=test_device,
        test_platform=test_platform,
        flashes=mode is ModeName.DYNAMIC,
    )
    options = CheckOptions(
        trusted=trusted,
        trusted_reference=trusted_reference,
        scanning=scanning,
        service=service,
        policy=policy,
        mode=mode,
        subject=subject,
        consent=consent,
        api_key_file=api_key_file,
        cert=cert,
        key=key,
        jwks=jwks,
        accept_sandbox=accept_sandbox,
        audit_images=audit_images,
    )
    messages = Console(stderr=True)
    try:
        response = asyncio.run(run_check(options, messages))
        saved = () if out is None else save_verdict(response, out)
    except (ClientError, PlatformUnusable) as error:
        fail(messages, failure_text(error))
    except (OSError, ValueError) as error:
        fail(messages, f"the result cannot be saved in {out}: {error}")
    if as_json:
        typer.echo(result_json(response.result))
    else:
        signature = "verified" if jwks else "not checked: give --jwks"
        Console().print(verdict_view(response.result, signature=signature, verbose=verbose))
    for line in evidence_words(response):
        messages.print(Text(line, "yellow"))
    for file in saved:
        messages.print(escape(f"saved {file}"), highlight=False)
    if response.result.status == result_pb2.CHECK_STATUS_NOT_DECIDED:
        messages.print("The server had a fault, and nothing was verified. Try again with a new check.")
    raise typer.Exit(_EXITS.get(response.result.status, FAILURE))

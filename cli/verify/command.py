"""``facegate verify``: makes the three calls of a check, as an orchestrator and a device do."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer
from facegate.v1 import result_pb2
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from cli.errors import PlatformUnusable
from cli.verdict import result_json, save_verdict, verdict_view
from cli.verify.check import CheckOptions, ModeName, run_check
from cli.verify.scanning import (
    DEVICE,
    ERROR,
    CaOption,
    DeclineFlashOption,
    FlashOption,
    FpsOption,
    KnobsOption,
    ScanOption,
    SeedOption,
    SimulateOption,
    TestDeviceOption,
    TestPlatformOption,
    fail,
    failure_text,
    scan_options,
)
from cli.verify.words import evidence_words
from facegate_client import ClientError
from server.configuration.settings import ServiceListener

__all__ = ["verify"]

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
    seed: SeedOption = None,
    flash: FlashOption = None,
    decline_flash: DeclineFlashOption = False,
    knobs: KnobsOption = None,
    frames_per_second: FpsOption = 15.0,
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
        seed=seed,
        flash=flash,
        decline_flash=decline_flash,
        knobs=knobs,
        frames_per_second=frames_per_second,
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
        pictures = () if out is None else save_verdict(response, out)
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
    for picture in pictures:
        messages.print(escape(f"saved {picture}"), highlight=False)
    if response.result.status == result_pb2.CHECK_STATUS_NOT_DECIDED:
        messages.print("The server had a fault, and nothing was verified. Try again with a new check.")
    raise typer.Exit(_EXITS.get(response.result.status, FAILURE))

"""``facegate verify``: makes the three calls of a check, as an orchestrator and a device do."""

import asyncio
import secrets
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from facegate.v1 import result_pb2
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from cli.errors import PlatformUnusable
from cli.verdict import result_json, save_verdict, verdict_view
from cli.verify.check import CheckOptions, ModeName, run_check
from cli.verify.words import evidence_words
from cli.words import describe_lost_connection, describe_refusal
from facegate_client import (
    CallRefusedError,
    ClientError,
    ConnectionFailedError,
)
from server.settings import DeviceListener, ServiceListener

__all__ = ["verify"]

SUCCESS, FAILURE, UNDECIDED = 0, 1, 2
_EXITS = {
    result_pb2.CHECK_STATUS_SUCCESS: SUCCESS,
    result_pb2.CHECK_STATUS_NOT_DECIDED: UNDECIDED,
}

_SERVICE: Final = f"127.0.0.1:{ServiceListener.model_fields['port'].default}"
_DEVICE: Final = f"127.0.0.1:{DeviceListener.model_fields['port'].default}"


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
    scan: Annotated[
        str | None,
        typer.Option(
            help="Source of the scan. A video file, a folder of images, `camera` or `camera:<number>`.",
            show_default=False,
        ),
    ] = None,
    simulate: Annotated[
        str | None,
        typer.Option(
            help="Simulate a scan of this kind. Instead of --scan: a simulated scan of --photo, such as "
            "`genuine`, `static-photo`, `print` or `screen-replay`; `--help-all` lists the kinds.",
            show_default=False,
        ),
    ] = None,
    photo: Annotated[
        Path | None, typer.Option(help="With --simulate: the photo; by default the trusted image.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="With --simulate: seed of the random differences between scans; by default another number "
            "each time, because a server recognises repeated frames.",
            min=0,
            show_default=False,
        ),
    ] = None,
    flash: Annotated[
        bool | None,
        typer.Option(
            "--flash/--no-flash",
            help="With --simulate: whether the phone's screen can flash and the person reads it; if not, "
            "DYNAMIC, an open mouth and a turned head are refused. "
            "By default it can with --mode dynamic, and for kinds that concern the flash.",
            show_default=False,
        ),
    ] = None,
    decline_flash: Annotated[
        bool,
        typer.Option(
            "--decline-flash",
            help="With --simulate: the phone can flash, but the person declines the flash.",
        ),
    ] = False,
    knobs: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="With --simulate: set a knob, as NAME=VALUE; may be repeated. The knobs are listed below.",
            show_default=False,
        ),
    ] = None,
    frames_per_second: Annotated[
        float, typer.Option("--fps", help="Rate of a folder's images.", min=1, max=60)
    ] = 15.0,
    service: Annotated[str, typer.Option(help="host:port of the service listener.")] = _SERVICE,
    device: Annotated[str, typer.Option(help="host:port of the device listener.")] = _DEVICE,
    policy: Annotated[str, typer.Option(help="Policy; by default the server's.", show_default=False)] = "",
    mode: Annotated[ModeName | None, typer.Option(help="Raise the policy's mode.")] = None,
    subject: Annotated[str, typer.Option(help="Opaque reference to the person.")] = "",
    consent: Annotated[str, typer.Option(help="Reference to the legal basis.")] = "",
    api_key_file: Annotated[
        Path | None,
        typer.Option(envvar="FACEGATE_API_KEY_FILE", help="File with the orchestrator's API key."),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(
            help="PEM of the authorities to trust; by default the system's, and plaintext on loopback."
        ),
    ] = None,
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
    test_device: Annotated[
        str | None,
        typer.Option(
            help="Scan as a device of this kind, honest or manipulated, with evidence of --test-platform. "
            "The kinds are listed below.",
            show_default=False,
        ),
    ] = None,
    test_platform: Annotated[
        Path | None,
        typer.Option(
            help="Folder that `facegate attest test-platform` made; the server must run with its settings.",
            show_default=False,
        ),
    ] = None,
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
    if (flash is not None or decline_flash or knobs) and simulate is None:
        raise typer.BadParameter("--flash, --decline-flash and --set are for --simulate")
    if (scan is None) == (simulate is None):
        raise typer.BadParameter("give either --scan or --simulate", param_hint="--scan")
    if (test_device is None) != (test_platform is None):
        raise typer.BadParameter("give --test-device and --test-platform together")
    options = CheckOptions(
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
        response = asyncio.run(run_check(options, messages))
        pictures = () if out is None else save_verdict(response, out)
    except CallRefusedError as error:
        _fail(messages, describe_refusal(error.refusal))
    except ConnectionFailedError as error:
        _fail(messages, describe_lost_connection(error))
    except (ClientError, PlatformUnusable) as error:
        _fail(messages, str(error))
    except (OSError, ValueError) as error:
        _fail(messages, f"the result cannot be saved in {out}: {error}")
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


def _fail(messages: Console, text: str) -> NoReturn:
    messages.print(escape(text), style="red", highlight=False)
    raise typer.Exit(UNDECIDED)

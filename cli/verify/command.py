"""``facegate verify``: makes the three calls of a check, or the scan alone."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from facegate.v1 import feedback_pb2, result_pb2, scan_pb2, verification_service_pb2
from rich.console import Console
from rich.text import Text

from cli.connection import (
    SERVICE,
    ApiKeyOption,
    CaOption,
    CertOption,
    Connection,
    KeyOption,
    calls_reported,
    read_file,
    read_key_set,
    read_ticket,
)
from cli.errors import fail
from cli.options import JsonOption
from cli.shown import say
from cli.verdict import code_word, message_json, save_verdict, verdict_view
from cli.verify.scanning import DEVICE, ScanOptions, opened_scanner
from cli.words import evidence_words, feedback_texts, portrait_words
from facegate_client import Orchestrator, ScanOutcome, ticket_of

_WAIT_SECONDS: Final = 15.0


class ModeName(StrEnum):
    """Modes to which a check can be raised."""

    EXPRESS = "express"
    DYNAMIC = "dynamic"


_FAILURE, _ERROR = 1, 2
_EXITS: Final = {result_pb2.CHECK_STATUS_SUCCESS: 0, result_pb2.CHECK_STATUS_NOT_DECIDED: _ERROR}
_ENDED: Final = {
    scan_pb2.SCAN_STATUS_SUCCESS: "The scan has ended, and the check will succeed.",
    scan_pb2.SCAN_STATUS_FAILURE: "The scan has ended, and the check will fail.",
    scan_pb2.SCAN_STATUS_COMPLETED: "The scan has ended; the policy does not let the device know more.",
}
_NOT_DECIDED: Final = "The scan has ended without a decision."
_TOO_SHORT: Final = "The frames ended before the scan did: a longer clip may help."
_TOO_SLOW: Final = "The clip has too few frames a second: one with 8 or more may help."
_MORE_FRAMES_MAY_HELP: Final = frozenset(
    {
        result_pb2.FAILURE_REASON_ABANDONED,
        result_pb2.FAILURE_REASON_CHALLENGE_BITS_TOO_FEW,
        result_pb2.FAILURE_REASON_CONDITIONS,
        result_pb2.FAILURE_REASON_LIVENESS_INCONCLUSIVE,
    }
)
"""The reasons of checks that nothing was found against."""


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
    ticket: Annotated[
        Path | None,
        typer.Option(
            help="Instead of --trusted: scan for a check of your backend. JSON file with `scan_token` and "
            "`challenge_key_sha256` (hex or Base64) of UploadTrustedImage.",
            show_default=False,
        ),
    ] = None,
    scan: Annotated[
        str | None,
        typer.Option(
            help="Source of the scan. A video file, a folder of images, `camera` or `camera:<number>`. With "
            "--simulate: the photo; by default the trusted image.",
            show_default=False,
        ),
    ] = None,
    simulate: Annotated[
        str | None,
        typer.Option(
            help="Simulate a scan of this kind from a photo. Such as `genuine`, `static-photo`, `print` or "
            "`screen-replay`; `list` lists the kinds.",
            show_default=False,
        ),
    ] = None,
    service: Annotated[str, typer.Option(help="host:port of the service listener.")] = SERVICE,
    device: Annotated[str, typer.Option(help="host:port of the device listener.")] = DEVICE,
    policy: Annotated[str, typer.Option(help="Policy; by default the server's.", show_default=False)] = "",
    mode: Annotated[ModeName | None, typer.Option(help="Raise the policy's mode.")] = None,
    subject: Annotated[str, typer.Option(help="Opaque reference to the person.")] = "",
    consent: Annotated[str, typer.Option(help="Reference to the legal basis.")] = "",
    api_key_file: ApiKeyOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
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
    test_device: Annotated[
        str | None,
        typer.Option(
            help="Scan as a device, honest or manipulated, of a test platform. The server must run with the "
            "settings in its FOLDER, which `facegate attest test-platform` made; `--simulate list` lists the "
            "kinds.",
            metavar="FOLDER/KIND",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify that a scan shows the living person of the trusted image.

    Uploads the image, sends a scan as a phone does, and finishes the check. Ctrl-C cancels the scan. With
    --ticket it is the phone alone: your backend makes the check and reads the result, and the device
    learns no more than the policy lets it know.

    Examples:
      facegate verify --trusted portrait.jpg --scan selfie.mp4

      facegate verify --trusted portrait.jpg --simulate waved-photo

      facegate verify --trusted portrait.jpg --scan camera:0 --policy low --out evidence/

      facegate verify --trusted portrait.jpg --mode dynamic --simulate injected-relighting

      facegate verify --trusted portrait.jpg --simulate genuine --test-device platform/relayed
      --accept-sandbox

      facegate verify --trusted-reference 2031/4711.jpg --scan selfie.mp4

      facegate verify --trusted p.jpg --simulate genuine --api-key-file sandbox-key.txt --accept-sandbox

      facegate verify --trusted p.jpg --scan s.mp4 --service api.example:8444
      --device scan.example:8443 --api-key-file key.txt --json

      facegate verify --ticket ticket.json --scan camera --device scan.example:8443

    The exit status is 0 for SUCCESS, and with --ticket for COMPLETED; 1 for FAILURE, and with --ticket
    without a decision; and 2 for NOT_DECIDED or an error.
    """
    if sum(one is not None for one in (trusted, trusted_reference, ticket)) != 1:
        raise typer.BadParameter(
            "give one of --trusted, --trusted-reference, --ticket", param_hint="--trusted"
        )
    scanning = ScanOptions(
        device=device,
        ca=ca,
        scan=scan,
        simulate=simulate,
        trusted=trusted,
        test_device=test_device,
        flashes=mode is ModeName.DYNAMIC,
    )
    scanning.validate()
    messages = Console(stderr=True)
    if ticket is not None:
        _scan_for_backend(ticket, scanning, messages, as_json=as_json)

    connection = Connection(service=service, api_key_file=api_key_file, ca=ca, cert=cert, key=key)
    with calls_reported():
        portrait = None if trusted is None else read_file(trusted, "the trusted image")
        making = _check(
            lambda orchestrator: orchestrator.upload_trusted_image(
                portrait,
                image_reference=trusted_reference,
                policy=policy,
                mode=scan_pb2.Mode.Value(f"MODE_{'UNSPECIFIED' if mode is None else mode.name}"),
                subject_reference=subject,
                consent_reference=consent,
            ),
            connection,
            scanning,
            messages,
            jwks=jwks,
            accept_sandbox=accept_sandbox,
        )
        response = asyncio.run(making)
    _report_check(response, messages, out=out, keys_given=jwks is not None, as_json=as_json)


async def _check(
    upload: Callable[[Orchestrator], Awaitable[verification_service_pb2.UploadTrustedImageResponse]],
    connection: Connection,
    scanning: ScanOptions,
    messages: Console,
    *,
    jwks: str | None,
    accept_sandbox: bool,
) -> verification_service_pb2.FinishCheckResponse:
    """Make the three calls of a check."""
    keys = await read_key_set(jwks)
    async with connection.open() as (channel, api_key), opened_scanner(scanning, messages) as send:
        orchestrator = Orchestrator(
            channel=channel, api_key=api_key, keys=keys, accept_sandbox=accept_sandbox
        )
        created = await upload(orchestrator)
        say(portrait_words(created.portrait), console=messages)
        outcome = await send(ticket_of(created))
        response = await orchestrator.finish_check(created.check_id, wait_s=_WAIT_SECONDS)
    # The most important reason comes first.
    if outcome.source_ended and not _MORE_FRAMES_MAY_HELP.isdisjoint(response.result.reasons[:1]):
        told = (*outcome.feedback, *(code for one in response.result.attempts for code in one.feedback))
        say(_better_clip(told), console=messages)
    return response


def _report_check(
    response: verification_service_pb2.FinishCheckResponse,
    messages: Console,
    *,
    out: Path | None,
    keys_given: bool,
    as_json: bool,
) -> NoReturn:
    """Save and print a result, and end the command."""
    try:
        saved = () if out is None else save_verdict(response, out)
    except (OSError, ValueError) as error:
        fail(f"the result cannot be saved in {out}: {error}")
    if as_json:
        typer.echo(message_json(response.result))
    else:
        signature = "verified" if keys_given else "not checked: give --jwks"
        Console().print(verdict_view(response.result, signature=signature, more="--json"))
    for line in evidence_words(response):
        messages.print(Text(line, "yellow"))
    for file in saved:
        say(f"saved {file}", console=messages)
    if response.result.status == result_pb2.CHECK_STATUS_NOT_DECIDED:
        messages.print("The server had a fault, and nothing was verified. Try again with a new check.")
    raise typer.Exit(_EXITS.get(response.result.status, _FAILURE))


def _better_clip(feedback: Collection[int]) -> str:
    """Return which clip may help where frames ended before the scan did."""
    return _TOO_SLOW if feedback_pb2.FEEDBACK_CODE_CAPTURE_TOO_SLOW in feedback else _TOO_SHORT


def _scan_for_backend(file: Path, scanning: ScanOptions, messages: Console, *, as_json: bool) -> NoReturn:
    """Make the scan of a ticket, print what the device learns, and end the command."""

    async def scan() -> ScanOutcome:
        ticket = read_ticket(file)
        async with opened_scanner(scanning, messages) as send:
            return await send(ticket)

    with calls_reported():
        outcome = asyncio.run(scan())
    if as_json:
        learned = {
            "status": code_word(scan_pb2.ScanStatus.DESCRIPTOR, outcome.status),
            "feedback": [code_word(feedback_pb2.FeedbackCode.DESCRIPTOR, code) for code in outcome.feedback],
            "attempts": outcome.attempts,
            "streams": outcome.streams,
            "frames": outcome.frames,
            "dropped": outcome.dropped,
        }
        typer.echo(json.dumps(learned, indent=2))
    else:
        typer.echo(_ENDED.get(outcome.status, _NOT_DECIDED))
        for text in feedback_texts(outcome.feedback, frames=outcome.frames):
            say(f"  {text}", console=messages)
        if outcome.source_ended and outcome.status not in _ENDED:
            say(_better_clip(outcome.feedback), console=messages)
    passed = outcome.status in {scan_pb2.SCAN_STATUS_SUCCESS, scan_pb2.SCAN_STATUS_COMPLETED}
    raise typer.Exit(0 if passed else _FAILURE)

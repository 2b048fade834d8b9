"""``facegate scan``: the device alone, with the token of a check that another backend made."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Final

import typer
from facegate.v1 import feedback_pb2, scan_pb2
from rich.console import Console
from rich.markup import escape

from cli.connection import read_ticket
from cli.errors import PlatformUnusable
from cli.verdict import enum_word
from cli.verify.scanning import (
    DEVICE,
    CaOption,
    FlashOption,
    KnobsOption,
    PhotoOption,
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
from cli.words import feedback_texts
from facegate_client import ClientError, ScanOutcome, ScanTicket

__all__ = [
    "scan_command",
]

_ENDED: Final = {
    scan_pb2.SCAN_STATUS_SUCCESS: "The scan has ended, and the check will succeed.",
    scan_pb2.SCAN_STATUS_FAILURE: "The scan has ended, and the check will fail.",
    scan_pb2.SCAN_STATUS_COMPLETED: "The scan has ended; the policy does not let the device know more.",
}
_NOT_DECIDED: Final = "The scan has ended without a decision."
_FAILED: Final = 1


def scan_command(
    *,
    token_file: Annotated[
        Path,
        typer.Option(
            help="File with the scan token. UploadTrustedImage gives it: `scan_token`; on the command line "
            "other users would see it.",
            show_default=False,
        ),
    ],
    challenge_key: Annotated[
        str,
        typer.Option(
            help="The `challenge_key_sha256` to pin. UploadTrustedImage gives it; as hex or Base64.",
            show_default=False,
        ),
    ],
    server: Annotated[str, typer.Option(help="host:port of the device listener.")] = DEVICE,
    scan: ScanOption = None,
    simulate: SimulateOption = None,
    photo: PhotoOption = None,
    flash: FlashOption = None,
    knobs: KnobsOption = None,
    ca: CaOption = None,
    test_device: TestDeviceOption = None,
    test_platform: TestPlatformOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the device learns as JSON.")] = False,
) -> None:
    """Scan with a token of your backend.

    As the app does: the backend makes a check, this command scans for it, and the backend reads the result.
    The device learns no more than the policy lets it know. Ctrl-C cancels the scan.

    Examples:
      facegate scan --token-file token --challenge-key 9f2c... --scan me.mp4

      facegate scan --token-file token --challenge-key 9f2c... --scan camera --server scan.example:8443

      facegate scan --token-file token --challenge-key 9f2c... --flash yes --simulate genuine --photo p.jpg

    The exit status is 0 if the scan ended with SUCCESS or COMPLETED, 1 for FAILURE or no decision, and 2 for
    an error. Only the backend gets the result, by FinishCheck.
    """
    options = scan_options(
        device=server,
        ca=ca,
        scan=scan,
        simulate=simulate,
        photo=photo,
        flash=flash,
        knobs=knobs,
        test_device=test_device,
        test_platform=test_platform,
    )
    messages = Console(stderr=True)
    try:
        outcome = asyncio.run(_scan(read_ticket(token_file, challenge_key), options, messages))
    except (ClientError, PlatformUnusable) as error:
        fail(messages, failure_text(error))
    if as_json:
        typer.echo(json.dumps(_learned(outcome), indent=2))
    else:
        typer.echo(_ENDED.get(outcome.status, _NOT_DECIDED))
        for text in feedback_texts(outcome.feedback, frames=outcome.frames):
            messages.print(escape(f"  {text}"), highlight=False)
    passed = outcome.status in {scan_pb2.SCAN_STATUS_SUCCESS, scan_pb2.SCAN_STATUS_COMPLETED}
    raise typer.Exit(0 if passed else _FAILED)


async def _scan(ticket: ScanTicket, options: ScanOptions, messages: Console) -> ScanOutcome:
    async with opened_scanner(options, messages) as scan:
        return await scan(ticket)


def _learned(outcome: ScanOutcome) -> dict[str, object]:
    return {
        "status": enum_word(scan_pb2.ScanStatus.Name, outcome.status, "SCAN_STATUS_"),
        "feedback": [
            enum_word(feedback_pb2.FeedbackCode.Name, code, "FEEDBACK_CODE_") for code in outcome.feedback
        ],
        "attempts": outcome.attempts,
        "streams": outcome.streams,
        "frames": outcome.frames,
        "dropped": outcome.dropped,
    }

"""``facegate attest inspect``: shows the content of a piece of evidence, and the finding of each test."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from cli.attest.files import read_file, read_public_key
from cli.attest.report import GivenInputs, as_json
from cli.attest.reports import make_report
from cli.attest.view import report_view
from cli.error_reporting import errors_reported
from cli.errors import OptionUnusable
from cli.options import JsonOption
from device_integrity import DeviceIntegrityError
from device_integrity.apple import Environment

__all__ = ["inspect_command"]

_A_CHECK_FAILED: Final = 1
_HEX: Final = re.compile(r"([0-9a-fA-F]{2})*")


def inspect_command(
    *,
    file: Annotated[Path, typer.Argument(help="The evidence. Binary, PEM, base64, or JSON.")],
    challenge: Annotated[
        str | None,
        typer.Option(
            help="Expected challenge. The value that the evidence must contain, in hexadecimal: H.",
            metavar="HEX",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="Judge as of this time, ISO 8601 with a time zone; by default now.", metavar="TIME"
        ),
    ] = None,
    app: Annotated[
        list[str] | None,
        typer.Option(
            help="An allowed app; may be repeated. TEAM.BUNDLE for Apple, PACKAGE@SHA256 of the signing "
            "certificate for Android, an origin for the web.",
            metavar="APP",
        ),
    ] = None,
    environment: Annotated[Environment | None, typer.Option(help="Environment of App Attest.")] = None,
    key_id: Annotated[
        str | None,
        typer.Option(help="Identifier that was sent with the evidence, in hexadecimal.", metavar="HEX"),
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option(help="Enrolled key, PEM. For assertions and receipts.")
    ] = None,
    counter: Annotated[
        int | None, typer.Option(help="The last known counter, for assertions.", min=0)
    ] = None,
    max_age: Annotated[
        int | None, typer.Option(help="Greatest age of a receipt, in seconds.", min=1, max=10**9)
    ] = None,
    most_keys: Annotated[
        int | None, typer.Option(help="Greatest acceptable risk metric of a receipt.", min=0)
    ] = None,
    client_data: Annotated[Path | None, typer.Option(help="WebAuthn's clientDataJSON, as sent.")] = None,
    rp_id: Annotated[str | None, typer.Option(help="WebAuthn's relying party identifier.")] = None,
    revocation: Annotated[
        Path | None, typer.Option(help="Google's list of revoked attestation keys, JSON.")
    ] = None,
    play_keys: Annotated[
        Path | None,
        typer.Option(help='Keys of Play tokens: JSON with "decryption_key" and "verification_key".'),
    ] = None,
    as_json_text: JsonOption = False,
) -> None:
    """Show the content of a piece of evidence, and the finding of each test.

    The content decides the kind of evidence: Android key attestation (a chain in PEM or DER, or a
    KeyDescription), Play Integrity (a token, or its decoded payload), App Attest (attestation object,
    assertion, receipt), WebAuthn (attestation object). If a test lacks an input, its row names the input.
    Nothing is fetched. The exit status is 1 if a test failed, and 2 if the file is not evidence or cannot be
    read. For example:

        facegate attest inspect chain.pem

        facegate attest inspect attestation.cbor --challenge 9f86d081... --app TEAM123456.org.example.bank

        facegate attest inspect assertion.cbor --public-key key.pem --counter 7 --challenge 9f86d081...

        facegate attest inspect chain.pem --at 2026-03-01T12:00:00Z --revocation status.json --json
    """
    with errors_reported(DeviceIntegrityError):
        given = GivenInputs(
            at=_time(at),
            challenge=_hexadecimal("--challenge", challenge),
            apps=tuple(app or ()),
            environment=environment,
            key_id=_hexadecimal("--key-id", key_id),
            public_key=read_public_key(public_key) if public_key else None,
            counter=counter,
            max_age=None if max_age is None else timedelta(seconds=max_age),
            most_keys=most_keys,
            client_data=read_file(client_data) if client_data else None,
            rp_id=rp_id,
            revocation=read_file(revocation) if revocation else None,
            play_keys=read_file(play_keys) if play_keys else None,
        )
        report = make_report(read_file(file), given)
    if as_json_text:
        typer.echo(json.dumps({"file": str(file)} | as_json(report), indent=2))
    else:
        Console().print(report_view(report, file=file, at=given.at))
    if report.failed:
        raise typer.Exit(_A_CHECK_FAILED)


def _hexadecimal(option: str, text: str | None) -> bytes | None:
    if text is None:
        return None
    if not _HEX.fullmatch(text):
        raise OptionUnusable(f"{option} {text}: write it in hexadecimal, two digits per byte")
    return bytes.fromhex(text)


def _time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise OptionUnusable(f"--at {text}: write a time such as 2026-03-01T12:00:00Z") from error
    if at.tzinfo is None:
        raise OptionUnusable(f"--at {text}: add the time zone, such as Z for UTC")
    return at

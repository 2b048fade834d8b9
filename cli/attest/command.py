"""``facegate attest``: inspects the evidence of devices, fetches Google's list, and makes test evidence."""

import http.client
import json
import re
import urllib.error
import urllib.request
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich import box
from rich.console import Console, Group, RenderableType
from rich.text import Text

from cli.attest.evidence import GivenInputs, Report, as_json, moment
from cli.attest.reports import make_report
from cli.errors import FAILED, CommandError, errors_reported
from cli.files import read_evidence, read_public_key
from cli.lab import simulator
from cli.options import JsonOption
from cli.shown import counted, list_table, printable, section_table
from device_integrity import DeviceFinding, DeviceIntegrityError, DeviceTest, ReferenceDataMalformed
from device_integrity.android import MAX_LIST_BYTES
from formats.proxies import proxy_named
from server.device.revocation import read_revocation_files, write_revocation_files

_STYLES: Final = {
    DeviceFinding.PASS: "green",
    DeviceFinding.FAIL: "bold red",
    DeviceFinding.NOT_EVALUATED: "dim",
    DeviceFinding.UNAVAILABLE: "yellow",
}


def report_view(report: Report, *, file: Path, at: datetime) -> RenderableType:
    """Return the whole report."""
    head = Text.assemble((str(file), "bold"), f"  {report.kind}, judged as of {moment(at)}")
    if not report.checks:
        return Group(
            head,
            *map(section_table, report.sections),
            Text("There are no tests: this evidence carries no proof."),
        )
    counts = Counter(check.outcome for check in report.checks)
    total = ", ".join(f"{counts[one]} {_word(one)}" for one in DeviceFinding if counts[one])
    return Group(
        head, *map(section_table, report.sections), _checks(report.checks), Text(f"Checks: {total}.")
    )


def _checks(checks: tuple[DeviceTest, ...]) -> RenderableType:
    table = list_table("check", "outcome", "why", title="Checks", whole=("check", "outcome"), box=box.SIMPLE)
    for check in checks:
        why = f"{check.detail} ({check.reason})"
        if check.sign_of is not None:
            why += f"; a sign of {_word(check.sign_of)}"
        if check.soft:
            why += "; does not decide alone"
        table.add_row(
            Text(check.name), Text(_word(check.outcome), _STYLES[check.outcome]), Text(printable(why))
        )
    return table


def _word(one: str) -> str:
    return one.lower().replace("_", " ")


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
            app=tuple(app or ()),
            key_id=_hexadecimal("--key-id", key_id),
            public_key=read_public_key(public_key) if public_key else None,
            counter=counter,
            client_data=read_evidence(client_data) if client_data else None,
            rp_id=rp_id,
            revocation=read_evidence(revocation) if revocation else None,
            play_keys=read_evidence(play_keys) if play_keys else None,
        )
        report = make_report(read_evidence(file), given)
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
        raise CommandError(f"{option} {text}: write it in hexadecimal, two digits per byte")
    return bytes.fromhex(text)


def _time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--at {text}: write a time such as 2026-03-01T12:00:00Z") from error
    if at.tzinfo is None:
        raise CommandError(f"--at {text}: add the time zone, such as Z for UTC")
    return at


_ADDRESS: Final = "https://android.googleapis.com/attestation/status"
_SECONDS: Final = 30.0


def revocation_command(
    *,
    file: Annotated[
        Path, typer.Argument(help="The list. The server's device_integrity.android.revocation_file.")
    ],
    url: Annotated[str, typer.Option(help="Address of the list.", metavar="URL")] = _ADDRESS,
) -> None:
    """Fetch Google's list of revoked attestation certificates for a server.

    Beside FILE it writes FILE.fetched with the time at which the list was fetched. A server computes the
    list's age from it. Run the command by a timer, several times a day. A server reads both files again
    within a minute. For a server without a network, run it elsewhere and copy both files.

    For example:

        facegate attest revocation /srv/facegate/status.json

        facegate attest revocation /srv/facegate/status.json --url https://mirror.bank.internal/status
    """
    try:
        data, moment = _fetch(url)
        write_revocation_files(file, data, fetched_at=moment)
        held = read_revocation_files(file)
    except (OSError, CommandError, ReferenceDataMalformed, ValueError, http.client.HTTPException) as error:
        typer.echo(f"{file}: {error}; the existing list is kept", err=True)
        raise typer.Exit(FAILED) from error
    hours = (datetime.now(UTC) - held.fetched_at).total_seconds() / 3600
    typer.echo(
        f"{file}: {counted(len(held.entries), 'entry')}, fetched {held.fetched_at.isoformat()} "
        f"({hours:.1f} h ago)"
    )


def _fetch(url: str) -> tuple[bytes, datetime]:
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url}: expected an address that begins with https://")
    now = datetime.now(UTC)
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 - the scheme is checked above
            data: bytes = answer.read(MAX_LIST_BYTES + 1)
            return data, min(now, _made(answer.headers.get("Date"), answer.headers.get("Age"), now))
    except urllib.error.HTTPError as error:
        with error:
            raise ValueError(f"{url}: the server answered {error.code}") from error
    except urllib.error.URLError as error:
        raise ValueError(f"{url} cannot be reached{proxy_named(url)}: {error.reason}") from error


def _made(date: str | None, age: str | None, now: datetime) -> datetime:
    """Return when the origin server sent the list: a cache may be between (headers Date and Age)."""
    try:
        moment = now if date is None else parsedate_to_datetime(date).astimezone(UTC)
        return moment - timedelta(seconds=int(age or 0))
    except (ValueError, OverflowError):
        return now


def make_test_platform(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="Folder for the platform. It gets keys, roots, settings and a policy."
        ),
    ],
) -> None:
    """Make a test platform, which signs evidence in place of Google and Apple.

    Writes its roots, its list of revoked keys, settings that make a server trust it, and a policy that
    demands evidence. Callers of a server with these settings are sandbox callers: their checks accept test
    devices, and each result states this. Run the command again to extend the platform's validity by a year.

    For example:

        facegate attest test-platform platform

        facegate serve --config platform/facegate.toml

        facegate verify --trusted p.jpg --simulate genuine --test-device platform/repackaged --accept-sandbox
    """
    with errors_reported():
        simulator("facegate attest test-platform").make_test_platform(out)


app = typer.Typer(help="Inspect evidence of devices, and make evidence for tests.", no_args_is_help=True)
app.command("inspect")(inspect_command)
app.command("revocation")(revocation_command)
app.command("test-platform")(make_test_platform)

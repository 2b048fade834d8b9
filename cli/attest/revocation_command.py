"""``facegate attest revocation``: fetches Google's list of revoked attestation certificates."""

import http.client
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from device_integrity import ReferenceDataMalformed
from device_integrity.android import MAX_LIST_BYTES
from server.device.revocation import read_revocation_files, write_revocation_files

__all__ = ["revocation_command"]

_ADDRESS: Final = "https://android.googleapis.com/attestation/status"
_SECONDS: Final = 30.0
_FAILED: Final = 2


def revocation_command(
    *,
    file: Annotated[
        Path, typer.Argument(help="The list. The server's device_integrity.android.revocation_file.")
    ],
    url: Annotated[str, typer.Option(help="Address of the list.", metavar="URL")] = _ADDRESS,
    fetched_at: Annotated[
        str | None,
        typer.Option(
            help="Fetch nothing: state when FILE was fetched. ISO 8601 with a time zone.",
            metavar="TIME",
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Fetch nothing: describe FILE.")] = False,
) -> None:
    """Fetch Google's list of revoked attestation certificates for a server.

    Beside FILE it writes FILE.fetched with the time at which the list was fetched. A server computes the
    list's age from it. Run the command by a timer, several times a day. A server reads both files again
    within a minute.

    For example:

        facegate attest revocation /srv/facegate/status.json

        facegate attest revocation /srv/facegate/status.json --url https://mirror.bank.internal/status

        facegate attest revocation status.json --fetched-at 2026-11-24T06:00:00Z
    """
    try:
        if not show:
            if fetched_at is not None:
                data, moment = _bytes(file), _time(fetched_at)
            else:
                data, moment = _fetch(url)
            write_revocation_files(file, data, fetched_at=moment)
        held = read_revocation_files(file)
    except (OSError, ReferenceDataMalformed, ValueError, http.client.HTTPException) as error:
        typer.echo(f"{file}: {error}; the existing list is kept", err=True)
        raise typer.Exit(_FAILED) from error
    hours = (datetime.now(UTC) - held.fetched_at).total_seconds() / 3600
    typer.echo(
        f"{file}: {len(held.entries)} entries, fetched {held.fetched_at.isoformat()} ({hours:.1f} h ago)"
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


def _made(date: str | None, age: str | None, now: datetime) -> datetime:
    """Returns when the origin server sent the list: a cache may be between (headers Date and Age)."""
    try:
        moment = now if date is None else parsedate_to_datetime(date).astimezone(UTC)
        return moment - timedelta(seconds=int(age or 0))
    except (ValueError, OverflowError):
        return now


def _bytes(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(MAX_LIST_BYTES + 1)


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone; write it as 2026-11-24T06:00:00Z")
    if moment > datetime.now(UTC):
        raise ValueError(f"{text} is in the future")
    return moment

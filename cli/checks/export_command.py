"""``facegate checks export``: writes the signed archive of a check, or all data of a person."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from cli.checks.connection import (
    SERVICE,
    ApiKeyOption,
    CaOption,
    CertOption,
    Connection,
    KeyOption,
    PurposeOption,
    ServiceOption,
    call_server,
)
from cli.errors import OutputUnusable
from facegate_client import Compliance

__all__ = ["export_command"]


def export_command(
    check_id: Annotated[
        str | None,
        typer.Argument(metavar="CHECK", help="Identifier of the check; left out with --subject."),
    ] = None,
    *,
    purpose: PurposeOption,
    out: Annotated[
        Path | None, typer.Option(help="File; by default facegate-CHECK.zip.", show_default=False)
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(help="Export all data of this person instead (GDPR Article 15), by its reference."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    service: ServiceOption = SERVICE,
    api_key_file: ApiKeyOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Export the evidence of a check as one signed archive.

    The archive has the images, the record, the signed result, the public keys and a report for people.
    `facegate result verify` verifies it without this server. For example:

        facegate checks export 8366b788-9c1b-42af-b63f-d9078de4adac --purpose c-17

        facegate checks export --subject customer-4711 --purpose "letter 9"

        facegate checks export CHECK --purpose c-17 --service api.example:8444
        --ca ca.pem --api-key-file key.txt

    The exit status is 0, or 2 for an error.
    """
    if (check_id is None) == (subject is None):
        raise typer.BadParameter("give either a check or --subject", param_hint="CHECK")
    target = out or Path(f"facegate-{check_id or 'person'}.zip")
    if target.exists() and not force:
        raise typer.BadParameter(f"{target} exists; add --force, or name another file", param_hint="--out")
    connection = Connection(service=service, api_key_file=api_key_file, ca=ca, cert=cert, key=key)

    async def work(compliance: Compliance) -> int:
        if subject is not None:
            parts = compliance.export_subject(subject, purpose=purpose)
        else:
            parts = compliance.export_evidence(check_id or "", purpose=purpose)
        return await _written(parts, target)

    size = call_server(connection, work)
    messages = Console(stderr=True)
    messages.print(escape(f"saved {target} ({size:,} bytes)"), highlight=False)
    if subject is None:
        messages.print(
            escape(f"Verify it anywhere: facegate result verify {target} --jwks jwks.json"), highlight=False
        )


async def _written(parts: AsyncIterator[bytes], target: Path) -> int:
    """Writes a file from its parts; an export that fails leaves none."""
    part = target.with_name(f".{target.name}.part")
    try:
        with (
            _private(part) as file,
            Progress(
                TextColumn("Exporting"),
                BarColumn(),
                DownloadColumn(),
                console=Console(stderr=True),
                transient=True,
            ) as progress,
        ):
            task = progress.add_task("export", total=None)
            size = 0
            async for chunk in parts:
                file.write(chunk)
                size += len(chunk)
                progress.update(task, completed=size)
        part.replace(target)
    except OSError as error:
        raise OutputUnusable(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return size


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")

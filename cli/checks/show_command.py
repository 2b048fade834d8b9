"""``facegate checks show``: shows the evidence record of a check, and fetches its images with a purpose."""

import json
from pathlib import Path
from typing import Annotated

import typer
from facegate.v1 import evidence_service_pb2
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from cli.checks.connection import (
    SERVICE,
    ApiKeyOption,
    CaOption,
    CertOption,
    Connection,
    KeyOption,
    ServiceOption,
    call_server,
)
from cli.checks.views import evidence_tables
from cli.error_reporting import errors_reported
from cli.errors import OutputUnusable
from cli.options import JsonOption
from cli.verdict import verdict_view
from facegate_client import Compliance, ExportedImage

__all__ = ["show_command"]

_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/jp2": "jp2", "image/j2c": "j2c"}


def show_command(
    check_id: Annotated[str, typer.Argument(metavar="CHECK", help="Identifier of the check.")],
    *,
    images: Annotated[Path | None, typer.Option(help="Folder for the images. Needs --purpose.")] = None,
    purpose: Annotated[
        str, typer.Option(show_default=False, help="Why, for the audit log. Required for images.")
    ] = "",
    save: Annotated[
        Path | None,
        typer.Option(help="File for the signed record. `facegate result verify` verifies it."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="List each liveness signal and device test.")
    ] = False,
    as_json: JsonOption = False,
    service: ServiceOption = SERVICE,
    api_key_file: ApiKeyOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Show the evidence record of a check.

    Examples:
      facegate checks show 8366b788-9c1b-42af-b63f-d9078de4adac

      facegate checks show 8366b788-9c1b-42af-b63f-d9078de4adac --images out/ --purpose c-17

      facegate checks show CHECK --service api.example:8444
      --ca ca.pem --api-key-file key.txt

    The exit status is 0; 1 if lists state the check otherwise than its sealed record; 2 for an error.
    """
    if images is not None and not purpose.strip():
        raise typer.BadParameter("state why the images are read", param_hint="--purpose")
    connection = Connection(service=service, api_key_file=api_key_file, ca=ca, cert=cert, key=key)
    messages = Console(stderr=True)

    async def work(
        compliance: Compliance,
    ) -> tuple[evidence_service_pb2.GetEvidenceResponse, list[ExportedImage]]:
        evidence = await compliance.get_evidence(check_id, purpose=purpose)
        fetched: list[ExportedImage] = []
        if images is not None and evidence.times.HasField("images_erase_time"):
            messages.print("The images are erased, because their retention has ended; the record is kept.")
        elif images is not None:
            with Progress(console=messages, transient=True) as progress:
                fetched = [
                    await compliance.get_evidence_image(check_id, image.sha256, purpose=purpose)
                    for image in progress.track(evidence.images, description="Fetching images")
                ]
        return evidence, fetched

    evidence, fetched = call_server(connection, work)
    with errors_reported():
        saved = [] if images is None else [_save_image(images, check_id, image) for image in fetched]
        if save is not None:
            _write(save, evidence.record_jws.encode() + b"\n")
            saved.append(save)
    if as_json:
        typer.echo(json.dumps(json.loads(evidence.record_json), indent=2))
    else:
        console = Console()
        console.print(verdict_view(evidence.result, signature="not checked: --save it", verbose=verbose))
        for table in evidence_tables(evidence):
            console.print()
            console.print(table)
    for path in saved:
        messages.print(escape(f"saved {path}"), highlight=False)
    if evidence.altered_facts:
        messages.print(
            f"Altered in the database: {', '.join(evidence.altered_facts)}. Lists state them otherwise than "
            "the sealed record, which is shown here and is right. Find out who can write to the database, "
            "and restore it from a backup.",
            style="bold red",
        )
        raise typer.Exit(1)


def _save_image(folder: Path, check_id: str, image: ExportedImage) -> Path:
    facts = image.facts
    purpose = evidence_service_pb2.EvidenceImageFacts.Purpose.Name(facts.purpose)
    name = purpose.removeprefix("PURPOSE_").lower()
    extension = _EXTENSIONS.get(facts.media_type, "bin")
    path = folder / f"{check_id}-{name}-{facts.sha256.hex()[:12]}.{extension}"
    _write(path, image.content)
    return path


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise OutputUnusable(f"{path} cannot be written: {error.strerror or error}") from error

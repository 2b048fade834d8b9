"""``facegate image inspect``: shows the content of an image file as tables."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.text import Text

from cli.error_reporting import errors_reported
from cli.image.files import MOST_BYTES, read_image
from cli.image.inspection import as_json, sections
from cli.options import JsonOption
from cli.sections import section_table
from matcher import MatcherError
from matcher.records import Discrepancy, Representations, open_trusted_image
from vision.errors import VisionError

__all__ = ["inspect_command"]


def inspect_command(
    *,
    file: Annotated[Path, typer.Argument(help="PNG, JPEG, JPEG 2000, a facial record, or a DG2.")],
    as_json_text: JsonOption = False,
) -> None:
    """Show the layers of an image file, all fields in words, and discrepancies.

    The content decides the format, never the name: PNG, JPEG, JPEG 2000, ISO/IEC 19794-5:2005 and :2011 and
    ISO/IEC 39794-5 records, and the ICAO DG2 of a passport. No pixel is decoded. The exit status is 2 if the
    file is none of these. For example:

        facegate image inspect portrait.jpg

        facegate image inspect EF_DG2.bin

        facegate image inspect record.iso --json
    """
    with errors_reported(MatcherError, VisionError):
        data = read_image(file)
        content = open_trusted_image(data, representations=Representations.FIRST, max_bytes=MOST_BYTES)
    if as_json_text:
        typer.echo(json.dumps({"file": str(file)} | as_json(content, data), indent=2, ensure_ascii=False))
        return
    parts = [section_table(section) for section in sections(content, data)]
    console = Console()
    console.print(Text(str(file), style="bold"), soft_wrap=True)
    console.print(Group(*parts, *_discrepancy_lines(content.discrepancies)))


def _discrepancy_lines(found: tuple[Discrepancy, ...]) -> tuple[RenderableType, ...]:
    if not found:
        return (Text("No discrepancies.", style="green"),)
    lines = [Text(f"{len(found)} {'discrepancies' if len(found) > 1 else 'discrepancy'}:", style="yellow")]
    return (*lines, *(Text(f"  {one.kind.value}: {one.text}") for one in found))

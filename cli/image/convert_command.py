"""``facegate image convert``: converts a trusted image to another format."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from cli.error_reporting import errors_reported
from cli.errors import ConversionImpossible
from cli.image.conversion import TargetFormat, Wishes, convert, format_of, suffix_of
from cli.image.files import MOST_BYTES, read_image, write_image
from cli.image.pictures import decode_picture, eye_finder
from cli.models.options import ModelsDirOption, models_folder
from matcher import MatcherError
from matcher.records import Representations, open_trusted_image
from vision.errors import VisionError
from vision.packs import load_pack

__all__ = ["convert_command"]

_QUALITY: Final = 95


def convert_command(
    *,
    file: Annotated[
        Path, typer.Argument(metavar="IN", help="PNG, JPEG, JPEG 2000, a facial record, or a DG2.")
    ],
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="OUT",
            help="The file to write; its suffix gives the format.  [default: beside IN, named after it]",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        TargetFormat | None,
        typer.Option(
            "--to",
            help=f"{' '.join(TargetFormat)}. It takes precedence over the suffix of OUT.",
            metavar="FORMAT",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The same as OUT.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite OUT.")] = False,
    quality: Annotated[
        int,
        typer.Option(help="Quality of a JPEG, if one has to be encoded.", min=1, max=100),
    ] = _QUALITY,
    rotate: Annotated[
        int,
        typer.Option(help="Turn clockwise first. By 90, 180 or 270 degrees.", show_default=False),
    ] = 0,
    mirrored: Annotated[
        bool, typer.Option("--mirrored", help="Mirror the picture after the rotation.")
    ] = False,
    captured: Annotated[
        datetime | None,
        typer.Option(
            help="Time of capture in UTC, for a 2011 or 39794-5 record: 2026-11-20T14:00:01.",
            formats=[
                "%Y-%m-%dT%H:%M:%S",
                "%Y-%m-%dT%H:%M:%S.%f",
                "%Y-%m-%dT%H:%M:%SZ",
                "%Y-%m-%dT%H:%M:%S.%fZ",
            ],
            show_default=False,
        ),
    ] = None,
    full_frontal: Annotated[
        bool,
        typer.Option(
            "--full-frontal",
            help="Declare a full frontal picture; `facegate image check` tests whether it is one.",
        ),
    ] = False,
    pack: Annotated[
        str | None,
        typer.Option(
            help="Pack that finds the eyes. Their places go into the record. For example `embedded`."
        ),
    ] = None,
    models_dir: ModelsDirOption = None,
) -> None:
    """Convert an image into a facial record, or a record into an image.

    The bytes of the picture are kept if the format allows it; otherwise the picture is encoded again, and the
    command reports this. No file is overwritten without --force. For example:

        facegate image convert EF_DG2.bin portrait.jpg

        facegate image convert portrait.jpg --to iso2011 --pack embedded

    JPEG 2000 is decoded in an isolated process. The fields that a record has about the face are copied to the
    new record as far as its format has them. To turn an evidence frame of `facegate verify --out` into a
    record, give the --rotate and --mirrored that `facegate verify` prints:

        facegate image convert 7f3a-evidence.jpg --to iso2005 --rotate 90 --mirrored
    """
    if target is not None and out is not None:
        raise typer.BadParameter("give OUT or --out, not both", param_hint="OUT")
    target = target or out
    with errors_reported(MatcherError, VisionError):
        to = to or _stated_format(target)
        content = open_trusted_image(
            read_image(file), representations=Representations.FIRST, max_bytes=MOST_BYTES
        )
        finder = (
            None
            if pack is None or to in {TargetFormat.JPEG, TargetFormat.PNG}
            else eye_finder(load_pack(pack, models_dir=models_folder(models_dir)))
        )
        wishes = Wishes(
            form=to,
            quality=quality,
            rotate=_right_angle(rotate),
            mirrored=mirrored,
            captured=captured,
            full_frontal=full_frontal,
            find_eyes=finder,
        )
        converted = convert(content, wishes, decode=decode_picture)
        target = target or file.with_name(file.stem + suffix_of(to))
        write_image(target, converted.data, force=force)
    console = Console(highlight=False, soft_wrap=True)
    console.print(escape(f"{target}: {len(converted.data):,} bytes."))
    for note in (*converted.notes, *(f"Note: {note}." for note in content.notes)):
        console.print(escape(f"  {note}"))


def _stated_format(target: Path | None) -> TargetFormat:
    form = None if target is None else format_of(target.name)
    if form is None:
        choices = ", ".join(TargetFormat)
        name = (
            "without OUT there is no suffix" if target is None else f"the suffix of {target} states no format"
        )
        raise ConversionImpossible(
            f"{name}: give --to ({choices}), or a file that ends in {', '.join(map(suffix_of, TargetFormat))}"
        )
    return form


def _right_angle(degrees: int) -> int:
    if degrees not in {0, 90, 180, 270}:
        raise ConversionImpossible(f"--rotate is {degrees}; expected 0, 90, 180 or 270 degrees")
    return degrees

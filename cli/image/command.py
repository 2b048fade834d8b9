"""``facegate image``: inspects, tests and converts trusted images."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.chosen import chosen_pack, chosen_policy, models_folder
from cli.errors import FAILED, CommandError, FileUnusable, errors_reported
from cli.files import FOR_ALL, MOST_IMAGE_BYTES, read_image, write_file
from cli.image.inspection import as_json, sections
from cli.options import JsonOption, PackOption
from cli.shown import counted, counting, list_table, say, score_bar, score_style, section_table
from formats.image_format import ImageFormat, ImageHeader
from matcher import (
    ConversionImpossible,
    EyeFinder,
    MatcherError,
    PortraitPolicy,
    PortraitReport,
    Requirement,
    Severity,
    TargetFormat,
    TrustedImageRefused,
    Wishes,
    convert,
    examine_portrait,
    format_of,
    suffix_of,
)
from matcher.conformance import Method, remedy_for
from matcher.records import EyeCentres, Representations, open_trusted_image
from vision.errors import VisionError
from vision.face import BgrImage
from vision.image import DecodedImage, DecodeLimits, StillDecoder, decode_image
from vision.isolation.pool import DecoderPool
from vision.isolation.video import TakeFrame, VideoLimits, VideoOutline
from vision.isolation.workers import DecoderLimits
from vision.packs import Pack, load_pack

_VIDEO_LIMITS: Final = DecoderLimits(wall_seconds=300.0, cpu_seconds=60)
"""The time of a job includes the models' work on the frames, which has no limit here."""
_LIMITS: Final = DecodeLimits(max_bytes=MOST_IMAGE_BYTES, max_pixels=50_000_000, max_side=12_000)


def decode_picture(image: bytes) -> DecodedImage:
    """Decode a picture, turned upright: JPEG 2000 in an isolated process."""
    with DecodersOnDemand() as decoders:
        return decode_image(
            image,
            limits=_LIMITS,
            formats=frozenset(ImageFormat),
            honour_exif_orientation=True,
            still_decoder=decoders,
        )


class DecodersOnDemand(ExitStack):
    """Decodes JPEG 2000 and videos in isolated processes, which start with the first such file."""

    @cached_property
    def _stills(self) -> DecoderPool:
        return self.enter_context(DecoderPool())

    @cached_property
    def _videos(self) -> DecoderPool:
        pool = DecoderPool(still_workers=0, video_workers=1, limits=_VIDEO_LIMITS)
        return self.enter_context(pool)

    def decode_still(self, data: bytes, *, header: ImageHeader) -> NDArray[np.uint8]:
        """See ``vision.image.StillDecoder``."""
        return self._stills.decode_still(data, header=header)

    def stream_video(
        self, data: bytes, *, limits: VideoLimits, begin: Callable[[], TakeFrame]
    ) -> VideoOutline:
        """See ``server.analysis.video.VideoDecoder``."""
        return self._videos.stream_video(data, limits=limits, begin=begin)


def eye_finder(pack: Pack) -> EyeFinder:
    """Return a function that finds the eyes of the only face with a pack."""

    def find(image: BgrImage) -> EyeCentres:
        faces = pack.detector.detect(image)
        if len(faces) != 1:
            raise ConversionImpossible(
                f"the pack found {len(faces)} faces, but a record holds one; convert without --pack, or crop "
                "the picture first"
            )
        # Left is the image's left in a pack, and the person's left in a record.
        height, width = image.shape[:2]
        points = np.rint(faces[0].five_points[:2]).clip(0, (width - 1, height - 1))
        right, left = ((int(x), int(y)) for x, y in points)
        return EyeCentres(left=left, right=right)

    return find


class ImageFinding(StrEnum):
    """The overall finding on an image."""

    CONFORMANT = "CONFORMANT"
    """Every hard requirement is met."""
    NOT_CONFORMANT = "NOT_CONFORMANT"
    """A hard requirement is not met, or the image cannot be used at all."""
    UNDECIDED = "UNDECIDED"
    """The file or a model failed, or a hard requirement could not be assessed; a server refuses it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageResult:
    """One image, tested against a policy."""

    file: Path
    answer: ImageFinding
    report: PortraitReport | None = None
    reason: str = ""
    message: str = ""

    @property
    def why(self) -> str:
        """What refuses the image, in a few words; empty for nothing."""
        if self.report is None:
            return self.reason or self.message
        return ", ".join(each.code.value for each in self.report.requirements if each.refuses)


def assess_image(
    file: Path, *, pack: Pack, policy: PortraitPolicy, still_decoder: StillDecoder
) -> ImageResult:
    """Test one file against a policy. Report problems of the file in the return value."""
    try:
        data = read_image(file)
        report = examine_portrait(data, pack=pack, policy=policy, still_decoder=still_decoder)
    except TrustedImageRefused as refusal:
        return ImageResult(
            file=file, answer=ImageFinding.NOT_CONFORMANT, reason=refusal.reason.value, message=str(refusal)
        )
    except (FileUnusable, VisionError) as error:
        return ImageResult(file=file, answer=ImageFinding.UNDECIDED, message=str(error))
    passed = [each.passed for each in report.requirements if each.refuses]
    failed = ImageFinding.NOT_CONFORMANT if False in passed else ImageFinding.UNDECIDED
    return ImageResult(file=file, answer=failed if passed else ImageFinding.CONFORMANT, report=report)


def check_as_json(checked: ImageResult) -> Mapping[str, Any]:
    """Return the tests as values for programs."""
    values: dict[str, Any] = {"file": str(checked.file), "answer": checked.answer.value}
    report = checked.report
    if report is None:
        return values | {"reason": checked.reason or None, "message": checked.message}
    box = report.face_box
    return values | {
        "container": report.container or None,
        "media_type": report.media_type,
        "width": report.width,
        "height": report.height,
        "eye_distance_px": round(report.eye_distance_px, 2),
        "face_box": [round(side, 1) for side in (box.left, box.top, box.right, box.bottom)],
        "background_faces": report.background_faces,
        "notes": list(report.notes),
        "requirements": [_requirement_json(each) for each in report.requirements],
    }


def _requirement_json(requirement: Requirement) -> Mapping[str, Any]:
    return {
        "code": requirement.code.value,
        "clause": requirement.clause,
        "severity": requirement.severity.value,
        "passed": requirement.passed,
        "measured": requirement.measured or None,
        "value": requirement.value,
        "unit": requirement.unit or None,
        "required": requirement.required or None,
        "score": requirement.score,
        "method": None
        if requirement.score is None or requirement.method is None
        else requirement.method.value,
        "unassessed": requirement.unassessed or None,
    }


_ANSWERS: Final = {
    ImageFinding.CONFORMANT: Text("CONFORMANT", "bold green"),
    ImageFinding.NOT_CONFORMANT: Text("NOT CONFORMANT", "bold red"),
    ImageFinding.UNDECIDED: Text("UNDECIDED", "bold yellow"),
}
_CELLS: Final = 6
_APPROXIMATION: Final = "≈"
_MET, _MISSED, _REFUSED, _OPEN = "✓", "!", "✗", "·"
_LEGEND: Final = f"{_MET} met, {_MISSED} not met, {_REFUSED} image refused, {_OPEN} not assessed; bold: hard."


def checked_view(checked: ImageResult, *, demands: str) -> RenderableType:
    """Return all tests of one image."""
    title = Text.assemble(_ANSWERS[checked.answer], "  ", (str(checked.file), "bold"))
    report = checked.report
    if report is None:
        words = f"{checked.reason}: {checked.message}" if checked.reason else checked.message
        return Group(title, Text(f"  {words}", "red" if checked.reason else "yellow"))
    notes = (Text(f"  Note: {note}.", "yellow") for note in report.notes)
    return Group(
        title,
        Text(f"  {_facts(report)}"),
        Text(f"  Tested against {demands}.", "dim"),
        *notes,
        _requirement_table(report),
        *_remedies(report),
    )


def summary_view(results: Sequence[ImageResult]) -> RenderableType:
    """Return one line for each image, and the number of each outcome."""
    table = list_table("file", "answer", "why", title="Summary", whole=("answer",), box=box.SIMPLE)
    for checked in results:
        table.add_row(Text(str(checked.file)), _ANSWERS[checked.answer], Text(checked.why))
    counts = ", ".join(
        f"{sum(checked.answer is answer for checked in results)} {text.plain.lower()}"
        for answer, text in _ANSWERS.items()
    )
    return Group(table, Text(f"{counted(len(results), 'image')}: {counts}."))


def _facts(report: PortraitReport) -> str:
    came = f"{report.media_type} in {report.container}" if report.container else report.media_type
    others = f"; {report.background_faces} faces in the background" if report.background_faces else ""
    size = f"{report.width} x {report.height} pixels"
    return f"{came}, {size}, eyes {report.eye_distance_px:.0f} pixels apart{others}"


def _requirement_table(report: PortraitReport) -> Table:
    table = list_table(
        *("met", "requirement", "score", "measured"),
        whole=("met", "requirement", "score"),
        show_header=False,
        caption=f"{_LEGEND} Score: 0 to 100 of ISO/IEC 29794-5, {_APPROXIMATION} approximated.",
        caption_justify="left",
    )
    for requirement in report.requirements:
        name = Text(requirement.code.value, "bold" if requirement.severity is Severity.HARD else "")
        score = Text("")
        if requirement.score is not None:
            share = requirement.score / 100
            mark = _APPROXIMATION if requirement.method is Method.APPROXIMATION else " "
            bar = (score_bar(share, _CELLS), score_style(share))
            score = Text.assemble(bar, f" {requirement.score:3d}{mark}")
        table.add_row(_mark(requirement), name, score, _finding(requirement))
    return table


def _remedies(report: PortraitReport) -> tuple[Text, ...]:
    """A sentence for each requirement that is not met, with the measurement behind it."""
    missed = [requirement for requirement in report.requirements if requirement.passed is False]
    if not missed:
        return ()
    lines = [
        Text.assemble(
            "  ",
            _mark(requirement),
            f" {remedy_for(requirement.code, requirement.measured)} ",
            (f"({requirement.code} {_short(requirement.measured)}; {_short(requirement.required)})", "dim"),
        )
        for requirement in missed
    ]
    return (Text("Remedies:", "bold"), *lines)


def _mark(requirement: Requirement) -> Text:
    if requirement.passed:
        return Text(_MET, "green")
    if requirement.refuses:
        return Text(_REFUSED, "bold red")
    return Text(_OPEN, "dim") if requirement.passed is None else Text(_MISSED, "yellow")


def _finding(requirement: Requirement) -> Text:
    hard = " (hard)" if requirement.severity is Severity.HARD else ""
    if requirement.passed is None:
        return Text(f"not assessed{hard}: {requirement.unassessed}", "bold yellow" if hard else "dim")
    style = "" if requirement.passed else "bold red" if hard else "yellow"
    return Text.assemble(
        (_short(requirement.measured), style), (f"; {_short(requirement.required)}{hard}", "dim")
    )


def _short(words: str) -> str:
    return words.replace(" fraction", "").replace("score at least", "score ≥")


_NOT_CONFORMANT: Final = 1


def check_command(
    *,
    files: Annotated[
        list[Path], typer.Argument(help="Images to test. PNG, JPEG, JPEG 2000, facial records, or DG2s.")
    ],
    pack: PackOption = None,
    policy: Annotated[
        str | None,
        typer.Option(
            help="Policy. Its name, or a policy file (TOML); by default that of the settings file, or "
            "`standard`.",
            metavar="NAME|FILE",
            show_default=False,
        ),
    ] = None,
    as_json_text: JsonOption = False,
) -> None:
    """Test images against a policy's requirements for a trusted image.

    The tests are those of a server with this policy. Each requirement is shown with its measurement, the
    required value and, if ISO/IEC 29794-5 defines one, a score from 0 to 100. Hard requirements decide; the
    others are advice. The exit status is 0 if every image is conformant, 1 if one is not, and 2 if one could
    not be decided: the file or a model failed, or a hard requirement could not be assessed. For example:

        facegate image check portrait.jpg

        facegate image check record.iso EF_DG2.bin --pack open --policy high

        facegate image check photos/*.jpg --policy ./passport.toml --json
    """
    with errors_reported(MatcherError, VisionError):
        chosen = chosen_policy(policy)
        demands = chosen.portrait.as_policy()
        loaded = load_pack(chosen_pack(pack), models_dir=models_folder())
        shortfall = demands.shortfall(None if loaded.landmarker is None else loaded.landmarker.scheme)
        if shortfall is not None:
            raise CommandError(
                f"the policy {chosen.name} cannot be met by the pack {loaded.name}: {shortfall}. Choose "
                "another pack, or make these advisory in the policy."
            )
    results = _checked(files, pack=loaded, policy=demands, quiet=as_json_text)
    if as_json_text:
        typer.echo(json.dumps([check_as_json(checked) for checked in results], indent=2, ensure_ascii=False))
    else:
        console = Console()
        tested = f"the policy {chosen.name} (profile {demands.profile}), pack {loaded.name}"
        for checked in results:
            console.print(checked_view(checked, demands=tested))
        if len(results) > 1:
            console.print(summary_view(results))
    answers = {checked.answer for checked in results}
    if ImageFinding.UNDECIDED in answers:
        raise typer.Exit(FAILED)
    raise typer.Exit(_NOT_CONFORMANT if ImageFinding.NOT_CONFORMANT in answers else 0)


def _checked(
    files: Sequence[Path], *, pack: Pack, policy: PortraitPolicy, quiet: bool
) -> tuple[ImageResult, ...]:
    results = []
    with (
        counting("checking {task.description}", hidden=quiet or len(files) == 1) as progress,
        DecodersOnDemand() as decoders,
    ):
        task = progress.add_task("", total=len(files))
        for file in files:
            progress.update(task, description=file.name)
            results.append(assess_image(file, pack=pack, policy=policy, still_decoder=decoders))
            progress.advance(task)
    return tuple(results)


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
    pack: Annotated[
        str | None,
        typer.Option(
            help="Pack that finds the eyes. Their places go into the record. For example `embedded`."
        ),
    ] = None,
) -> None:
    """Convert an image into a facial record, or a record into an image.

    The bytes of the picture are kept if the format allows it; otherwise the picture is encoded again, and the
    command reports this. No file is overwritten. For example:

        facegate image convert EF_DG2.bin portrait.jpg

        facegate image convert portrait.jpg --to iso2011 --pack embedded

    JPEG 2000 is decoded in an isolated process. The fields that a record has about the face are copied to the
    new record as far as its format has them. To turn an evidence frame of `facegate verify --out` into a
    record, give the --rotate and --mirrored that `facegate verify` prints:

        facegate image convert 7f3a-evidence.jpg --to iso2005 --rotate 90 --mirrored
    """
    with errors_reported(MatcherError, VisionError):
        to = to or _stated_format(target)
        content = open_trusted_image(
            read_image(file), representations=Representations.FIRST, max_bytes=MOST_IMAGE_BYTES
        )
        finder = (
            None
            if pack is None or to in {TargetFormat.JPEG, TargetFormat.PNG}
            else eye_finder(load_pack(pack, models_dir=models_folder()))
        )
        if rotate not in {0, 90, 180, 270}:
            raise ConversionImpossible(f"--rotate is {rotate}; expected 0, 90, 180 or 270 degrees")
        wishes = Wishes(
            form=to,
            quality=_QUALITY,
            rotate=rotate,
            mirrored=mirrored,
            captured=captured,
            find_eyes=finder,
        )
        converted = convert(content, wishes, decode=decode_picture)
        target = target or file.with_name(file.stem + suffix_of(to))
        write_file(target, converted.data, mode=FOR_ALL)
    say(f"{target}: {len(converted.data):,} bytes.")
    for note in (*converted.notes, *(f"Note: {note}." for note in content.notes)):
        say(f"  {note}")


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
        content = open_trusted_image(data, representations=Representations.FIRST, max_bytes=MOST_IMAGE_BYTES)
    if as_json_text:
        typer.echo(json.dumps({"file": str(file)} | as_json(content, data), indent=2, ensure_ascii=False))
        return
    console = Console()
    console.print(Text(str(file), style="bold"), soft_wrap=True)
    console.print(Group(*map(section_table, sections(content, data))))
    if found := content.discrepancies:
        console.print(Text(f"{len(found)} {'discrepancies' if len(found) > 1 else 'discrepancy'}:", "yellow"))
        for one in found:
            console.print(Text(f"  {one.kind.value}: {one.text}"))
    else:
        console.print(Text("No discrepancies.", "green"))
        console.print(
            Text("The pixels were not decoded: facegate image check tells whether any are missing.")
        )


app = typer.Typer(help="Inspect, test and convert trusted images.", no_args_is_help=True)
app.command("inspect")(inspect_command)
app.command("check")(check_command)
app.command("convert")(convert_command)

"""The tests of trusted images as tables, with small bars for the scores."""

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.image.checking import ImageFinding, ImageResult
from matcher import PortraitReport, Requirement, Severity
from matcher.conformance import Method, remedy_for

__all__ = ["checked_view", "summary_view"]

_ANSWERS: Final = {
    ImageFinding.CONFORMANT: Text("CONFORMANT", "bold green"),
    ImageFinding.NOT_CONFORMANT: Text("NOT CONFORMANT", "bold red"),
    ImageFinding.UNDECIDED: Text("UNDECIDED", "bold yellow"),
}
_CELLS: Final = 6
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_GOOD, _FAIR = 70, 50
_APPROXIMATION: Final = "≈"
_MET, _MISSED, _REFUSED, _OPEN = "✓", "!", "✗", "·"
_LEGEND: Final = f"{_MET} met, {_MISSED} not met, {_REFUSED} image refused, {_OPEN} not assessed; bold: hard."


def checked_view(checked: ImageResult, *, demands: str) -> RenderableType:
    """Returns all tests of one image.

    Args:
        checked: The image.
        demands: Name of the requirements, in words.
    """
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
        _table(report),
        *_remedies(report),
    )


def summary_view(results: Sequence[ImageResult]) -> RenderableType:
    """Returns one line for each image, and the number of each outcome."""
    table = Table(title="Summary", title_justify="left", title_style="bold", box=box.SIMPLE, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("answer", no_wrap=True)
    table.add_column("why", overflow="fold")
    for checked in results:
        table.add_row(Text(str(checked.file)), _ANSWERS[checked.answer], Text(_why(checked)))
    counts = ", ".join(
        f"{sum(checked.answer is answer for checked in results)} {text.plain.lower()}"
        for answer, text in _ANSWERS.items()
    )
    return Group(table, Text(f"{len(results)} images: {counts}."))


def _why(checked: ImageResult) -> str:
    if checked.report is None:
        return checked.reason or checked.message
    return ", ".join(each.code.value for each in checked.shortfalls)


def _facts(report: PortraitReport) -> str:
    came = f"{report.media_type} in {report.container}" if report.container else report.media_type
    others = f"; {report.background_faces} faces in the background" if report.background_faces else ""
    size = f"{report.width} x {report.height} pixels"
    return f"{came}, {size}, eyes {report.eye_distance_px:.0f} pixels apart{others}"


def _table(report: PortraitReport) -> Table:
    table = Table(
        box=None,
        show_header=False,
        pad_edge=False,
        caption=f"{_LEGEND} Score: 0 to 100 of ISO/IEC 29794-5, {_APPROXIMATION} approximated.",
        caption_justify="left",
    )
    table.add_column("met", no_wrap=True)
    table.add_column("requirement", no_wrap=True)
    table.add_column("score", no_wrap=True)
    table.add_column("measured")
    for requirement in report.requirements:
        name = Text(requirement.code.value, "bold" if requirement.severity is Severity.HARD else "")
        table.add_row(_mark(requirement), name, _score(requirement), _finding(requirement))
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


def _score(requirement: Requirement) -> Text:
    score = requirement.score
    if score is None:
        return Text("")
    style = "green" if score >= _GOOD else "yellow" if score >= _FAIR else "red"
    eighths = round(score / 100 * _CELLS * 8)
    bar = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    mark = _APPROXIMATION if requirement.method is Method.APPROXIMATION else " "
    return Text.assemble((bar.ljust(_CELLS), style), f" {score:3d}{mark}")

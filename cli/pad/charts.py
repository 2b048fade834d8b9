"""The charts of a report on presentation attack detection, and its sheets of errors."""

from collections.abc import Iterator
from typing import Final

from cli.report import Chart
from evaluation.pad import (
    PackReport,
    PadReport,
    ScorerKind,
    ScoreRun,
    SetReport,
    det_chart,
    histogram_chart,
    mistakes_sheet,
    worst_mistakes,
)

__all__ = ["draw_charts", "draw_mistakes"]

_DET: Final = (
    "DET curves: BPCER over APCER of all attacks with an instrument. A curve ends where the number of "
    "attacks supports no lower APCER; a rate of 0 is drawn at the lower edge."
)
_SCORES: Final = "Scores of bona fide presentations and of each species, each of area 1."


def draw_charts(report: PadReport) -> Iterator[Chart]:
    """Yield the charts of every pack and set.

    Raises:
        FiguresUnavailable: The extra for charts is not installed.
    """
    for pack, each in _measured(report):
        suffix, at = _suffix(pack, each), f"{pack.name}, {each.material.name}"
        det = det_chart(each.results, title=f"BPCER over APCER: {at}")
        yield Chart(name=f"det_{suffix}", png=det, caption=f"{_DET} ({at})")
        scores = histogram_chart(each.runs, title=f"Scores: {at}")
        yield Chart(name=f"scores_{suffix}", png=scores, caption=f"{_SCORES} ({at})")


def draw_mistakes(report: PadReport) -> Iterator[tuple[str, bytes]]:
    """Yield sheets of the worst errors, which show persons: file names and JPEGs."""
    for pack, each in _measured(report):
        sheet = mistakes_sheet(worst_mistakes(_judged(each)))
        if sheet is not None:
            yield f"mistakes_{_suffix(pack, each)}.jpg", sheet


def _measured(report: PadReport) -> Iterator[tuple[PackReport, SetReport]]:
    return ((pack, each) for pack in report.packs for each in pack.sets if each.runs)


def _judged(each: SetReport) -> ScoreRun:
    """Return the run of the fusion if it responded, else that of the last scorer."""
    found = [run for run in each.runs if run.scorer.kind is ScorerKind.FUSION and run.answered.any()]
    return found[-1] if found else each.runs[-1]


def _suffix(pack: PackReport, each: SetReport) -> str:
    plain = "".join(letter if letter.isalnum() else "-" for letter in pack.name).strip("-")
    return f"{plain}_{each.material.name}"

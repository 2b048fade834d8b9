"""The charts of a report on matching."""

from collections.abc import Iterator
from typing import Final

from cli.report import Chart
from evaluation.match import MatchReport, det_chart, histogram_chart

__all__ = ["draw_charts"]

_DET: Final = (
    "DET curves: FNMR over FMR; the thin lines are the upper ends of the intervals of FNMR. A curve ends "
    "where the number of persons supports no lower FMR. A rate of 0 is drawn at the lower edge."
)
_SCORES: Final = (
    "Scores of genuine and of impostor comparisons, each of area 1; the dotted lines are the thresholds with "
    "their bounds on FMR."
)


def draw_charts(report: MatchReport) -> Iterator[Chart]:
    """Yield the charts of every set.

    Raises:
        FiguresUnavailable: The extra for charts is not installed.
    """
    first, *_ = report.set_names()
    for name in report.set_names():
        series = report.of_set(name)
        suffix, said = ("", "") if name == first else (f"_{name}", f" Photos measured {name}.")
        det = det_chart(series, title="FNMR over FMR")
        yield Chart(name=f"det{suffix}", png=det, caption=_DET + said)
        scores = histogram_chart(series, title="Scores and thresholds")
        yield Chart(name=f"scores{suffix}", png=scores, caption=_SCORES + said)

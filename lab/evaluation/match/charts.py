"""The charts of a report on matching: DET curves and histograms as PNG, by the extra ``evaluation``."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lab.evaluation.document import Chart
from lab.evaluation.drawing import COLOURS, STYLES, finish_rates, new_figure, png
from lab.evaluation.match.evaluation import SetResult
from lab.evaluation.match.report import MatchReport, histogram_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DET: Final = (
    "DET curves: FNMR over FMR; the thin lines are the upper ends of the intervals of FNMR. A curve ends "
    "where the number of persons supports no lower FMR. A rate of 0 is drawn at the lower edge."
)
_SCORES: Final = (
    "Scores of genuine and of impostor comparisons, each of area 1; the dotted lines are the thresholds with "
    "their bounds on FMR."
)


def draw_charts(report: MatchReport) -> Iterator[Chart]:
    """Yield the charts of every set."""
    first, *_ = report.set_names()
    for name in report.set_names():
        series = report.of_set(name)
        suffix, said = ("", "") if name == first else (f"_{name}", f" Photos measured {name}.")
        det = det_chart(series, title="FNMR over FMR")
        yield Chart(name=f"det{suffix}", png=det, caption=_DET + said)
        scores = histogram_chart(series, title="Scores and thresholds")
        yield Chart(name=f"scores{suffix}", png=scores, caption=_SCORES + said)


_GENUINE, _IMPOSTOR = "#0072b2", "#d55e00"
_QUIET: Final = "#666666"


def det_chart(series: Sequence[tuple[str, SetResult]], *, title: str) -> bytes:
    """Draw a DET plot (ISO/IEC 19795-1): FNMR over FMR, both on logarithmic axes.

    A curve ends on the left at the lowest bound on FMR that the data support. The thin line of its colour is
    the upper end of the interval of FNMR. A rate of 0 is drawn at the lower edge.

    Args:
        series: A name and the result of one pack each.

    Returns:
        A PNG file.
    """
    figure = new_figure(7.2, 5.0)
    axes = figure.add_subplot()
    with_fnmr = [(name, result) for name, result in series if result.fnmr is not None]
    floor = min(
        (0.5 / result.fnmr.comparisons for _, result in with_fnmr if result.fnmr is not None), default=1e-3
    )
    left = min((float(result.fmr.upper_bounds[-1]) for _, result in with_fnmr), default=1e-3)
    for number, (name, result) in enumerate(with_fnmr):
        _det_curve(axes, result, name=name, number=number, floor=floor)
    finish_rates(
        axes,
        title=title,
        labels=("FMR (false match rate)", "FNMR (false non-match rate)"),
        left=left,
        floor=floor,
        legend="upper right",
        empty="" if with_fnmr else "no genuine comparison",
    )
    return png(figure)


def histogram_chart(series: Sequence[tuple[str, SetResult]], *, title: str) -> bytes:
    """Draw the cosines of genuine and of impostor comparisons, one panel per pack.

    The area of each kind is 1. Dotted lines are thresholds, with the bound on FMR that each has.

    Args:
        series: A name and the result of one pack each; at least one.

    Returns:
        A PNG file.
    """
    figure = new_figure(7.2, 1.2 + 2.2 * len(series))
    panels = figure.subplots(len(series), 1, squeeze=False)[:, 0]
    for axes, (name, result) in zip(panels, series, strict=True):
        edges, genuine, impostors = histogram_counts(result)
        for counts, colour, kind in ((impostors, _IMPOSTOR, "impostor"), (genuine, _GENUINE, "genuine")):
            total = int(counts.sum())
            if total:
                share = counts / (total * np.diff(edges))
                axes.stairs(share, edges, fill=True, color=colour, alpha=0.45, label=f"{kind}, {total:,}")
        for point in result.supported:
            axes.axvline(point.bounded.threshold, color=_QUIET, linestyle=":", linewidth=1.0)
            axes.annotate(
                f"{point.target:g}",
                (point.bounded.threshold, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(2, -9),
                textcoords="offset points",
                fontsize=8,
                color=_QUIET,
            )
        axes.set(title=name, yticks=[])
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
        axes.spines[["top", "right", "left"]].set_visible(False)
    panels[-1].set_xlabel("cosine similarity")
    figure.suptitle(title)
    return png(figure)


def _det_curve(axes: "Axes", result: SetResult, *, name: str, number: int, floor: float) -> None:
    if result.fnmr is None:
        return
    fmr, fnmr = result.fmr, result.fnmr
    kept = fmr.rates >= fmr.upper_bounds[-1]
    colour, style = COLOURS[number % len(COLOURS)], STYLES[number % len(STYLES)]
    drawn: dict[str, Any] = {"color": colour, "linestyle": style, "linewidth": 1.8}
    axes.plot(fmr.rates[kept], np.maximum(fnmr.rates[kept], floor), label=name, **drawn)
    axes.plot(fmr.rates[kept], fnmr.upper[kept], **{**drawn, "linewidth": 0.7})

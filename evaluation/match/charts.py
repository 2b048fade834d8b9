"""Draws DET curves and score histograms as PNG files; needs the extra ``evaluation``, for matplotlib."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from evaluation.figures import COLOURS, STYLES, new_figure, png
from evaluation.match.evaluation import SetResult
from evaluation.match.impostor_scores import THRESHOLDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["det_chart", "histogram_chart", "histogram_counts"]

_BINS: Final = 60
_GENUINE, _IMPOSTOR = "#0072b2", "#d55e00"
_QUIET: Final = "#666666"


def det_chart(series: Sequence[tuple[str, SetResult]], *, title: str) -> bytes:
    """Draw a DET plot (ISO/IEC 19795-1): FNMR over FMR, both on logarithmic axes.

    A curve ends on the left at the lowest bound on FMR that the data support. The thin line of its colour is
    the upper end of the interval of FNMR. A rate of 0 is drawn at the lower edge.

    Args:
        series: A name and the result of one pack each.
        title: Title of the chart.

    Returns:
        A PNG file.

    Raises:
        FiguresUnavailable: The extra is not installed.
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
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(left, 1.0),
        ylim=(0.9 * floor, 1.0),
        xlabel="FMR (false match rate)",
        ylabel="FNMR (false non-match rate)",
        title=title,
    )
    axes.grid(visible=True, which="major", color="#dddddd")
    if with_fnmr:
        axes.legend(loc="upper right", frameon=False)
    else:
        axes.text(0.5, 0.5, "no genuine comparison", ha="center", transform=axes.transAxes, color=_QUIET)
    return png(figure)


def histogram_chart(series: Sequence[tuple[str, SetResult]], *, title: str) -> bytes:
    """Draw the cosines of genuine and of impostor comparisons, one panel per pack.

    The area of each kind is 1. Dotted lines are thresholds, with the bound on FMR that each has.

    Args:
        series: A name and the result of one pack each; at least one.
        title: Title of the chart.

    Returns:
        A PNG file.

    Raises:
        FiguresUnavailable: The extra is not installed.
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


def histogram_counts(
    result: SetResult,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the edges of the bins, (61,), and the genuine and impostor comparisons in them, (60,) each."""
    genuine, impostors = result.comparisons.counts()
    reached = np.flatnonzero(genuine + impostors)
    # A cosine that reaches n thresholds lies between threshold n - 1 and the next.
    low, high = THRESHOLDS[reached[0] - 1], THRESHOLDS[min(reached[-1], THRESHOLDS.size - 1)]
    edges = np.linspace(low, high, _BINS + 1)
    middle = THRESHOLDS[:-1] + np.diff(THRESHOLDS) / 2
    one, other = (np.histogram(middle, edges, weights=kind[1:-1])[0] for kind in (genuine, impostors))
    return edges, one.astype(np.int64), other.astype(np.int64)


def _det_curve(axes: "Axes", result: SetResult, *, name: str, number: int, floor: float) -> None:
    if result.fnmr is None:
        return
    fmr, fnmr = result.fmr, result.fnmr
    kept = fmr.rates >= fmr.upper_bounds[-1]
    colour, style = COLOURS[number % len(COLOURS)], STYLES[number % len(STYLES)]
    drawn: dict[str, Any] = {"color": colour, "linestyle": style, "linewidth": 1.8}
    axes.plot(fmr.rates[kept], np.maximum(fnmr.rates[kept], floor), label=name, **drawn)
    axes.plot(fmr.rates[kept], fnmr.upper[kept], **{**drawn, "linewidth": 0.7})

"""Draws DET curves and score histograms as PNG files; needs the extra ``evaluation``, for matplotlib."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from evaluation.figures import COLOURS, STYLES, new_figure, png
from evaluation.pad.evaluation import ScorerResult
from evaluation.pad.runs import ScoreRun

__all__ = ["det_chart", "histogram_chart"]

_BINS: Final = 40
_LIVE: Final = "#0072b2"
_ATTACKS: Final = ("#d55e00", "#009e73", "#cc79a7", "#e69f00", "#000000")
_QUIET: Final = "#666666"


def det_chart(results: Sequence[ScorerResult], *, title: str) -> bytes:
    """Draw a DET plot (ISO/IEC 30107-3): BPCER over APCER of all attacks with an instrument, log axes.

    A curve ends on the left at 3/n, the lowest APCER that n attacks support. A rate of 0 is drawn at the
    lower edge.

    Args:
        results: One result per scorer; those without a curve are omitted.
        title: Title of the chart.

    Returns:
        A PNG file.

    Raises:
        FiguresUnavailable: The extra is not installed.
    """
    figure = new_figure(7.2, 5.0)
    axes = figure.add_subplot()
    with_curve = [(result, result.curve) for result in results if result.curve is not None]
    left = min((3.0 / max(1, result.attacks) for result, _ in with_curve), default=1e-2)
    floor = min((0.5 / max(1, result.live) for result, _ in with_curve), default=1e-2)
    for number, (result, curve) in enumerate(with_curve):
        kept = curve.apcer >= 3.0 / max(1, result.attacks)
        axes.step(
            curve.apcer[kept],
            np.maximum(curve.bpcer[kept], floor),
            label=result.scorer.name,
            color=COLOURS[number % len(COLOURS)],
            linestyle=STYLES[number % len(STYLES)],
            linewidth=1.8,
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(min(left, 0.5), 1.0),
        ylim=(0.9 * floor, 1.0),
        xlabel="APCER (attacks accepted)",
        ylabel="BPCER (bona fide not accepted)",
        title=title,
    )
    axes.grid(visible=True, which="major", color="#dddddd")
    if with_curve:
        axes.legend(loc="lower left", frameon=False)
    else:
        axes.text(0.5, 0.5, "nothing to compare", ha="center", transform=axes.transAxes, color=_QUIET)
    return png(figure)


def histogram_chart(runs: Sequence[ScoreRun], *, title: str) -> bytes:
    """Draw the scores of bona fide presentations and of each species, one panel per scorer, each of area 1.

    Args:
        runs: At least one run.
        title: Title of the chart.

    Returns:
        A PNG file.

    Raises:
        FiguresUnavailable: The extra is not installed.
    """
    figure = new_figure(7.2, 1.2 + 1.9 * len(runs))
    panels = figure.subplots(len(runs), 1, squeeze=False)[:, 0]
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    for axes, run in zip(panels, runs, strict=True):
        species = run.species_masks(injected=False) | run.species_masks(injected=True)
        kinds = [("bona fide", run.live, _LIVE)]
        kinds += [
            (name, mask, _ATTACKS[number % len(_ATTACKS)])
            for number, (name, mask) in enumerate(species.items())
        ]
        for number, (name, mask, colour) in enumerate(kinds):
            scores = run.scores[mask & run.answered]
            if scores.size:
                share = np.histogram(scores, edges)[0] / (scores.size * np.diff(edges))
                label = f"{name}, {scores.size:,}"
                if number:
                    axes.stairs(share, edges, color=colour, linewidth=1.4, label=label)
                else:
                    axes.stairs(share, edges, fill=True, color=colour, alpha=0.35, label=label)
        axes.set(title=run.scorer.name, yticks=[], xlim=(0.0, 1.0))
        if run.answered.any():
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
        axes.spines[["top", "right", "left"]].set_visible(False)
    panels[-1].set_xlabel("score, 1 is live")
    figure.suptitle(title)
    return png(figure)

"""The drawings of a report on presentation attack detection: DET curves and histograms as PNG, worst errors.

They need the extra ``evaluation``. Only the sheets of errors show persons.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from lab.evaluation.document import Chart
from lab.evaluation.drawing import COLOURS, STYLES, finish_rates, new_figure, png
from lab.evaluation.pad.evaluation import ScorerResult
from lab.evaluation.pad.mistakes import mistakes_sheet, worst_mistakes
from lab.evaluation.pad.report import PackReport, PadReport, SetReport
from lab.evaluation.pad.runs import ScorerKind, ScoreRun

_DET_CHART: Final = (
    "DET curves: BPCER over APCER of all attacks with an instrument. A curve ends where the number of "
    "attacks supports no lower APCER; a rate of 0 is drawn at the lower edge."
)
_SCORE_CHART: Final = "Scores of bona fide presentations and of each species, each of area 1."


def draw_charts(report: PadReport) -> Iterator[Chart]:
    """Yield the charts of every pack and set."""
    for pack, each in _measured(report):
        suffix, at = _suffix(pack, each), f"{pack.name}, {each.material.name}"
        det = det_chart(each.results, title=f"BPCER over APCER: {at}")
        yield Chart(name=f"det_{suffix}", png=det, caption=f"{_DET_CHART} ({at})")
        scores = histogram_chart(each.runs, title=f"Scores: {at}")
        yield Chart(name=f"scores_{suffix}", png=scores, caption=f"{_SCORE_CHART} ({at})")


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


_BINS: Final = 40
_LIVE: Final = "#0072b2"
_ATTACKS: Final = ("#d55e00", "#009e73", "#cc79a7", "#e69f00", "#000000")


def det_chart(results: Sequence[ScorerResult], *, title: str) -> bytes:
    """Draw a DET plot (ISO/IEC 30107-3): BPCER over APCER of all attacks with an instrument, log axes.

    A curve ends on the left at 3/n, the lowest APCER that n attacks support. A rate of 0 is drawn at the
    lower edge.

    Args:
        results: One result per scorer; those without a curve are omitted.

    Returns:
        A PNG file.
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
    finish_rates(
        axes,
        title=title,
        labels=("APCER (attacks accepted)", "BPCER (bona fide not accepted)"),
        left=min(left, 0.5),
        floor=floor,
        legend="lower left",
        empty="" if with_curve else "nothing to compare",
    )
    return png(figure)


def histogram_chart(runs: Sequence[ScoreRun], *, title: str) -> bytes:
    """Draw the scores of bona fide presentations and of each species, one panel per scorer, each of area 1.

    Args:
        runs: At least one run.

    Returns:
        A PNG file.
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

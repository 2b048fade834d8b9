"""Draws charts of measured scans as PNG with matplotlib (``evaluation.figures``)."""

from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.figures import COLOURS, STYLES, new_figure, png
from research.dynamic.cases import LATENCIES, LYING_LATENCIES, QUALITIES, Group
from research.dynamic.rows import Row
from research.dynamic.tables import inconclusive, spoofed, succeeded
from simulator import AmbientPreset, FlashKind

__all__ = ["all_charts"]

_OUTCOMES = (
    ("SUCCESS", succeeded, COLOURS[2]),
    ("INCONCLUSIVE", inconclusive, "#bbbbbb"),
    ("SPOOF", spoofed, COLOURS[1]),
)


def all_charts(rows: Sequence[Row]) -> Mapping[str, bytes]:
    """Return the charts as PNG files, by file name. A chart without scans in ``rows`` is omitted.

    Args:
        rows: The measured scans.

    Raises:
        FiguresUnavailable: The extra ``figures`` is not installed.
    """
    charts = {}
    genuine = [row for row in rows if row.group == Group.GENUINE]
    attacks = [row for row in rows if row.group == Group.ATTACK]
    relit = [row for row in rows if row.group == Group.RELIGHTING]
    if genuine:
        parts = {name: [row for row in genuine if row.ambient == name] for name in map(str, AmbientPreset)}
        charts["genuine.png"] = _outcomes("Genuine persons (simulation), flash alone", parts)
        charts["seconds.png"] = _times(parts)
    if attacks:
        parts = {name: [row for row in attacks if row.kind == name] for name in map(str, FlashKind)}
        charts["attacks.png"] = _outcomes("Attackers, dark to office (simulation), flash alone", parts)
    if true := [row for row in relit if not row.lying]:
        charts["relighting.png"] = _curve(true, LATENCIES, "true times claimed")
    if lying := [row for row in relit if row.lying]:
        charts["relighting_lying.png"] = _curve(lying, LYING_LATENCIES, "punctual times claimed")
    return charts


def _outcomes(title: str, parts: Mapping[str, Sequence[Row]]) -> bytes:
    filled = {name: part for name, part in parts.items() if part}
    figure = new_figure(7.2, 0.8 + 0.42 * len(filled))
    axes = figure.add_subplot()
    left = np.zeros(len(filled))
    labels = [f"{name} ({len(part)})" for name, part in filled.items()]
    for outcome, counts, colour in _OUTCOMES:
        shares = np.array([100 * sum(map(counts, part)) / len(part) for part in filled.values()])
        axes.barh(labels, shares, left=left, color=colour, label=outcome)
        left += shares
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of scans")
    axes.set_title(title)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return png(figure)


def _times(parts: Mapping[str, Sequence[Row]]) -> bytes:
    figure = new_figure(7.2, 3.6)
    axes = figure.add_subplot()
    for number, (name, part) in enumerate(parts.items()):
        took = sorted(row.seconds for row in part if row.seconds is not None and succeeded(row))
        if took:
            shares = 100 * np.arange(1, len(took) + 1) / len(took)
            axes.step(
                took, shares, where="post", color=COLOURS[number], linestyle=STYLES[number % 4], label=name
            )
    axes.axvline(6.0, color="#666666", linewidth=0.8)
    axes.set_ylim(0, 103)
    axes.set_xlabel("seconds from the first well-placed frame to the end")
    axes.set_ylabel("% of scans with SUCCESS")
    axes.set_title("How long scans take (simulation)")
    axes.legend(frameon=False)
    return png(figure)


def _curve(rows: Sequence[Row], latencies: Sequence[float], claims: str) -> bytes:
    figure = new_figure(7.2, 3.6)
    axes = figure.add_subplot()
    for number, quality in enumerate(QUALITIES):
        points = [
            (latency, [row for row in rows if row.latency == latency and row.quality == quality])
            for latency in latencies
        ]
        filled = [(latency, 100 * sum(map(succeeded, part)) / len(part)) for latency, part in points if part]
        axes.plot(
            [latency for latency, _ in filled],
            [share for _, share in filled],
            color=COLOURS[number],
            linestyle=STYLES[number],
            marker="o",
            label=quality,
        )
    axes.set_ylim(-3, 103)
    axes.set_xlabel("latency of relighting, seconds")
    axes.set_ylabel("% SUCCESS")
    axes.set_title(f"Relighting in real time, {claims} (simulation), flash alone")
    axes.legend(frameon=False)
    return png(figure)

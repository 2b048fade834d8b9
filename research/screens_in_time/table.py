"""Compares screens with live clips: ``python -m research.screens_in_time.table SCANS [--rows ROWS]``.

Prints, for each cue of ``measure``, how it separates recorded screens from live clips, and drawn traces from
the scans that they were drawn into. With rows of ``research.liveness_fusion.measure`` it also prints what
each cue adds to the fusion of the three public networks (pack ``open``), and to that of Facegate's own (pack
``embedded``), with every source left out.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from evaluation.binomial import proportion
from liveness import load_fusion_model
from liveness.errors import FusionModelError
from research.liveness_fairness.compare import holm
from research.liveness_fusion.parts import OWN, PUBLIC
from research.liveness_fusion.rows import RowsUnusable, read_rows
from research.screens_in_time.added import AddedCues, Decision, added, decided_without_source, reach
from research.screens_in_time.cues import CUES
from research.screens_in_time.drawn import TRACES
from research.screens_in_time.scans import UNDRAWN, Scan, ScansUnusable, read_scans
from research.screens_in_time.separation import separation

__all__ = ["main"]

_WIDTH = 170


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, or 2 with one line on stderr if the files cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m research.screens_in_time.table")
    parser.add_argument("scans", type=Path, help="file of research.screens_in_time.measure")
    parser.add_argument(
        "--rows", type=Path, nargs="*", default=[], help="of research.liveness_fusion.measure"
    )
    options = parser.parse_args(arguments)
    console = Console(width=_WIDTH)
    try:
        scans = read_scans(options.scans)
        rows = [row for path in options.rows for row in read_rows(path)]
        base = load_fusion_model()
    except (ScansUnusable, RowsUnusable, FusionModelError, OSError) as error:
        sys.stderr.write(f"could not compare: {error}\n")
        return 2
    recorded = [scan for scan in scans if not scan.trace]
    console.print(_recorded_table(recorded))
    console.print(_drawn_table(scans))
    for title, networks in (("open", frozenset(PUBLIC)), ("embedded", frozenset({OWN}))):
        decisions = decided_without_source(rows, base, networks)
        if decisions:
            console.print(_fusion_table(title, decisions, recorded))
    return 0


def _recorded_table(scans: Sequence[Scan]) -> Table:
    live = sum(scan.live for scan in scans)
    table = Table(
        "cue",
        "clips: live, screens",
        "AUC over scans (above 0.5: higher on screens)",
        "p",
        "adjusted p",
        "higher on the screen, of sources with both",
        "left out: screens found",
        "live beyond the line",
        title=f"recorded: {live} live scans, {len(scans) - live} scans of screens",
    )
    rows = [(cue, found) for cue in CUES if (found := separation(scans, cue)) is not None]
    for (cue, found), adjusted in zip(rows, holm([found.p for _, found in rows]), strict=True):
        table.add_row(
            cue,
            f"{found.live}, {found.screens}",
            _curve(found.auc, found.bounds),
            f"{found.p:.3f}",
            f"{adjusted:.3f}",
            f"{found.pairs[1]} of {found.pairs[0]}",
            _bounded(found.found, found.screens),
            _bounded(found.alarms, found.live),
        )
    return table


def _drawn_table(scans: Sequence[Scan]) -> Table:
    table = Table(
        "trace",
        "strength",
        "cue",
        "encoded as",
        "clips",
        "AUC",
        "left out: found",
        "live beyond the line",
        title="drawn into live clips, against the same clips",
    )
    for name, trace in TRACES.items():
        for strength in trace.strengths:
            for stored in (False, True):
                drawn = [
                    scan
                    for scan in scans
                    if (scan.trace, scan.strength, scan.stored) == (name, strength, stored)
                ]
                clips = {scan.clip for scan in drawn}
                without = [
                    scan
                    for scan in scans
                    if scan.trace == UNDRAWN and scan.stored is stored and scan.clip in clips
                ]
                for cue in trace.cues:
                    found = separation([*without, *drawn], cue)
                    if found is not None:
                        table.add_row(
                            name,
                            f"{strength:g} ({trace.unit})",
                            cue,
                            "video, JPEG" if stored else "JPEG",
                            f"{found.live}",
                            f"{found.auc:.2f}",
                            f"{found.found} of {found.screens}",
                            f"{found.alarms} of {found.live}",
                        )
    return table


def _fusion_table(title: str, decisions: Sequence[Decision], scans: Sequence[Scan]) -> Table:
    live = sum(one.row.live for one in decisions)
    screens = len(decisions) - live
    table = Table(
        "",
        "AUC over scans",
        f"{live} live: LIVE, SPOOF",
        f"{screens} screens: LIVE, SPOOF",
        "clips LIVE in a scan: live, screens",
        "weight",
        "best line on these scans: LIVE screens found at no cost; live lost to find all",
        title=f"fusion, {title}",
    )
    table.add_row("as it is", *_decided(added(decisions, scans, ())), "")
    for cue in CUES:
        free, lost = reach(decisions, scans, cue)
        table.add_row(f"with {cue}", *_decided(added(decisions, scans, (cue,))), f"{free}; {lost}")
    table.add_row("with all", *_decided(added(decisions, scans, CUES)), "")
    return table


def _decided(found: AddedCues) -> tuple[str, str, str, str, str]:
    return (
        _curve(found.auc, found.bounds),
        f"{found.live[0]}, {found.live[1]}",
        f"{found.screens[0]}, {found.screens[1]}",
        f"{found.people}, {found.passed}",
        f"{found.weights[0]:.2f} to {found.weights[1]:.2f}",
    )


def _curve(auc: float, bounds: tuple[float, float]) -> str:
    return f"{auc:.3f} [{bounds[0]:.2f}, {bounds[1]:.2f}]"


def _bounded(hits: int, trials: int) -> str:
    share = proportion(hits, trials, confidence=0.95)
    return "-" if share is None else f"{hits} of {trials} [{share.lower:.0%}, {share.upper:.0%}]"


if __name__ == "__main__":
    sys.exit(main())

"""Compares the targets of the flash with the measurements."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import numpy as np

from research.dynamic.cases import Group
from research.dynamic.rates import Draws, Rate, rate_of
from research.dynamic.rows import Row
from research.dynamic.tables import BRIGHT, DIM, Cell, Table, inconclusive, passed, spoofed, succeeded

__all__ = ["PUBLISHED", "TargetStatus", "answer_to", "target_table"]

_MOST_ERRORS: Final = 0.01
_LONGEST_MEDIAN: Final = 6.0

PUBLISHED: Final = (
    "Published marks, measured on recordings of people, with other attacks, protocols and counts, and so not "
    "comparable with a simulation: Face Flashing accuracy 98.8 %, 97.3 % in its worst case (Tang et al., "
    "NDSS 2018); FaceRevelio mean EER 1.4 % against photos and 0.15 % against videos, 30 users (Farrukh et "
    "al.)."
)


class TargetStatus(StrEnum):
    """Whether a target is reached."""

    MET = "met"
    """The rate and the upper end of its interval are within it."""
    NOT_SHOWN = "within, not shown"
    """The rate is within it, but there are too few people to show it."""
    MISSED = "missed"
    """The rate exceeds it."""
    NOT_MEASURED = "not measured"


def answer_to(rate: Rate, most: float = _MOST_ERRORS) -> TargetStatus:
    """Return whether ``rate`` is at most ``most``."""
    if not rate.scans:
        return TargetStatus.NOT_MEASURED
    if rate.share > most:
        return TargetStatus.MISSED
    return TargetStatus.MET if rate.upper is not None and rate.upper <= most else TargetStatus.NOT_SHOWN


def target_table(rows: Sequence[Row], draws: Draws) -> Table:
    """Make a row per target; SUCCESS is that of the whole decision, with Express and the policy."""
    genuine = [row for row in rows if row.group == Group.GENUINE]
    dim = [row for row in genuine if row.ambient in DIM]
    bright = [row for row in genuine if row.ambient in BRIGHT]
    attacks = [row for row in rows if row.group == Group.ATTACK]
    lines: list[tuple[Cell, ...]] = [
        _line("genuine, dark and indoor: SPOOF", "1 %", rate_of(dim, spoofed, draws)),
        ("genuine, dark and indoor: INCONCLUSIVE", "", rate_of(dim, inconclusive, draws), "no target"),
        _line("genuine, shade and sun: SPOOF", "1 %", rate_of(bright, spoofed, draws)),
        (
            "genuine, shade and sun: neither SUCCESS nor guidance TOO_BRIGHT",
            "",
            rate_of(bright, lambda row: not succeeded(row) and "TOO_BRIGHT" not in row.hints, draws),
            "no target",
        ),
    ]
    for kind in sorted({row.kind for row in attacks}):
        part = [row for row in attacks if row.kind == kind]
        lines.append(_line(f"{kind}: SUCCESS", "1 %", rate_of(part, passed, draws)))
        lines.append(_line(f"{kind}: SUCCESS by the flash alone", "1 %", rate_of(part, succeeded, draws)))
    took = [row.seconds for row in dim if row.seconds is not None and succeeded(row)]
    if took:
        median = float(np.median(took))
        reached = TargetStatus.MET if median <= _LONGEST_MEDIAN else TargetStatus.MISSED
        lines.append(("genuine, dark and indoor: median seconds of a scan", "6", median, str(reached)))
    return Table("Targets", ("", "at most", "measured", "answer"), tuple(lines))


def _line(name: str, most: str, rate: Rate) -> tuple[Cell, ...]:
    return name, most, rate, str(answer_to(rate))

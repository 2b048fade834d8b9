"""The tables of measured scans, and the report of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from lab.simulator import AmbientPreset, FlashKind
from lab.studies.dynamic.cases import CAMERAS, DISTANCES, LATENCIES, LYING_LATENCIES, QUALITIES, SKINS, Group
from lab.studies.dynamic.people import Split, read_split
from lab.studies.dynamic.rows import AttemptRow, Draws, Rate, Row, rate_of, text_of

DIM: Final = frozenset({str(AmbientPreset.DARK), str(AmbientPreset.INDOOR)})
"""Light in which genuine persons must succeed."""

Cell: TypeAlias = str | int | float | Rate | None
Key: TypeAlias = Callable[[Row], str]


@dataclass(frozen=True, slots=True)
class Table:
    """One table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def succeeded(row: Row) -> bool:
    """Return whether the flash alone would accept the scan."""
    return row.flash == AttemptRow.SUCCESS


def passed(row: Row) -> bool:
    """Return whether the decision accepts it, with Express and all that the policy accepts."""
    return row.combined == AttemptRow.SUCCESS


def spoofed(row: Row) -> bool:
    """Return whether the flash alone judges it an attack."""
    return row.flash == AttemptRow.SPOOF


def inconclusive(row: Row) -> bool:
    """Return whether the flash alone is inconclusive."""
    return row.flash == AttemptRow.INCONCLUSIVE


def all_tables(rows: Sequence[Row], *, split: Split, draws: Draws) -> tuple[Table, ...]:
    """Return every table that has scans."""
    genuine = [row for row in rows if row.group == Group.GENUINE]
    attacks = [row for row in rows if row.group == Group.ATTACK]
    relit = [row for row in rows if row.group == Group.RELIGHTING]
    dim = [row for row in genuine if row.ambient in DIM]
    names = list(map(str, AmbientPreset))
    held_out = _held_out(split)
    tables = (
        _genuine_table("Genuine, by ambient light", genuine, lambda row: row.ambient, names, draws),
        _genuine_table("Genuine, dark and indoor, by skin", dim, lambda row: row.skin, SKINS, draws),
        _genuine_table("Genuine, dark and indoor, by camera", dim, lambda row: row.camera, CAMERAS, draws),
        _genuine_table(
            "Genuine, dark and indoor, by distance", dim, lambda row: row.distance, DISTANCES, draws
        ),
        _genuine_table(
            "Genuine, dark and indoor, by renderer (light/skin/head)",
            dim,
            lambda row: row.renderer,
            sorted({row.renderer for row in dim}),
            draws,
        ),
        _genuine_table(
            "Genuine, dark and indoor, cameras not used for calibration apart",
            dim,
            held_out,
            ("calibrated with", "not calibrated with"),
            draws,
        ),
        _attack_table("Attackers, dark to office", attacks, lambda row: row.kind, map(str, FlashKind), draws),
        _attack_table(
            "Attackers, by light",
            attacks,
            lambda row: f"{row.kind}, {row.ambient}",
            (f"{kind}, {name}" for kind in FlashKind for name in names),
            draws,
        ),
        _attack_table(
            "Attackers, cameras not used for calibration apart",
            attacks,
            held_out,
            ("calibrated with", "not calibrated with"),
            draws,
        ),
        _curve_table(
            "Relighting in real time, indoor, true times claimed: SUCCESS / SPOOF / INCONCLUSIVE",
            [row for row in relit if not row.lying],
            LATENCIES,
        ),
        _curve_table(
            "Relighting in real time, indoor, punctual times claimed: SUCCESS / SPOOF / INCONCLUSIVE",
            [row for row in relit if row.lying],
            LYING_LATENCIES,
        ),
        _combined_table(rows, draws),
        _course_table(rows),
        _why_table(rows),
    )
    return tuple(table for table in tables if table.rows)


def render(table: Table) -> str:
    """Format a table as text with aligned columns."""
    cells = [list(table.columns), *([_text(cell) for cell in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([table.title, "", *(line.rstrip() for line in lines), ""])


def _held_out(split: Split) -> Key:
    return lambda row: "calibrated with" if row.camera in split.cameras else "not calibrated with"


def _genuine_table(title: str, rows: Sequence[Row], key: Key, names: Iterable[str], draws: Draws) -> Table:
    return Table(
        title,
        ("", "scans", "SPOOF (BPCER)", "INCONCLUSIVE (BPNRR)", "bits", "s median", "s 95 %", "early"),
        tuple(
            (
                name,
                len(part),
                rate_of(part, spoofed, draws),
                rate_of(part, inconclusive, draws),
                _median([row.bits for row in part if succeeded(row)]),
                _quantile(_seconds(part), 0.5),
                _quantile(_seconds(part), 0.95),
                sum(row.end == "PROVEN" for row in part) / len(part),
            )
            for name, part in _parts(rows, key, names)
        ),
    )


def _attack_table(title: str, rows: Sequence[Row], key: Key, names: Iterable[str], draws: Draws) -> Table:
    return Table(
        title,
        ("", "scans", "SUCCESS (APCER)", "INCONCLUSIVE (APNRR)", "SPOOF", "most bits"),
        tuple(
            (
                name,
                len(part),
                rate_of(part, succeeded, draws),
                rate_of(part, inconclusive, draws),
                sum(map(spoofed, part)),
                max(row.bits for row in part),
            )
            for name, part in _parts(rows, key, names)
        ),
    )


def _curve_table(title: str, rows: Sequence[Row], latencies: Sequence[float]) -> Table:
    """Make the table of outcomes over latency and quality; cells have too few people for an interval."""

    def cell(latency: float, quality: str) -> str:
        part = [row for row in rows if row.latency == latency and row.quality == quality]
        hits, spoofs = sum(map(succeeded, part)), sum(map(spoofed, part))
        return f"{hits} / {spoofs} / {len(part) - hits - spoofs}" if part else ""

    lines = tuple(
        (f"{latency:g} s", *(cell(latency, quality) for quality in QUALITIES)) for latency in latencies
    )
    return Table(title, ("added latency", *QUALITIES), tuple(line for line in lines if any(line[1:])))


def check_table(rows: Sequence[Row], draws: Draws) -> Table | None:
    """Return the table of checks of several attempts; None if every check had one.

    Args:
        draws: Settings of the intervals.
    """
    if all(row.attempt == 1 for row in rows):
        return None
    last: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: row.attempt):
        last[row.check] = row
    ended = _by_who([*last.values()])
    first = dict(_by_who([row for row in rows if row.attempt == 1]))
    return Table(
        "Checks of several attempts, by the decision of all parts together",
        (
            "",
            "SUCCESS at the first attempt",
            "SUCCESS at any attempt",
            "SPOOF at any attempt",
            "attempts, mean",
        ),
        tuple(
            (
                name,
                rate_of(first[name], passed, draws),
                rate_of(part, passed, draws),
                rate_of(part, lambda row: row.combined == AttemptRow.SPOOF, draws),
                float(np.mean([row.attempt for row in part])),
            )
            for name, part in ended
        ),
    )


def _combined_table(rows: Sequence[Row], draws: Draws) -> Table:
    """Make the table of the flash alone, Express alone (no PAD network, no embeddings), and both."""

    def line(name: str, part: Sequence[Row]) -> tuple[Cell, ...]:
        outcomes = (
            Counter(getattr(row, which) for row in part) for which in ("flash", "express", "combined")
        )
        texts = (
            f"{found[AttemptRow.SUCCESS]} / {found[AttemptRow.SPOOF]} / {found[AttemptRow.INCONCLUSIVE]}"
            for found in outcomes
        )
        return (name, *texts, rate_of(part, lambda row: row.combined == AttemptRow.SUCCESS, draws))

    genuine = [row for row in rows if row.group == Group.GENUINE]
    others = [row for row in rows if row.group != Group.GENUINE]
    return Table(
        "Flash alone, passive signals alone, both: SUCCESS / SPOOF / INCONCLUSIVE",
        ("", "flash", "Express", "both", "both SUCCESS"),
        (
            *(
                line(f"genuine, {name}", part)
                for name, part in _parts(genuine, lambda row: row.ambient, map(str, AmbientPreset))
            ),
            *(
                line(f"{name}", part)
                for name, part in _parts(others, lambda row: row.kind, map(str, FlashKind))
            ),
        ),
    )


def _course_table(rows: Sequence[Row]) -> Table:
    """Make the table of ends and guidance, a row for genuine scans in each light and for each attacker."""
    return Table(
        "How scans ended, and the guidance to the person",
        ("", "ended", "guidance", "pauses"),
        tuple(
            (
                name,
                _counted(Counter(row.end for row in part)),
                _counted(Counter(hint for row in part for hint in row.hints)),
                sum(row.pauses for row in part),
            )
            for name, part in _by_who(rows)
        ),
    )


def _why_table(rows: Sequence[Row]) -> Table:
    """Make the table of the flash's findings with reasons."""
    return Table(
        "What the flash found, and why",
        ("", "findings"),
        tuple(
            (name, _counted(Counter(row.finding if row.reason is None else row.reason for row in part)))
            for name, part in _by_who(rows)
        ),
    )


def _by_who(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    def key(row: Row) -> str:
        return f"genuine, {row.ambient}" if row.group == Group.GENUINE else row.kind

    names = (*(f"genuine, {name}" for name in AmbientPreset), *map(str, FlashKind))
    return _parts(rows, key, names)


def _parts(rows: Sequence[Row], key: Key, names: Iterable[str]) -> list[tuple[str, list[Row]]]:
    """Return the rows of each name, in the order of the names; names without rows are omitted."""
    parts: dict[str, list[Row]] = {name: [] for name in names}
    for row in rows:
        parts[key(row)].append(row)
    return [(name, part) for name, part in parts.items() if part]


def _seconds(rows: Sequence[Row]) -> list[float]:
    """Return the lengths of scans with SUCCESS; the others last as long as the policy permits."""
    return [row.seconds for row in rows if row.seconds is not None and succeeded(row)]


def _median(values: Sequence[float]) -> float | None:
    return _quantile(values, 0.5)


def _quantile(values: Sequence[float], share: float) -> float | None:
    return float(np.quantile(values, share)) if values else None


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "nothing"


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return "-"
        case Rate():
            return text_of(cell)
        case float():
            return f"{cell:.2f}"
        case _:
            return str(cell)


def write_report(rows: Sequence[Row], out: Path, *, resamples: int, seed: int) -> str:
    """Write ``report.txt`` into a folder, and return the text.

    Args:
        rows: At least one row.
        out: The folder, which is created if it does not exist.
        resamples: Draws of persons behind each interval.

    Raises:
        OSError: The folder cannot be written to.
    """
    draws = Draws(resamples=resamples, seed=seed)
    first = [row for row in rows if row.attempt == 1]
    checks = check_table(rows, draws)
    tables = (
        *(() if checks is None else (checks,)),
        *all_tables(first, split=read_split(), draws=draws),
    )
    text = "\n".join([*_head(first, draws), "", *map(render, tables)])
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.txt").write_text(text + "\n", encoding="utf-8")
    return text


def _head(rows: Sequence[Row], draws: Draws) -> list[str]:
    people = len({row.person for row in rows})
    codes = ", ".join(sorted({row.code for row in rows}))
    return [
        "The flash challenge: SIMULATION. No recording of a face under a screen's light was measured.",
        f"{len(rows)} scans of {people} people who were not used to tune the flash; code {codes}. Shares "
        "are of first attempts; outcomes are of the flash alone unless stated otherwise.",
        "With a floor of b bits, a blind guess succeeds once in 2^b attempts; in a check of n attempts, n "
        "times as often.",
        *(f"Conditions: {conditions}." for conditions in sorted({row.conditions for row in rows})),
        f"In brackets: two-sided 95 % from {draws.resamples} draws of people; where no error was seen, up to "
        "3 / people (rule of three). Fewer than ten people give no interval otherwise.",
    ]

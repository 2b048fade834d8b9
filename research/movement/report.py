"""Counts the outcomes of simulated movement challenges, as text."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evaluation.binomial import proportion
from liveness.dynamic.policy import ChallengeFinding
from research.movement.cases import Approacher

__all__ = ["Row", "report"]

_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Row:
    """One attempt and its outcome.

    Attributes:
        approacher: ``research.movement.cases.Approacher`` by name.
        person: Key of the person.
        geometry: Geometry of the renderer.
        attempt: Number of the attempt, from 0.
        finding: ``liveness.dynamic.policy.ChallengeFinding`` by name.
        ovals_filled: Number of filled ovals, of two for each approach.
        seconds: Length of the attempt.
        seen: Fields of ``PerspectiveFinding``; ``None`` if it could not be measured.
    """

    approacher: str
    person: str
    geometry: str
    attempt: int
    finding: str
    ovals_filled: int
    seconds: float
    seen: dict[str, Any] | None

    def as_record(self) -> dict[str, Any]:
        """Return the row for a line of JSON."""
        return asdict(self)


def report(rows: Sequence[Row]) -> str:
    """Make a table of attempts by finding and of accepted people, for each approacher and geometry.

    Bounds are over people, because scans of one face are not independent (Clopper-Pearson, 95 %). A person
    counts as accepted if one of the attempts is RIGHT.
    """
    lines = [
        "| | head | attempts: RIGHT / WRONG / NOT_MEASURABLE / ABSENT | people accepted [95 %] | median s |",
        "|---|---|---|---|---|",
    ]
    cells: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        cells[row.approacher, row.geometry].append(row)
    for approacher in Approacher:
        for (name, geometry), found in sorted(cells.items()):
            if name == approacher.name:
                lines.append(_line(approacher, geometry, found))
    return "\n".join(lines)


def _line(approacher: Approacher, geometry: str, rows: Sequence[Row]) -> str:
    order = (
        ChallengeFinding.RIGHT,
        ChallengeFinding.WRONG,
        ChallengeFinding.NOT_MEASURABLE,
        ChallengeFinding.ABSENT,
    )
    counts = [sum(row.finding == finding.name for row in rows) for finding in order]
    people = {row.person for row in rows}
    accepted = {row.person for row in rows if row.finding == ChallengeFinding.RIGHT.name}
    share = proportion(len(accepted), len(people), confidence=_CONFIDENCE)
    if share is None:
        raise ValueError("a cell without rows")
    bounds = f"{len(accepted)} of {len(people)} [{100 * share.lower:.0f}, {100 * share.upper:.0f} %]"
    seconds = sorted(row.seconds for row in rows)[len(rows) // 2]
    attempts = f"{len(rows)}: {' / '.join(map(str, counts))}"
    return f"| {approacher.value} | {geometry} | {attempts} | {bounds} | {seconds:.1f} |"

"""Measured scans, one line of JSON each, appended while the measurement runs."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from research.dynamic.errors import DynamicEvaluationError

__all__ = ["AttemptRow", "Row", "append_row", "mend_rows", "read_rows"]


class AttemptRow:
    """What one attempt amounts to; plain text in a row."""

    SUCCESS = "SUCCESS"
    SPOOF = "SPOOF"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Row:
    """One scan.

    Attributes:
        name: Name of its case.
        group: See ``cases.Group``.
        kind: See ``cases.Case``, as the following.
        ambient: See there.
        person: See there.
        skin: See there.
        camera: See there.
        distance: See there.
        renderer: See there.
        latency: See there.
        quality: See there.
        lying: See there.
        code: Hash of the measuring and the rendering code: rows of different code are different measurements.
        conditions: What all scans of a measurement share, in words.
        finding: Of the flash.
        reason: Of the finding; ``None`` for RIGHT.
        bits: Verified, net of chance.
        odds: Log odds of a face by the flash's signals.
        lag: Seconds; ``None`` where none stands out.
        shown: Coloured steps.
        right: Steps answered rightly.
        wrong: Steps answered with another colour.
        scores: Score of each assessed signal of the flash, 0..1.
        flash: Outcome by the flash alone, under the floor of bits.
        express: Verdict of the attempt without its flash.
        combined: Verdict of the attempt.
        seconds: From the first well-placed frame to the end; ``None`` if there never was one.
        end: See ``drive.ScanTrace``.
        hints: See there.
        pauses: See there.
        guidance: See there.
        frames: How many were sent.
        faces: How many of those that were looked at, up to the closing step, showed one face.
        cost: CPU seconds that it took to simulate and judge.
    """

    name: str
    group: str
    kind: str
    ambient: str
    person: str
    skin: str
    camera: str
    distance: str
    renderer: str
    latency: float | None
    quality: str | None
    lying: bool
    code: str
    conditions: str
    finding: str
    reason: str | None
    bits: float
    odds: float
    lag: float | None
    shown: int
    right: int
    wrong: int
    scores: dict[str, float]
    flash: str
    express: str
    combined: str
    seconds: float | None
    end: str
    hints: list[str]
    pauses: int
    guidance: str
    frames: int
    faces: int
    cost: float


def append_row(path: Path, row: Row) -> None:
    """Add a line; a process that dies leaves whole lines, and at most one broken at the end."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(row)) + "\n")


def mend_rows(path: Path) -> None:
    """Take off a last line that a killed run did not finish, so that what is added begins a line."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as stream:
            stream.truncate(whole)


def read_rows(path: Path) -> list[Row]:
    """The rows of a file; none where there is no file. A last line that was not finished is left out.

    Raises:
        DynamicEvaluationError: Another line is no row.
        OSError: The file cannot be read.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text.endswith("\n")
    lines = text.splitlines()
    return list(_rows(lines if whole else lines[:-1]))


def _rows(lines: Iterable[str]) -> Iterable[Row]:
    known = {one.name for one in fields(Row)}
    for number, line in enumerate(lines, start=1):
        try:
            data: Any = json.loads(line)
        except ValueError as error:
            raise DynamicEvaluationError(f"line {number} is no JSON: {error}") from error
        if not isinstance(data, dict) or set(data) != known:
            raise DynamicEvaluationError(f"line {number} is no row of this measurement")
        yield Row(**data)

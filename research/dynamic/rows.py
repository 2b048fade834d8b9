"""Measured scans, one line of JSON each, appended while the measurement runs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from research.dynamic.errors import DynamicEvaluationError

__all__ = ["AttemptRow", "Row", "append_rows", "mend_rows", "read_rows"]


class AttemptRow:
    """The outcome of an attempt, as text in a row."""

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
        attempt: See there.
        code: Hash of the measuring and the rendering code: rows of different code are different measurements.
        conditions: The common conditions of a measurement, in words.
        finding: Finding of the flash.
        reason: Reason of the finding; ``None`` for RIGHT.
        bits: Verified bits, net of chance.
        odds: Log odds of a face by the flash's signals.
        lag: Lag in seconds; ``None`` if no lag is distinct.
        shown: Coloured steps.
        right: Steps with the right answer.
        wrong: Steps with another colour in the answer.
        scores: Score of each assessed signal of the flash, 0..1.
        flash: Outcome by the flash alone, under the floor of bits.
        express: Verdict of the attempt without its flash.
        combined: Verdict of the attempt.
        seconds: From the first well-placed frame to the end; ``None`` if there never was one.
        end: See ``drive.ScanTrace``.
        hints: See there.
        pauses: See there.
        guidance: See there.
        frames: Number of frames that were sent.
        faces: Number of measured frames up to the closing step that showed one face.
        cost: CPU seconds for simulation and judgement.
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
    attempt: int
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

    @property
    def check(self) -> str:
        """Name of the check, which all its attempts have in common."""
        return self.name.partition("/attempt ")[0]


def append_rows(path: Path, rows: Sequence[Row]) -> None:
    """Add the lines of a check. A killed process leaves whole lines, except for at most the last one."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write("".join(json.dumps(asdict(row)) + "\n" for row in rows))


def mend_rows(path: Path) -> None:
    """Remove an incomplete last line of a killed run, so that the next row starts a line."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as stream:
            stream.truncate(whole)


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a file; none if there is no file. An incomplete last line is omitted.

    Raises:
        DynamicEvaluationError: Another line is not a row.
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

"""Measured scans, one line of JSON each, appended while the measurement runs; and shares of them.

The shares have bounds from draws of persons, because scans of one face are dependent.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np


class DynamicEvaluationError(Exception):
    """Photos, split or rows cannot be used. The message states why."""


class AttemptRow:
    """The outcome of an attempt, as text in a row."""

    SUCCESS = "SUCCESS"
    SPOOF = "SPOOF"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Row:
    """One scan.

    Attributes:
        group: See ``cases.Group``.
        kind: See ``cases.Case`` and ``drive.ScanTrace``, as for all fields that are missing here.
        code: Hash of the measuring and the rendering code: rows of different code are different measurements.
        conditions: The common conditions of a measurement, in words.
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


_CONFIDENCE: Final = 0.95
_FEWEST_PEOPLE: Final = 10
"""Least number of people for an interval; with fewer it would be too narrow."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Settings of the bootstrap: how often persons are drawn with replacement, and the seed."""

    resamples: int
    seed: int


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of scans and its two-sided 95 % interval.

    Attributes:
        lower: Lower end, 0..1; ``None`` if there are fewer than ten people, unless all scans count or none
            does.
        upper: Upper end, likewise. If no scan counts, it is 3 / people (rule of three), as if all scans of
            one person had the same outcome; if all count, ``lower`` is 1 - 3 / people.
    """

    hits: int
    scans: int
    people: int
    lower: float | None
    upper: float | None

    @property
    def share(self) -> float:
        """Hits over scans, 0..1; 0 without scans."""
        return self.hits / self.scans if self.scans else 0.0


def rate_of(rows: Sequence[Row], counts: Callable[[Row], bool], draws: Draws) -> Rate:
    """Return the share of ``rows`` that count.

    Args:
        counts: Whether a row counts.
        draws: Settings of the interval.
    """
    by_person: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        by_person[row.person].append(counts(row))
    people = len(by_person)
    hits = sum(map(sum, by_person.values()))
    lower, upper = _interval(list(by_person.values()), hits=hits, scans=len(rows), draws=draws)
    return Rate(hits=hits, scans=len(rows), people=people, lower=lower, upper=upper)


def text_of(rate: Rate) -> str:
    """Format a rate as ``3 of 110, 2.7 % [0.0, 6.4]``."""
    if not rate.scans:
        return "none"
    counted = f"{rate.hits} of {rate.scans}, {100 * rate.share:.1f} %"
    if rate.lower is None or rate.upper is None:
        return counted
    return f"{counted} [{100 * rate.lower:.1f}, {100 * rate.upper:.1f}]"


def _interval(
    persons: Sequence[Sequence[bool]], *, hits: int, scans: int, draws: Draws
) -> tuple[float | None, float | None]:
    people = len(persons)
    if not people:
        return None, None
    if hits in {0, scans}:
        # All draws are equal, although little is known.
        slack = min(1.0, 3.0 / people)
        return (0.0, slack) if hits == 0 else (1.0 - slack, 1.0)
    if people < _FEWEST_PEOPLE:
        return None, None
    counted = np.array([sum(person) for person in persons], np.float64)
    sizes = np.array([len(person) for person in persons], np.float64)
    rng = np.random.default_rng(draws.seed)
    times = rng.multinomial(people, np.full(people, 1.0 / people), size=draws.resamples)
    shares = (times @ counted) / (times @ sizes)
    tail = (1.0 - _CONFIDENCE) / 2.0
    lower, upper = np.quantile(shares, (tail, 1.0 - tail))
    return float(lower), float(upper)

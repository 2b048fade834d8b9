"""Rows of measured scans and images, in a file between measuring and fitting."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class RowsUnusable(ValueError):
    """The file does not contain rows of ``measure``."""


class RowKind(StrEnum):
    """The kind of presentation of a row."""

    CLIP = "clip"
    """A scan of 2 to 4 s cut from a recorded clip."""
    EARLY = "early"
    """A scan of 2 s cut from a recorded clip, for the line of early looks; nothing is fitted to it."""
    PRESENTED = "presented"
    """A scan rendered from a photo by ``photo_attacks``: motion only, its pixels show no medium."""
    PICTURE = "picture"
    """A still image."""
    FRAME = "frame"
    """One selected frame of a clip's scan, as a still image."""


@dataclass(frozen=True, slots=True)
class Row:
    """One scan or image.

    Attributes:
        name: Name of the file, and of the window or presentation in it.
        source: Its source; rows of one source share cameras and persons, and are left out together.
        species: Species of the attack, as its manifest names it; empty for a bona fide presentation.
        live: Whether it is bona fide.
        scores: Score by signal name, 0..1; a signal that was not assessed is missing.
        networks: Real probability by network name, 0..1: the median over a scan's scored frames.
    """

    kind: RowKind
    name: str
    source: str
    species: str
    live: bool
    scores: Mapping[str, float]
    networks: Mapping[str, float]


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write ``rows`` as lines of JSON."""
    path.write_text("".join(f"{json.dumps(asdict(row))}\n" for row in rows), encoding="utf-8")


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a file from ``write_rows``.

    Raises:
        RowsUnusable: A line is not such a row.
        OSError: The file cannot be read.
    """
    return [_row(number, line) for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)]


def _row(number: int, line: str) -> Row:
    try:
        data: dict[str, Any] = json.loads(line)
        return Row(**{**data, "kind": RowKind(data["kind"])})
    except (ValueError, TypeError, KeyError) as error:
        raise RowsUnusable(f"line {number} is not a row of measurements: {error}") from error

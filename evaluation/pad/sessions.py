"""Guesses from file names which images were taken in one sitting, if the data set does not state it.

Images of one sitting resemble each other, with the same person, camera, light and sheet. If names contain the
time (seconds since 1970, or date and time), images less than ten minutes apart are one session, regardless of
the rest of their names. Other names are grouped by the text before their number. This makes groups too large
rather than too small, so that bounds from draws of groups become wider, never too narrow.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Final

__all__ = ["sessions_from_names"]

_PAUSE: Final = 600.0
_UNIX: Final = re.compile(r"(?<!\d)(1[0-9]{9})(?!\d)")
_STAMP: Final = re.compile(r"(?<!\d)(20\d{6})[_-]?(\d{6})(?!\d)")
_NUMBER: Final = re.compile(r"[\d_\-().\s]+$")


def sessions_from_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return a session for each file of one source.

    Args:
        names: Distinct paths with ``/`` between their parts.

    Returns:
        In the same order: ``t<seconds>`` for a sitting that began then, else the name without its number.
    """
    times = {name: time for name in names if (time := _seconds(PurePosixPath(name).stem)) is not None}
    started: dict[float, float] = {}
    ordered = sorted(set(times.values()))
    for before, time in pairwise([-float("inf"), *ordered]):
        started[time] = time if time - before > _PAUSE else started[before]
    return tuple(f"t{started[times[name]]:.0f}" if name in times else _prefix(name) for name in names)


def _seconds(stem: str) -> float | None:
    unix = _UNIX.search(stem)
    if unix is not None:
        return float(unix[1])
    stamp = _STAMP.search(stem)
    if stamp is None:
        return None
    try:
        return datetime.strptime(stamp[1] + stamp[2], "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _prefix(name: str) -> str:
    path = PurePosixPath(name)
    return (path.parent / _NUMBER.sub("", path.stem)).as_posix()

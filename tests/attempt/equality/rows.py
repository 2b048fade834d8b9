"""The results of an attempt as JSON lines that can be compared byte for byte."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from enum import Enum
from hashlib import sha256
from typing import Any, Final

import numpy as np

__all__ = ["differences", "line"]

_DECIMALS: Final = 6


def line(scan: str, what: str, values: Mapping[str, Any]) -> str:
    """One line of a file to compare.

    Args:
        scan: The scan's name.
        what: The part of the scan, such as ``frame 12``.
        values: The values; numbers are rounded, and arrays and bytes are replaced by their hash.
    """
    return json.dumps({"scan": scan, "what": what, **{name: _plain(one) for name, one in values.items()}})


def differences(before: Iterable[str], after: Iterable[str]) -> list[str]:
    """The lines in which two files differ, and the values in them; empty if the files are equal."""
    first, second = _by_place(before), _by_place(after)
    found = [f"{' '.join(place)}: only before" for place in first if place not in second]
    found += [f"{' '.join(place)}: only after" for place in second if place not in first]
    for place, values in first.items():
        others = second.get(place, values)
        changed = [name for name in {**values, **others} if values.get(name) != others.get(name)]
        found += [f"{' '.join(place)}: {name}: {values.get(name)} -> {others.get(name)}" for name in changed]
    return found


def _by_place(lines: Iterable[str]) -> dict[tuple[str, str], dict[str, Any]]:
    rows = (json.loads(one) for one in lines)
    return {(row["scan"], row["what"]): row for row in rows}


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | str() if not isinstance(value, Enum):
            return value
        case Enum():
            return value.name
        case int():
            return value
        case float() | np.floating():
            return round(float(value), _DECIMALS) + 0.0
        case np.generic():
            return _plain(value.item())
        case bytes():
            return sha256(value).hexdigest()[:16]
        case np.ndarray():
            rounded = np.round(value.astype(np.float64), _DECIMALS) + 0.0
            return f"{value.shape} {sha256(np.ascontiguousarray(rounded).tobytes()).hexdigest()[:16]}"
        case Mapping():
            return {str(name): _plain(one) for name, one in value.items()}
        case _ if dataclasses.is_dataclass(value):
            return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case Iterable():
            return [_plain(one) for one in value]
        case _:
            raise TypeError(f"{type(value)} cannot be compared")

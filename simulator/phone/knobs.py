"""The knobs (parameters) of a simulated scan, for `--set NAME=VALUE`."""

import inspect
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar, get_args, get_type_hints

from facegate_client import SourceError
from simulator import SimulatorError, knobs_of

__all__ = ["KnobLine", "apply_changes", "knob_lines"]

_NOT_KNOBS = frozenset({"kind", "seed"})
"""Settings with options of their own."""

Settings = TypeVar("Settings")


@dataclass(frozen=True, slots=True)
class KnobLine:
    """One knob, for people.

    Attributes:
        name: Name for `--set`, such as ``injection.latency_seconds``.
        values: Its allowed values.
        default: Its default.
        text: Its meaning, with its unit and, if narrower, its range.
    """

    name: str
    values: str
    default: str
    text: str


def apply_changes(settings: Settings, changes: Sequence[str]) -> Settings:
    """Returns the settings with changed knobs.

    Args:
        settings: Settings of a simulated scan.
        changes: ``NAME=VALUE``, such as ``ambient.preset=office``; later ones take precedence.

    Raises:
        SourceError: There is no such knob, or the value is not allowed.
    """
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise SourceError(f"{change!r} is not a setting: write NAME=VALUE, such as ambient.preset=office")
        try:
            settings = _with(settings, name.strip().split("."), value.strip(), name)
        except SimulatorError as error:
            raise SourceError(f"{name} cannot be {value}: {error}") from error
    return settings


def knob_lines(settings: Any) -> tuple[KnobLine, ...]:
    """Returns every knob of a simulated scan, in the order of definition.

    Args:
        settings: Settings of the scan with default knobs.
    """
    return tuple(_lines(settings, ""))


def _lines(settings: Any, prefix: str) -> Iterator[KnobLine]:
    hints = get_type_hints(type(settings))
    described = {knob.name: knob for knob in knobs_of(settings)}
    documented = _attributes(type(settings))
    for item in fields(settings):
        kind = hints[item.name]
        name = f"{prefix}{item.name}"
        if item.name in _NOT_KNOBS:
            continue
        if is_dataclass(kind) and isinstance(kind, type):
            yield from _lines(getattr(settings, item.name), f"{name}.")
            continue
        knob = described.get(item.name)
        values = f"{knob.lowest:g} to {knob.highest:g}" if knob is not None else _values(kind)
        text = documented.get(item.name, "") if knob is None else knob.text
        yield KnobLine(name, values, _shown(getattr(settings, item.name)), text)


def _attributes(settings: type[Any]) -> Mapping[str, str]:
    """Returns the description of each attribute, from the docstring of a settings class."""
    _, _, listed = (inspect.getdoc(settings) or "").partition("\nAttributes:\n")
    listed = re.split(r"\n\n|\nRaises:", listed)[0]
    entries = re.split(r"^    (\w+): ", listed, flags=re.MULTILINE)[1:]
    return {
        name: " ".join(text.replace("``", "").split()).rstrip(".")
        for name, text in zip(entries[::2], entries[1::2], strict=True)
    }


def _shown(value: object) -> str:
    if value is None:
        return "drawn"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _values(kind: Any) -> str:
    plain = _plain(kind)
    if isinstance(plain, type) and issubclass(plain, Enum):
        return ", ".join(str(member.value) for member in plain)
    return {bool: "yes, no", int: "a whole number"}.get(plain, "a number")


def _plain(kind: Any) -> Any:
    """Returns a type without its ``None``."""
    return next((one for one in get_args(kind) if one is not type(None)), kind)


def _with(settings: Settings, path: Sequence[str], value: str, name: str) -> Settings:
    if not is_dataclass(settings) or isinstance(settings, type):
        raise SourceError(f"there is no knob {name!r}")
    hints = get_type_hints(type(settings))
    first, rest = path[0], path[1:]
    if first not in hints or first in _NOT_KNOBS:
        known = ", ".join(one for one in hints if one not in _NOT_KNOBS)
        raise SourceError(f"there is no knob {name!r}; at {first!r} there are {known}")
    if rest:
        inner = _with(getattr(settings, first), rest, value, name)
        return replace(settings, **{first: inner})
    if is_dataclass(hints[first]):
        raise SourceError(f"{name!r} is a group of knobs: write {name}.KNOB=VALUE")
    return replace(settings, **{first: _parsed(hints[first], value, name)})


def _parsed(kind: Any, value: str, name: str) -> object:
    plain = _plain(kind)
    try:
        if plain is bool:
            return {"yes": True, "true": True, "no": False, "false": False}[value.lower()]
        if isinstance(plain, type) and issubclass(plain, Enum):
            return plain(value)
        number = int(value) if plain is int else float(value)
    except (KeyError, ValueError) as error:
        raise SourceError(f"{name} cannot be {value!r}; it can be {_values(kind)}") from error
    if not math.isfinite(number):
        raise SourceError(f"{name} cannot be {value!r}; it can be {_values(kind)}")
    return number

"""Knobs of a settings class: default, range and a sentence that ``--help`` can quote, in one place."""

from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

from simulator.errors import SceneSettingsInvalid

__all__ = ["Knob", "check_knobs", "knob", "knobs_of"]

_KEY = "knob"


@dataclass(frozen=True, slots=True)
class Knob:
    """One number of a settings class.

    Attributes:
        name: The attribute's name.
        default: Its value where nothing is said; None lets the seed draw one.
        lowest: Smallest value allowed.
        highest: Largest value allowed.
        text: What it does, with its unit.
    """

    name: str
    default: float | None
    lowest: float
    highest: float
    text: str


def knob(default: float | None, lowest: float, highest: float, text: str) -> Any:
    """A dataclass field for a number between ``lowest`` and ``highest``; None means that the seed draws it.

    Returns:
        What ``dataclasses.field`` returns, typed so that it stands for the number, as there.
    """
    return field(default=default, metadata={_KEY: (lowest, highest, text)})


def knobs_of(settings: Any) -> tuple[Knob, ...]:
    """The knobs of a settings class or of one of its instances, in the order of their definition."""
    return tuple(_describe(item) for item in fields(settings) if _KEY in item.metadata)


def check_knobs(settings: Any) -> None:
    """Checks every knob of ``settings`` against its range.

    Raises:
        SceneSettingsInvalid: Where a value is outside its range, or None where the seed draws nothing.
    """
    group = type(settings).__name__
    for known in knobs_of(settings):
        value = getattr(settings, known.name)
        if value is None and known.default is None:
            continue
        if value is None or not known.lowest <= value <= known.highest:
            raise SceneSettingsInvalid(
                f"{group}.{known.name} has to be between {known.lowest} and {known.highest}, got {value}"
            )


def _describe(item: "Field[Any]") -> Knob:
    lowest, highest, text = item.metadata[_KEY]
    default = None if item.default is MISSING else item.default
    return Knob(name=item.name, default=default, lowest=lowest, highest=highest, text=text)

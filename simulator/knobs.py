"""Numbers of a settings class: default, range and a sentence for ``--help``, in one place."""

from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

from simulator.errors import SceneSettingsInvalid

_KEY = "knob"


@dataclass(frozen=True, slots=True)
class Knob:
    """One number of a settings class.

    Attributes:
        name: The attribute's name.
        default: Its default; None lets the seed draw one.
        lowest: Smallest value allowed.
        highest: Largest value allowed.
        text: Its effect, with its unit.
    """

    name: str
    default: float | None
    lowest: float
    highest: float
    text: str


def knob(default: float | None, lowest: float, highest: float, text: str) -> Any:
    """Make a dataclass field for a number from ``lowest`` to ``highest``; None means that the seed draws it.

    Returns:
        The result of ``dataclasses.field``, typed as the number, as ``dataclasses.field`` is.
    """
    return field(default=default, metadata={_KEY: (lowest, highest, text)})


def knobs_of(settings: Any) -> tuple[Knob, ...]:
    """Return the knobs of a settings class or of an instance, in the order of their definition."""
    return tuple(_describe(item) for item in fields(settings) if _KEY in item.metadata)


def validate_knobs(settings: Any) -> None:
    """Checks every knob of ``settings`` against its range.

    Raises:
        SceneSettingsInvalid: A value is outside its range, or is None and the seed does not draw it.
    """
    group = type(settings).__name__
    for known in knobs_of(settings):
        value = getattr(settings, known.name)
        if value is None and known.default is None:
            continue
        if value is None or not known.lowest <= value <= known.highest:
            raise SceneSettingsInvalid(
                f"{group}.{known.name} must be between {known.lowest} and {known.highest}, got {value}"
            )


def _describe(item: "Field[Any]") -> Knob:
    lowest, highest, text = item.metadata[_KEY]
    default = None if item.default is MISSING else item.default
    return Knob(name=item.name, default=default, lowest=lowest, highest=highest, text=text)

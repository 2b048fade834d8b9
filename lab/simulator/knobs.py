"""Numbers of a settings class: default and range in one place."""

from dataclasses import field, fields
from typing import Any

from lab.simulator.errors import SceneSettingsInvalid

_KEY = "knob"


def knob(default: float | None, lowest: float, highest: float) -> Any:
    """Make a dataclass field for a number from ``lowest`` to ``highest``; None means that the seed draws it.

    Returns:
        The result of ``dataclasses.field``, typed as the number, as ``dataclasses.field`` is.
    """
    return field(default=default, metadata={_KEY: (lowest, highest)})


def validate_knobs(settings: Any) -> None:
    """Check every knob of ``settings`` against its range.

    Raises:
        SceneSettingsInvalid: A value is outside its range, or is None and the seed does not draw it.
    """
    group = type(settings).__name__
    for item in fields(settings):
        if _KEY not in item.metadata:
            continue
        (lowest, highest), value = item.metadata[_KEY], getattr(settings, item.name)
        if value is None and item.default is None:
            continue
        if value is None or not lowest <= value <= highest:
            raise SceneSettingsInvalid(
                f"{group}.{item.name} must be between {lowest} and {highest}, got {value}"
            )

"""The commented defaults of the chart: the source of its schema and of the table in its README."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm" / "facegate"
_KEY = re.compile(r"^(?P<indent> *)(?P<name>[A-Za-z]+):(?P<rest>.*)$")


@dataclass(frozen=True, slots=True)
class ChartValue:
    """One value of the chart.

    Attributes:
        path: Its path, such as ``("image", "tag")``.
        default: Its default.
        description: Its comment, as one line.
    """

    path: tuple[str, ...]
    default: Any
    description: str


def chart_values() -> tuple[ChartValue, ...]:
    """Returns every value that ``values.yaml`` describes by a comment ``# --``, in the order of the file."""
    text = (CHART / "values.yaml").read_text()
    defaults = yaml.safe_load(text)
    return tuple(_described(text.splitlines(), defaults))


def _described(lines: list[str], defaults: dict[str, Any]) -> Iterator[ChartValue]:
    path: list[tuple[int, str]] = []
    comment: list[str] | None = None
    below: int | None = None
    for line in lines:
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped.removeprefix("# -- ")]
            continue
        if stripped.startswith("# ") and comment is not None:
            comment.append(stripped.removeprefix("# "))
            continue
        key = _KEY.match(line)
        if key is None:
            continue
        indent = len(key["indent"])
        if below is not None and indent > below:
            # Part of a value that was described as a whole.
            continue
        below = None
        path = [*((depth, name) for depth, name in path if depth < indent), (indent, key["name"])]
        if comment is None:
            continue
        names = tuple(name for _, name in path)
        default: Any = defaults
        for name in names:
            default = default[name]
        yield ChartValue(names, default, " ".join(comment))
        comment, below = None, indent

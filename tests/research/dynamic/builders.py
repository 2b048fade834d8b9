"""Simulated rows of scans."""

from dataclasses import replace
from typing import Any, Final

from research.dynamic.rows import Row

__all__ = ["row"]

_ROW: Final = Row(
    name="genuine/genuine/indoor/a/0",
    group="genuine",
    kind="genuine",
    ambient="indoor",
    person="a",
    skin="darker",
    camera="usual",
    distance="usual",
    renderer="points/lambert/relief",
    latency=None,
    quality=None,
    lying=False,
    attempt=1,
    code="0" * 12,
    conditions="as in a test",
    finding="RIGHT",
    reason=None,
    bits=13.0,
    odds=8.0,
    lag=0.05,
    shown=5,
    right=5,
    wrong=0,
    scores={"flash_colours": 0.9},
    flash="SUCCESS",
    express="SUCCESS",
    combined="SUCCESS",
    seconds=4.2,
    end="PROVEN",
    hints=[],
    pauses=0,
    guidance="OK",
    frames=90,
    faces=90,
    cost=1.5,
)


def row(**changes: Any) -> Row:
    """A genuine person indoors who passed, with changes."""
    return replace(_ROW, **changes)

"""Numbers between two ends as bars: measures with marks on them, and lists of signals."""

from collections.abc import Iterable
from typing import Final

from cli.pages.markup import Html, joined

__all__ = ["band", "gauge", "mark", "measure", "signal_list", "signal_row"]

_MIDDLE: Final = 0.5
_NEITHER: Final = 0.02
_PERCENT: Final = 0.01
_ABSENT: Final = "-"
_MIDDLE_MARK: Final = Html('<span class="mark neutral" style="left:50%"></span>')


def gauge(share: float, *, tone: str, spoken: str, marks: Iterable[Html] = (), kind: str = "") -> Html:
    """A bar of so many percent.

    Args:
        share: 0 to 100.
        tone: Its colour: good, bad, warn, neither, or none for no bar at all.
        spoken: What it shows, for whoever does not see it.
        marks: Lines and bands across it.
        kind: A further class of the style sheet.
    """
    return Html(
        '<span class="{}" role="img" aria-label="{}"><span class="fill" style="width:{:.1f}%"></span>{}'
        "</span>"
    ).format(" ".join(filter(None, ("gauge", kind, tone))), spoken, share, Html("").join(marks))


def mark(share: float, title: str) -> Html:
    """A line across a gauge, at so many percent; the title is shown to who points at it."""
    return Html('<span class="mark" style="left:{:.1f}%" title="{}"></span>').format(share, title)


def band(start: float, end: float, title: str) -> Html:
    """A frame around a part of a gauge, from and to so many percent."""
    return Html('<span class="band" style="left:{:.1f}%;width:{:.1f}%" title="{}"></span>').format(
        start, end - start, title
    )


def measure(name: str, *, value: str, bar: Html, detail: str) -> Html:
    """A gauge with what it measures above and how to read it below."""
    return Html(
        '<div class="measure"><p class="name"><span>{}</span> <strong>{}</strong></p>{}'
        '<p class="small">{}</p></div>'
    ).format(name, value, bar, detail)


def signal_row(label: str, *, score: float | None, weight: float, detail: str, name: str = "") -> Html:
    """A signal: its score from 0 (as an attack) to 1 (as a live person), its weight, what it says.

    Args:
        label: For people.
        score: None where it could not be assessed.
        weight: Its share of the decision; 0 where it only informs.
        detail: What it says.
        name: For machines; empty where it is not shown.
    """
    if score is None:
        bar = gauge(0.0, tone="none", spoken="not assessed", marks=(_MIDDLE_MARK,))
    else:
        bar = gauge(100 * score, tone=_tone(score), spoken=f"{score:.2f} of 1", marks=(_MIDDLE_MARK,))
    return Html(
        '<li class="{}"><span class="label">{}{}</span>{}<span class="score">{}</span>'
        '<span class="weight">{}</span><span class="detail">{}</span></li>'
    ).format(
        "decides" if weight > 0 else "informs",
        label,
        Html("<code>{}</code>").format(name) if name else "",
        bar,
        _ABSENT if score is None else f"{score:.2f}",
        _weight(weight),
        detail,
    )


def signal_list(rows: Iterable[Html]) -> Html:
    """Signals below each other."""
    return Html('<ul class="signals">{}</ul>').format(joined(rows))


def _weight(weight: float) -> str:
    if weight <= 0:
        return "informs"
    return f"weight {100 * weight:.0f}%" if weight >= _PERCENT else "weight < 1%"


def _tone(score: float) -> str:
    if abs(score - _MIDDLE) < _NEITHER:
        return "neither"
    return "good" if score > _MIDDLE else "bad"

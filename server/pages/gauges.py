"""Gauges of a page: measures with marks on them, and lists of signals."""

from collections.abc import Iterable
from typing import Final

from server.pages.markup import Html, joined

__all__ = ["band", "gauge", "mark", "measure", "signal_list", "signal_row"]

_MIDDLE: Final = 0.5
_NEITHER: Final = 0.02
_PERCENT: Final = 0.01
_ABSENT: Final = "-"
_NEUTRAL: Final = "neutral"
_MIDDLE_MARK: Final = Html('<span class="mark neutral" style="left:50%"></span>')


def gauge(share: float, *, tone: str, spoken: str, marks: Iterable[Html] = (), kind: str = "") -> Html:
    """Returns a bar.

    Args:
        share: Length of the bar in percent, 0 to 100.
        tone: Its colour: good, bad, warn, neither, or none for no bar at all.
        spoken: The text for screen readers.
        marks: Lines and bands across it.
        kind: A further class of the style sheet.
    """
    return Html(
        '<span class="{}" role="img" aria-label="{}"><span class="fill" style="width:{:.1f}%"></span>{}'
        "</span>"
    ).format(" ".join(filter(None, ("gauge", kind, tone))), spoken, share, Html("").join(marks))


def mark(share: float, title: str) -> Html:
    """Returns a line across a gauge, at `share` percent. The title is its tooltip."""
    return Html('<span class="mark" style="left:{:.1f}%" title="{}"></span>').format(share, title)


def band(start: float, end: float, title: str) -> Html:
    """Returns a frame around a part of a gauge, from `start` to `end` percent."""
    return Html('<span class="band" style="left:{:.1f}%;width:{:.1f}%" title="{}"></span>').format(
        start, end - start, title
    )


def measure(name: str, *, value: str, bar: Html, detail: str) -> Html:
    """Returns a gauge with the name of its measurement above and an explanation below."""
    return Html(
        '<div class="measure"><p class="name"><span>{}</span> <strong>{}</strong></p>{}'
        '<p class="small">{}</p></div>'
    ).format(name, value, bar, detail)


def signal_row(label: str, *, score: float | None, weight: float, detail: str, name: str = "") -> Html:
    """Returns the row of a signal: label, gauge, score, weight and detail.

    A score that rounds to 0.50 counts neither way, so the row shows the word neutral instead.

    Args:
        label: Name for people.
        score: From 0 (as an attack) to 1 (as a live person); None if the signal was not assessed.
        weight: Its share of the decision; 0 if it only informs.
        detail: Its finding in words.
        name: Name for machines; empty if it is not shown.
    """
    shown, spoken = _ABSENT, "not assessed"
    if score is not None:
        shown, spoken = (_NEUTRAL, _NEUTRAL) if _is_neutral(score) else (f"{score:.2f}", f"{score:.2f} of 1")
    if score is None:
        bar = gauge(0.0, tone="none", spoken=spoken, marks=(_MIDDLE_MARK,))
    else:
        bar = gauge(100 * score, tone=_tone(score), spoken=spoken, marks=(_MIDDLE_MARK,))
    return Html(
        '<li class="{}"><span class="label">{}{}</span>{}<span class="score">{}</span>'
        '<span class="weight">{}</span><span class="detail">{}</span></li>'
    ).format(
        "decides" if weight > 0 else "informs",
        label,
        Html("<code>{}</code>").format(name) if name else "",
        bar,
        shown,
        _weight(weight),
        detail,
    )


def signal_list(rows: Iterable[Html]) -> Html:
    """Returns a list of signal rows."""
    return Html('<ul class="signals">{}</ul>').format(joined(rows))


def _weight(weight: float) -> str:
    if weight <= 0:
        return "informs"
    return f"weight {100 * weight:.0f}%" if weight >= _PERCENT else "weight < 1%"


def _is_neutral(score: float) -> bool:
    return round(score, 2) == _MIDDLE


def _tone(score: float) -> str:
    if abs(score - _MIDDLE) < _NEITHER:
        return "neither"
    return "good" if score > _MIDDLE else "bad"

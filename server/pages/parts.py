"""The parts of a page, and its frame, as HTML that is safe by type.

Everything other than `Html` is text, and ``Html.format`` escapes it.
"""

import base64
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Final

from markupsafe import Markup as Html

__all__ = [
    "NOTHING",
    "Html",
    "band",
    "card",
    "cell",
    "data_uri",
    "facts",
    "figure",
    "folded",
    "gauge",
    "head",
    "image",
    "joined",
    "link_cell",
    "mark",
    "measure",
    "page",
    "pill",
    "signal_list",
    "signal_row",
    "stylesheet",
    "table",
    "template",
]

NOTHING: Final = Html("")

_KIT: Final = "server.pages"
_MIDDLE: Final = 0.5
_NEITHER: Final = 0.02
_PERCENT: Final = 0.01
_ABSENT: Final = "-"
_NEUTRAL: Final = "neutral"
_MIDDLE_MARK: Final = Html('<span class="mark neutral" style="left:50%"></span>')


@cache
def template(package: str, name: str) -> Html:
    """Returns a file of a package's folder ``templates``, for ``format``: text is escaped, `Html` is not.

    Args:
        package: Name of the package with the folder.
        name: The file's name without ``.html``.
    """
    return Html(_read(package, f"{name}.html"))  # noqa: S704 -- a file of ours


@cache
def stylesheet(package: str, name: str) -> Html:
    """Returns a style sheet of a package's folder ``templates``, for a page.

    Args:
        package: Name of the package with the folder.
        name: The file's name without ``.css``.
    """
    return Html(_read(package, f"{name}.css"))  # noqa: S704 -- a file of ours


def joined(pieces: Iterable[Html]) -> Html:
    """Joins pieces of markup with newlines."""
    return Html("\n").join(pieces)


def data_uri(content: bytes, *, media_type: str) -> str:
    """Returns a file as a data URI, so that a page needs no other file."""
    return f"data:{media_type};base64," + base64.b64encode(content).decode("ascii")


def _read(package: str, name: str) -> str:
    return (files(package) / "templates" / name).read_text(encoding="utf-8")


def page(
    *,
    brand: str,
    title: str,
    heading: str,
    below: Html,
    main: Html,
    footer: str | Html,
    style: Html = NOTHING,
) -> str:
    """Returns a whole, self-contained page.

    Args:
        brand: The command, beside the name of the product.
        title: Title of the browser's tab.
        heading: The page's heading.
        below: Content below the heading, such as a lead and facts.
        main: The sections.
        footer: Origin of the page.
        style: Styles in addition to the common style sheet.
    """
    whole = template(_KIT, "frame").format(
        brand=brand,
        title=title,
        heading=heading,
        below=below,
        main=main,
        footer=footer,
        style=joined((stylesheet(_KIT, "base"), style)),
    )
    return str(whole)


def facts(found: Iterable[tuple[str, str]]) -> Html:
    """Returns a list of names and values."""
    return Html('<dl class="facts">{}</dl>').format(
        joined(Html("<div><dt>{}</dt><dd>{}</dd></div>").format(*fact) for fact in found)
    )


def pill(text: str, *, tone: str = "", outline: bool = False) -> Html:
    """Returns a highlighted word or two; ``tone`` is good, bad, warn or empty."""
    kind = " ".join(filter(None, ("pill", "outline" if outline else "", tone)))
    return Html('<span class="{}">{}</span>').format(kind, text)


def image(uri: str, *, alt: str) -> Html:
    """Returns an image; ``alt`` is the text for screen readers."""
    return Html('<img src="{}" alt="{}" loading="lazy">').format(uri, alt)


def figure(content: Html, *, caption: str | Html, kind: str = "") -> Html:
    """Returns images or a drawing with a caption below; ``kind`` is a class of the style sheet."""
    return Html("<figure{}>{}<figcaption>{}</figcaption></figure>").format(_class(kind), content, caption)


def folded(summary: str, content: Html, *, kind: str = "") -> Html:
    """Returns content that the reader can unfold."""
    return Html("<details{}><summary>{}</summary>{}</details>").format(_class(kind), summary, content)


def head(text: str, *, number: bool = False) -> Html:
    """Returns the head of a column."""
    return Html('<th scope="col"{}>{}</th>').format(_class("number" if number else ""), text)


def cell(content: str | Html, *, number: bool = False) -> Html:
    """Returns a cell of a row."""
    return Html("<td{}>{}</td>").format(_class("number" if number else ""), content)


def link_cell(text: str, *, to: str) -> Html:
    """Returns the head cell of a row, with a link to its card."""
    return Html('<th scope="row"><a href="#{}">{}</a></th>').format(to, text)


def table(heads: Iterable[Html], rows: Iterable[Html], *, label: str, kind: str) -> Html:
    """Returns a table that scrolls on a narrow page.

    Args:
        heads: Heads of the columns.
        rows: Whole rows, with their ``<tr>``.
        label: The text for screen readers.
        kind: Its class in the style sheet.
    """
    return template(_KIT, "table").format(
        heads=Html("").join(heads), rows=joined(rows), label=label, kind=kind
    )


def card(*, key: str, number: int, title: str, pills: Iterable[Html], body: Iterable[Html]) -> Html:
    """Returns a section with a title, a number and a few pills.

    Args:
        key: Target of links.
        number: Its number, from 1.
        title: Its title.
        pills: Pills beside the title.
        body: Content below the title.
    """
    return template(_KIT, "card").format(
        key=key, number=number, title=title, pills=Html(" ").join(pills), body=joined(body)
    )


def _class(kind: str) -> Html:
    return Html(' class="{}"').format(kind) if kind else NOTHING


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

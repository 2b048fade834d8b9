"""Parts of a page: facts, pills, figures, tables, cards."""

from collections.abc import Iterable

from server.pages.markup import NOTHING, Html, joined, template

__all__ = ["card", "cell", "facts", "figure", "folded", "head", "image", "link_cell", "pill", "table"]


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
    return template("server.pages", "table").format(
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
    return template("server.pages", "card").format(
        key=key, number=number, title=title, pills=Html(" ").join(pills), body=joined(body)
    )


def _class(kind: str) -> Html:
    return Html(' class="{}"').format(kind) if kind else NOTHING

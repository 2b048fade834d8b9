"""Parts of a page: facts, pills, pictures with words, tables, cards."""

from collections.abc import Iterable

from cli.pages.markup import NOTHING, Html, joined, template

__all__ = ["card", "cell", "facts", "figure", "folded", "head", "image", "link_cell", "pill", "table"]


def facts(found: Iterable[tuple[str, str]]) -> Html:
    """Names and their values."""
    return Html('<dl class="facts">{}</dl>').format(
        joined(Html("<div><dt>{}</dt><dd>{}</dd></div>").format(*fact) for fact in found)
    )


def pill(text: str, *, tone: str = "", outline: bool = False) -> Html:
    """A word or two that catch the eye; ``tone`` is good, bad, warn or nothing."""
    kind = " ".join(filter(None, ("pill", "outline" if outline else "", tone)))
    return Html('<span class="{}">{}</span>').format(kind, text)


def image(uri: str, *, alt: str) -> Html:
    """A picture; ``alt`` says what it shows, for whoever does not see it."""
    return Html('<img src="{}" alt="{}" loading="lazy">').format(uri, alt)


def figure(content: Html, *, caption: str | Html, kind: str = "") -> Html:
    """Pictures or a drawing with words below; ``kind`` is a class of the style sheet."""
    return Html("<figure{}>{}<figcaption>{}</figcaption></figure>").format(_class(kind), content, caption)


def folded(summary: str, content: Html, *, kind: str = "") -> Html:
    """What is shown only to who asks for it."""
    return Html("<details{}><summary>{}</summary>{}</details>").format(_class(kind), summary, content)


def head(text: str, *, number: bool = False) -> Html:
    """The head of a column."""
    return Html('<th scope="col"{}>{}</th>').format(_class("number" if number else ""), text)


def cell(content: str | Html, *, number: bool = False) -> Html:
    """A cell of a row."""
    return Html("<td{}>{}</td>").format(_class("number" if number else ""), content)


def link_cell(text: str, *, to: str) -> Html:
    """The cell that names a row and leads to what the page has more of it."""
    return Html('<th scope="row"><a href="#{}">{}</a></th>').format(to, text)


def table(heads: Iterable[Html], rows: Iterable[Html], *, label: str, kind: str) -> Html:
    """A table that scrolls by itself where the page is narrow.

    Args:
        heads: Of the columns.
        rows: Whole rows, with their ``<tr>``.
        label: What it is, for whoever does not see it.
        kind: Its class in the style sheet.
    """
    return template("cli.pages", "table").format(
        heads=Html("").join(heads), rows=joined(rows), label=label, kind=kind
    )


def card(*, key: str, number: int, title: str, pills: Iterable[Html], body: Iterable[Html]) -> Html:
    """A section with a title, a number and a few pills.

    Args:
        key: Where links lead to.
        number: Which one it is, from 1.
        title: Its title.
        pills: Beside the title.
        body: Below the title.
    """
    return template("cli.pages", "card").format(
        key=key, number=number, title=title, pills=Html(" ").join(pills), body=joined(body)
    )


def _class(kind: str) -> Html:
    return Html(' class="{}"').format(kind) if kind else NOTHING

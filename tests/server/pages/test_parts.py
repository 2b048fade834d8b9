"""The parts of a page, read as a browser reads them."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.pages import (
    Html,
    card,
    cell,
    data_uri,
    facts,
    figure,
    folded,
    gauge,
    head,
    image,
    joined,
    link_cell,
    mark,
    measure,
    page,
    pill,
    signal_list,
    signal_row,
    table,
    template,
)
from tests.server.pages.reading import Page


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.values: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


# HTML allows neither these control characters nor carriage returns; parsers replace them.
printable = st.text(st.characters(exclude_categories=("Cc", "Cs")))


@given(text=printable)
def test_text_stays_text_in_content(text: str) -> None:
    parser = _Text()
    parser.feed(str(pill(text, tone="good")))
    parser.close()
    assert parser.tags == ["span"]
    assert parser.text == text


@given(text=printable)
def test_text_stays_text_in_attributes(text: str) -> None:
    parser = _Text()
    parser.feed(str(mark(1.0, text)))
    parser.close()
    assert parser.tags == ["span"]
    assert parser.values[-1] == text


def test_markup_is_taken_as_it_is_and_text_is_escaped_once() -> None:
    assert Html("<b>{}</b>{}").format(pill("<i>"), Html("<hr>")) == (
        '<b><span class="pill">&lt;i&gt;</span></b><hr>'
    )
    assert joined([Html("<hr>"), pill("<i>")]).count("<") == 3


def test_a_missing_value_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        template("server.pages", "card").format(key="a")


def test_a_file_becomes_a_data_uri() -> None:
    assert data_uri(b"\xff\xd8", media_type="image/jpeg") == "data:image/jpeg;base64,/9g="


_HOSTILE = '"><script>alert(1)</script>'


def test_nothing_that_is_reported_can_become_markup() -> None:
    row = Html("<tr>{}{}</tr>").format(link_cell(_HOSTILE, to="a"), cell(_HOSTILE, number=True))
    whole = page(
        brand=_HOSTILE,
        title=_HOSTILE,
        heading=_HOSTILE,
        below=facts([(_HOSTILE, _HOSTILE)]),
        main=joined(
            (
                table([head(_HOSTILE)], [row], label=_HOSTILE, kind=_HOSTILE),
                card(key="a", number=1, title=_HOSTILE, pills=(), body=(folded(_HOSTILE, Html("")),)),
                figure(image("data:,", alt=_HOSTILE), caption=_HOSTILE, kind=_HOSTILE),
                measure(
                    _HOSTILE,
                    value=_HOSTILE,
                    bar=gauge(50, tone=_HOSTILE, spoken=_HOSTILE, marks=[mark(1, _HOSTILE)]),
                    detail=_HOSTILE,
                ),
                signal_list([signal_row(_HOSTILE, score=0.5, weight=1, detail=_HOSTILE, name=_HOSTILE)]),
            )
        ),
        footer=_HOSTILE,
    )
    read = Page(whole)
    assert "script" not in read.tags
    assert read.open == []
    assert read.ids == ["a", "a-title"]
    assert read.without_words == []


def test_a_page_fetches_and_runs_nothing_and_has_both_colour_schemes() -> None:
    whole = page(brand="test", title="t", heading="h", below=Html(""), main=Html(""), footer="f")
    assert "default-src 'none'" in whole
    assert not re.search(r"https?:|url\(|@import", whole)
    assert "prefers-color-scheme: dark" in whole


def test_a_signal_row_shows_score_and_weight() -> None:
    decides = Page(signal_row("Depth", score=0.9, weight=0.25, detail="deep", name="depth")).text
    assert decides == "Depthdepth0.90weight 25%deep"
    assert "weight &lt; 1%" in signal_row("Depth", score=0.9, weight=0.001, detail="")
    informs = signal_row("Depth", score=None, weight=0, detail="")
    assert 'aria-label="not assessed"' in informs
    assert '<span class="score">-</span><span class="weight">informs</span>' in informs


def test_a_score_in_the_middle_is_neutral() -> None:
    row = signal_row("Depth", score=0.5, weight=0.13, detail="")
    assert Page(row).text == "Depthneutralweight 13%"
    assert 'aria-label="neutral"' in row
    assert "0.51" in signal_row("Depth", score=0.51, weight=0.13, detail="")


def test_the_colour_of_a_signal_is_that_of_its_side() -> None:
    tones = [
        re.findall(r'class="gauge (\w+)"', signal_row("", score=score, weight=0, detail=""))
        for score in (0.2, 0.51, 0.8, None)
    ]
    assert tones == [["bad"], ["neither"], ["good"], ["none"]]

"""The parts of a page, read as a browser reads them."""

import re

from server.pages import (
    card,
    cell,
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
    signal_list,
    signal_row,
    table,
)
from server.pages.markup import Html
from tests.server.pages.reading import Page

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

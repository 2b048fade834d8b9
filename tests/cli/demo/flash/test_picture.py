"""The strip of a flash, on a page and as a file."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from cli.demo.flash import FlashStrip, strip_picture
from server.pages import TEMPLATES, Html, render
from tests.cli.demo.builders import strip
from tests.server.pages.reading import Page


def drawn(flash: FlashStrip) -> Html:
    return Html(TEMPLATES.get_template("flash_strip.svg").module.flash_strip(strip_picture(flash)))  # type: ignore[attr-defined]


class _Texts(HTMLParser):
    def __init__(self, drawing: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(drawing)

    def handle_data(self, data: str) -> None:
        self.found.append(data.strip())


def test_markup_is_well_formed_and_takes_its_colours_from_the_page() -> None:
    markup = drawn(strip())
    page = Page(markup)
    assert page.open == []
    assert page.without_words == []
    assert set(re.findall(r"#[0-9a-f]{6}", markup)) == {"#c7c7c7", "#ff6c6c", "#6c6cff"}, (
        "only the message itself is a fixed colour"
    )


def test_a_strip_shows_the_finding_of_the_server() -> None:
    markup = drawn(strip())
    assert "of 2 that were drawn at random the face answered 1, 0 were contradicted" in markup
    assert {"known", "no face", "9", "1"} <= set(_Texts(markup).found)
    hinted = re.findall(r"fill:(#[0-9a-f]{6});stroke:var\(--line\)\"><title>", markup)
    assert hinted == ["#c7c7c7", "#ff6c6c", "#6c6cff"]
    assert markup.count("<image ") == 2
    assert markup.count("stroke-dasharray") == 4, "three curves and one in the legend"


def test_a_curve_is_broken_where_frames_are_missing() -> None:
    whole = strip()
    assert whole.curves is not None
    kept = np.r_[0:15, 25:40]
    curves = type(whole.curves)(
        times=whole.curves.times[kept],
        face=whole.curves.face[kept],
        background=None,
        expected=whole.curves.expected[kept],
        lag=None,
    )
    blue = strip_picture(FlashStrip(columns=whole.columns, curves=curves))["channels"][2]
    assert [len(line.split()) for line in blue["face"]] == [15, 15]
    assert blue["behind"] == []


def test_missing_curves_are_stated() -> None:
    text = "Too few frames could be measured for the light on the face over time."
    assert text in _Texts(drawn(strip(curves=False))).found
    assert text not in drawn(strip())


@pytest.mark.parametrize("count", [1, 3, 16])
def test_any_number_of_colours_fits(count: int) -> None:
    column = strip().columns[1]
    markup = drawn(FlashStrip(columns=(column,) * count, curves=strip().curves))
    places = re.findall(r'<image x="([\d.]+)" y="0" width="([\d.]+)"', markup)
    assert len(places) == count
    assert max(float(x) + float(width) for x, width in places) <= 960


def test_a_file_has_its_colours_and_refers_to_no_other_file() -> None:
    whole = render(
        "flash_file.svg",
        strip=strip_picture(strip()),
        title="A <mask>",
        outcome="SUCCESS: the attack passed",
        tone="warn",
    )
    page = Page(whole)
    assert page.open == []
    assert {link.partition(":")[0] for link in page.links} == {"data"}
    assert {"A <mask>", "SUCCESS: the attack passed"} <= set(_Texts(whole).found)
    assert set(re.findall(r"var\(--([a-z-]+)\)", whole)) <= set(re.findall(r"--([a-z-]+): #", whole))

"""The parts of a page, read as a browser reads them."""

import re
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from server.pages import Html, render
from server.pages.rendering import TEMPLATES
from tests.server.pages.reading import Page


def part(template: str, macro: str, *args: object, **more: object) -> Html:
    """What a macro draws."""
    return Html(getattr(TEMPLATES.get_template(template).module, macro)(*args, **more))


def row(
    score: float | None, weight: float, *, label: str = "Depth", detail: str = "", name: str = ""
) -> Html:
    signal = SimpleNamespace(label=label, weight=weight, detail=detail)
    return part("verdict.html", "signal_row", signal, score, name)


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
    parser.feed(str(part("parts.html", "pill", text, "good")))
    parser.close()
    assert parser.tags == ["span"]
    assert parser.text == text


@given(text=printable)
def test_text_stays_text_in_attributes(text: str) -> None:
    parser = _Text()
    parser.feed(str(part("parts.html", "image", "data:,", text)))
    parser.close()
    assert parser.tags == ["img"]
    assert text in parser.values


def test_markup_is_taken_as_it_is_and_text_is_escaped_once() -> None:
    shown = part("parts.html", "facts", [("<i>", Html("<hr>")), (part("parts.html", "pill", "<b>"), "&")])
    assert "<dt>&lt;i&gt;</dt><dd><hr></dd>" in shown
    assert '<dt><span class="pill">&lt;b&gt;</span></dt><dd>&amp;</dd>' in shown


def test_a_missing_value_is_a_mistake() -> None:
    with pytest.raises(UndefinedError):
        render("analyze.html", title="t")


def test_a_page_fetches_and_runs_nothing_and_has_both_colour_schemes() -> None:
    whole = render("frame.html", title="t")
    assert "default-src 'none'" in whole
    assert not re.search(r"https?:|url\(|@import", whole)
    assert "prefers-color-scheme: dark" in whole
    # The SHA-256 of an image breaks within its figure.
    assert re.search(r"figcaption \{[^}]*overflow-wrap: anywhere", whole)


def test_a_signal_row_shows_score_and_weight() -> None:
    assert Page(row(0.9, 0.25, detail="deep", name="depth")).text == "Depthdepth0.90weight 25%deep"
    assert "weight &lt; 1%" in row(0.9, 0.001)
    informs = row(None, 0)
    assert 'aria-label="not assessed"' in informs
    assert '<span class="score">-</span><span class="weight">informs</span>' in informs


def test_the_colour_of_a_signal_is_that_of_its_side() -> None:
    tones = [re.findall(r'class="gauge (\w+)"', row(score, 0)) for score in (0.2, 0.51, 0.8, None)]
    assert tones == [["bad"], ["neither"], ["good"], ["none"]]


def test_a_gauge_shows_lines_and_a_band() -> None:
    drawn = part("verdict.html", "gauge", 50, "good", "half", [(25, "<needed>")], (54, 62, "undecided"))
    assert 'x1="25%" x2="25%" y1="-50%" y2="150%"><title>&lt;needed&gt;</title>' in drawn
    assert 'class="band" x="54%" y="-30%" width="8%" height="160%" rx="3"><title>undecided</title>' in drawn
    # A page with a strict Content-Security-Policy shows it too.
    assert "style=" not in drawn


def test_bars_are_as_high_as_their_values() -> None:
    drawn = part("charts.svg", "bar_chart", [1.0, 2.0, 0.0, 4.0], "Four bars", "kind")
    heights = [float(found) for found in re.findall(r'height="([\d.]+)" class="bar"', drawn)]
    assert heights == [39, 78, 0, 156]
    assert Page(drawn).open == []
    assert 'height="0"' in part("charts.svg", "bar_chart", [0.0, 0.0], "Zero", "")


def test_a_line_reaches_from_its_least_to_its_greatest_value() -> None:
    drawn = part("charts.svg", "line_chart", [2.0, 5.0, 3.0], "Profile", "frequency")
    (points,) = re.findall(r'polyline points="([^"]+)" class="curve"', drawn)
    heights = [float(point.split(",")[1]) for point in points.split()]
    assert heights == [166, 10, 114]
    assert ">5<" in drawn
    assert ">2<" in drawn
    assert "nan" not in part("charts.svg", "line_chart", [2.0, 2.0], "Flat", "")

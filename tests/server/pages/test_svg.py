import re

import numpy as np

from server.pages import svg
from server.pages.svg import bar_chart, line_chart
from tests.server.pages.reading import Page


def test_bars_are_as_high_as_their_values() -> None:
    drawn = bar_chart([1.0, 2.0, 0.0, 4.0], label="Four bars", across="kind", line_at=3.0)
    heights = [float(found) for found in re.findall(r'height="([\d.]+)" class="bar"', drawn)]
    assert heights[3] > 0
    assert heights[0] * 4 == heights[3]
    assert heights[1] * 2 == heights[3]
    assert heights[2] == 0
    assert drawn.count('class="limit"') == 1
    assert Page(drawn).open == []


def test_bars_of_nothing_do_not_divide_by_nothing() -> None:
    assert 'height="0"' in bar_chart([0.0, 0.0], label="Zero", across="")


def test_a_line_reaches_from_its_least_to_its_greatest_value() -> None:
    drawn = line_chart({"radial": np.array([2.0, 5.0, 3.0])}, label="Profile", across="frequency")
    (points,) = re.findall(r'polyline points="([^"]+)" class="curve radial"', drawn)
    heights = [float(point.split(",")[1]) for point in points.split()]
    assert heights[0] > heights[2] > heights[1]
    assert ">5<" in drawn
    assert ">2<" in drawn


def test_a_flat_line_is_drawn() -> None:
    drawn = line_chart({"radial": np.array([2.0, 2.0])}, label="Flat", across="")
    assert "nan" not in drawn


def test_words_cannot_become_shapes() -> None:
    hostile = '"><script>alert(1)</script>'
    drawn = svg.drawing(
        [svg.words((0, 0), hostile, hostile), svg.circle((1, 1), 1, hostile, tooltip=hostile)],
        width=1,
        height=1,
        label=hostile,
        kind=hostile,
    )
    page = Page(drawn)
    assert "script" not in page.tags
    assert page.open == []


def test_a_path_needs_two_points() -> None:
    assert svg.path([(1, 1)], "curve") == ""

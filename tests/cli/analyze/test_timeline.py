import re
from dataclasses import replace

import pytest

from cli.analyze.timeline import Timeline, median_step, timeline_of
from cli.analyze.timeline_chart import timeline_chart
from liveness.express.pad_network import PadScore
from liveness.observation import FrameObservation, ScanObservations, SkippedFrame
from server.pages import TEMPLATES, Html
from tests.cli.analyze.samples import observation
from tests.server.pages.reading import Page


def drawn_of(timeline: Timeline, *, timed: bool = True) -> Html:
    chart = timeline_chart(timeline, eyes_shut_level=0.1, timed=timed)
    return Html(TEMPLATES.get_template("charts.svg").module.timeline(chart))  # type: ignore[attr-defined]


def scan(*frames: FrameObservation) -> ScanObservations:
    passed = SkippedFrame(index=99, capture_time=10.25, fingerprint=None, samples=None)
    return ScanObservations(frames=frames, motion=(), passed=(passed,))


@pytest.fixture
def timeline() -> Timeline:
    first, second = observation(0), observation(1, left=66.0)
    third = replace(observation(2, left=66.0), samples=second.samples)
    frames = (first, second, third, observation(3, faces=0), observation(4, faces=2))
    return timeline_of(
        scan(*frames), [PadScore(1, "net_b", 0.25), PadScore(1, "net_a", 0.75), PadScore(77, "net_a", 0.5)]
    )


def test_each_frame_is_a_moment(timeline: Timeline) -> None:
    moments = timeline.moments
    assert [round(each.time, 3) for each in moments] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert [each.faces for each in moments] == [1, 1, 1, 0, 2]
    assert [each.looked for each in moments] == [True, False, True, False, True]
    assert [each.repeated for each in moments] == [False, False, True, False, False]
    assert [each.moved for each in moments] == [None, pytest.approx(0.5), 0.0, None, None]
    assert [each.eyes_open for each in moments] == [
        pytest.approx(0.31),
        pytest.approx(0.31),
        pytest.approx(0.31),
        None,
        pytest.approx(0.31),
    ]
    assert list(timeline.passed) == pytest.approx([0.25])
    assert median_step(timeline) == pytest.approx(0.1)


def test_network_scores_are_drawn_at_their_frame(timeline: Timeline) -> None:
    assert [(each.network, round(each.time, 3)) for each in timeline.networks] == [
        ("net_b", 0.1),
        ("net_a", 0.1),
    ]


def test_the_same_bytes_are_the_same_picture() -> None:
    first = replace(observation(0), fingerprint=7)
    again = replace(observation(1), fingerprint=7)
    assert [each.repeated for each in timeline_of(scan(first, again), []).moments] == [False, True]


def test_everything_is_drawn(timeline: Timeline) -> None:
    drawn = drawn_of(timeline)
    assert [
        len(re.findall(f'class="{kind}"', drawn)) for kind in ("face one", "face none", "face several")
    ] == [3, 1, 1]
    assert len(re.findall('class="repeat"', drawn)) == 1
    assert "net_a 0.75" in drawn
    # The eyes are unknown in one frame: a line for the three before it, and none for the one after.
    assert len(re.findall('class="curve eyes"', drawn)) == 1
    page = Page(drawn)
    assert page.open == []
    assert page.without_words == []
    assert "nan" not in drawn


def test_unknown_values_are_reported_as_unknown() -> None:
    one = replace(observation(0), eyes=None)
    drawn = drawn_of(timeline_of(scan(one), []))
    assert "not measured" in drawn
    assert "no network ran" in drawn
    assert timeline_of(ScanObservations(frames=(), motion=()), []).moments == ()


def test_without_times_each_frame_counts_as_a_second() -> None:
    found = timeline_of(scan(observation(0), observation(3, left=66.0)), [PadScore(3, "n", 1.0)], timed=False)
    assert [each.time for each in found.moments] == [0.0, 1.0]
    assert [each.moved for each in found.moments] == [None, None]
    assert [each.time for each in found.networks] == [1.0]
    assert found.passed == ()


def test_still_frames_are_drawn_by_their_number() -> None:
    found = timeline_of(scan(*map(observation, range(9))), [PadScore(3, "n", 1.0)], timed=False)
    drawn = drawn_of(found, timed=False)
    assert "frame 3: n 1.00" in drawn
    assert " s<" not in drawn
    assert "9 still frames in their order" in drawn

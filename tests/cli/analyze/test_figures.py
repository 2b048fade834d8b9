import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cli.analyze.figures import colour_map, face_speed, pattern_group, repeats, timeline, whole_spectrum
from liveness.express.pad_network import PadScore
from liveness.observation import FrameObservation, ScanObservations, SkippedFrame
from server.pages import Html
from server.pages.rendering import TEMPLATES
from tests.cli.analyze.samples import FACE, observation, picture
from tests.server.pages.reading import Page
from vision.face import Box, DetectedFace


def test_the_whole_spectrum_is_that_of_the_picture() -> None:
    image = np.random.default_rng(2).normal(size=(16, 16))
    half = np.abs(np.fft.rfft2(image)).astype(np.float32)
    expected = np.fft.fftshift(np.abs(np.fft.fft2(image)))
    np.testing.assert_allclose(whole_spectrum(half), expected, rtol=1e-4)


def test_a_grid_shows_in_the_map_and_noise_does_not() -> None:
    noise = picture()
    grid = noise // 8 + 100
    grid[:, ::4] //= 2
    said = [pattern_group(image, FACE).figures[0].caption for image in (noise, grid)]
    strength = [float(re.findall(r"face: the strongest is ([\d.]+) times", each)[0]) for each in said]
    assert strength[1] > 2 * strength[0]


def test_a_small_face_has_no_map() -> None:
    points = np.array([[10, 10], [20, 10], [15, 15], [11, 20], [19, 20]], np.float32)
    small = DetectedFace(box=Box(5, 5, 25, 30), confidence=0.9, five_points=points)
    assert not pattern_group(picture()[:40, :40], small).figures


def test_maps_on_one_scale_compare() -> None:
    weak, strong = np.array([[0.0, 1.0]]), np.array([[0.0, 2.0]])
    maps = [colour_map(values, limits=(0.0, 2.0)) for values in (weak, strong)]
    assert (maps[0][0, 0] == maps[1][0, 0]).all()
    assert (maps[0][0, -1] != maps[1][0, -1]).any()
    flat = colour_map(np.full((2, 2), 7.0))
    assert (flat == flat[0, 0]).all()


def drawn_of(chart: dict[str, Any]) -> Html:
    return Html(TEMPLATES.get_template("charts.svg").module.time_chart(chart))  # type: ignore[attr-defined]


def scan(*frames: FrameObservation) -> ScanObservations:
    passed = SkippedFrame(index=99, capture_time=10.25, fingerprint=None, samples=None)
    return ScanObservations(frames=frames, motion=(), passed=(passed,))


@pytest.fixture
def frames() -> tuple[FrameObservation, ...]:
    first, second = observation(0), observation(1, left=66.0)
    third = replace(observation(2, left=66.0), samples=second.samples)
    return first, second, third, observation(3, faces=0), observation(4, faces=2)


@pytest.fixture
def chart(frames: tuple[FrameObservation, ...]) -> dict[str, Any]:
    scores = [PadScore(1, "net_b", 0.25), PadScore(1, "net_a", 0.75), PadScore(77, "net_a", 0.5)]
    return timeline(scan(*frames), scores, timed=True)


def test_each_frame_is_a_cell_and_repeated_ones_are_marked(chart: dict[str, Any]) -> None:
    faces, repeated, *_ = chart["rows"]
    assert [hint for *_, hint in faces["cells"]] == [
        "0.00 s: one face",
        "0.10 s: one face, followed",
        "0.20 s: one face",
        "0.30 s: no face, followed",
        "0.40 s: 2 faces",
    ]
    assert [hint for *_, hint in repeated["cells"]] == ["0.20 s: the same image as before"]
    assert all(width == pytest.approx(126) for _, width, *_ in faces["cells"])


def test_movement_is_measured_between_two_frames_with_a_face(frames: tuple[FrameObservation, ...]) -> None:
    assert face_speed(frames[0], frames[1]) == pytest.approx(0.5)
    assert face_speed(frames[1], frames[2]) == 0.0
    assert face_speed(frames[2], frames[3]) is None
    assert face_speed(frames[3], frames[4]) is None


def test_values_are_drawn_between_zero_and_the_largest(chart: dict[str, Any]) -> None:
    _, _, eyes, moved, _ = chart["rows"]
    assert [text for _, text in eyes["scale"]] == ["0.31", "0"]
    assert [text for _, text in moved["scale"]] == ["0.5", "0"]
    ((_, points),) = eyes["curves"]
    assert [point.split(",")[0] for point in points.split()] == ["118.00", "244.00", "370.00"]


def test_network_scores_are_drawn_at_their_frame(chart: dict[str, Any]) -> None:
    dots = chart["rows"][-1]["dots"]
    assert [(round(x), kind, hint) for x, _, kind, hint in dots] == [
        (244, "kind1", "0.10 s: net_b 0.25"),
        (244, "kind0", "0.10 s: net_a 0.75"),
    ]


def test_the_same_bytes_are_the_same_picture() -> None:
    first = replace(observation(0), fingerprint=7)
    assert repeats(first, replace(observation(1), fingerprint=7))
    assert not repeats(first, replace(observation(1), fingerprint=8))


def test_everything_is_drawn(chart: dict[str, Any]) -> None:
    drawn = drawn_of(chart)
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
    drawn = drawn_of(timeline(scan(replace(observation(0), eyes=None)), [], timed=True))
    assert drawn.count("not measured") == 2
    assert "no network ran" in drawn


def test_still_frames_are_drawn_by_their_number() -> None:
    chart = timeline(scan(*map(observation, range(9))), [PadScore(3, "n", 1.0)], timed=False)
    drawn = drawn_of(chart)
    assert "frame 3: n 1.00" in drawn
    assert " s<" not in drawn
    assert "9 still frames in their order" in drawn
    assert chart["rows"][3]["absent"] == "not measured"

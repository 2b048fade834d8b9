"""Each cue is higher where its trace was drawn, and missing where it cannot be measured."""

import pytest

from research.screens_in_time.cues import time_cues
from research.screens_in_time.drawn import draw_trace
from tests.research.screens_in_time.scenes import images_of, person_in_room


@pytest.mark.parametrize(
    ("trace", "strength", "cue"),
    [
        ("bands", 2.0, "drifting stripes"),
        ("bands", 2.0, "drifting stripes near the face"),
        ("repeated steps", 4.0, "common steps"),
        ("one step", 4.0, "largest common step"),
        ("reflection", 12.0, "fixed layer"),
        ("refocus", 1.0, "common focus"),
    ],
)
def test_a_drawn_trace_raises_its_cue(trace: str, strength: float, cue: str) -> None:
    frames = person_in_room(sway=20)
    drawn = draw_trace(trace, strength, frames, images_of(frames))
    assert time_cues(drawn, [cue])[cue] > time_cues(frames, [cue])[cue] + 0.2


def test_focus_that_is_held_on_an_approaching_face_raises_constant_focus() -> None:
    frames = person_in_room(approach=0.2)
    drawn = draw_trace("held focus", 1.0, frames, images_of(frames))
    before, after = (time_cues(scan, ["constant focus"])["constant focus"] for scan in (frames, drawn))
    assert before < after <= 0
    assert abs(after) < abs(before) / 2


def test_unmeasured_cues_are_missing() -> None:
    cues = time_cues(person_in_room())
    assert "fixed layer" not in cues
    assert "constant focus" not in cues
    assert "drifting stripes" in cues


def test_only_the_named_cues_are_measured() -> None:
    assert list(time_cues(person_in_room(), ["common focus"])) == ["common focus"]

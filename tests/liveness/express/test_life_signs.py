"""Signs of life in motion."""

from pathlib import Path

import pytest

from evaluation.scans import clip_windows, observe_scan
from liveness.express.life_signs import has_sign_of_life, life_signs
from liveness.signal import assessed, not_assessed
from matcher.persons import SCAN_SUBJECT
from tests.liveness.builders import scan
from tests.packs import shared_pack


def test_only_assessed_signals_of_motion_are_signs() -> None:
    planar = assessed(name="planar_motion", label="", score=0.9, detail="")
    still = assessed(name="micro_motion", label="", score=0.1, detail="")
    others = (
        assessed(name="blink", label="", score=0.95, detail=""),
        assessed(name="pad_network", label="", score=1.0, detail=""),
        not_assessed(name="planar_motion", label="", reason="the face is too small"),
    )
    assert life_signs((planar, still, *others)) == (planar, still)
    assert life_signs(others) == ()


def test_a_scan_without_motion_has_none() -> None:
    assert not has_sign_of_life(scan())


@pytest.mark.parametrize(
    ("clip", "moves"),
    [
        ("video/live/KwaiVGI__assets__examples__driving__d3.mp4", True),
        ("video_more/live/rohintangirala__videos__face.mp4", False),
    ],
)
def test_a_moving_person_has_a_life_sign_and_a_still_one_has_none(
    clip: str, moves: bool, assets: Path
) -> None:
    pack = shared_pack(f"open:{assets / 'models'}")
    window = next(clip_windows(assets / "data" / clip))
    assert has_sign_of_life(observe_scan(window, pack, subject=SCAN_SUBJECT)) is moves

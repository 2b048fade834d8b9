from pathlib import Path

import pytest

from liveness.dynamic.policy import ChallengeFinding
from research.movement import Approacher, Case, play
from simulator import Geometry, Photo
from simulator.photo import builtin_photos
from tests.packs import real_pack, shared_pack
from vision.packs import Pack

pytestmark = pytest.mark.slow

_PERSON = "0a1b2c3d4e5f"


@pytest.fixture(scope="module")
def pack(assets: Path) -> Pack:
    return shared_pack(f"open:{assets / 'models'}")


@pytest.fixture(scope="module")
def photo() -> Photo:
    found = real_pack()
    return builtin_photos(detector=found.detector, landmarker=found.landmarker, names=("astronaut",))[
        "astronaut"
    ]


def test_a_person_fills_both_ovals_and_is_no_picture(photo: Photo, pack: Pack) -> None:
    played = [
        play(Case(Approacher.GENUINE, _PERSON, geometry, attempt), photo, pack=pack)
        for geometry in Geometry
        for attempt in range(2)
    ]
    assert any(one.ovals_filled >= 2 for one in played)
    assert any(one.result.finding is ChallengeFinding.RIGHT for one in played)
    assert all(one.result.finding is not ChallengeFinding.WRONG for one in played)


@pytest.mark.parametrize("approacher", [Approacher.PRINT, Approacher.BENT_PRINT, Approacher.SCREEN_REPLAY])
def test_a_flat_image_is_never_right(photo: Photo, pack: Pack, approacher: Approacher) -> None:
    played = play(Case(approacher, _PERSON, Geometry.RELIEF, 0), photo, pack=pack)
    assert played.result.finding is not ChallengeFinding.RIGHT


def test_a_film_does_not_listen(photo: Photo, pack: Pack) -> None:
    played = play(Case(Approacher.RECORDED_APPROACH, _PERSON, Geometry.RELIEF, 0), photo, pack=pack)
    assert played.ovals_filled < 2
    assert played.result.finding is ChallengeFinding.ABSENT

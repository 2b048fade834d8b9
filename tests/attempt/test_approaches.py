"""Simulated people and attackers in the movement challenge, from the first oval to the finding."""

from pathlib import Path

import pytest

from lab.simulator import FlashKind, Geometry, Photo
from lab.simulator.photo import builtin_photos
from liveness.dynamic.policy import ChallengeFinding
from tests.attempt.approaches import Approacher, Case, play, settings_of
from tests.packs import real_pack, shared_pack
from vision.packs import Pack


def _case(approacher: Approacher, *, geometry: Geometry = Geometry.RELIEF) -> Case:
    return Case(approacher=approacher, person="0a1b2c3d4e5f", geometry=geometry, attempt=0)


def test_attackers_match_their_names() -> None:
    bent, flat = settings_of(_case(Approacher.BENT_PRINT)), settings_of(_case(Approacher.PRINT))
    assert bent.kind is flat.kind is FlashKind.PRINT
    assert bent.sheet.bend > 5 * flat.sheet.bend
    assert settings_of(_case(Approacher.TILTED_PRINT)).sheet.yaw_degrees > 2 * flat.sheet.yaw_degrees
    assert settings_of(_case(Approacher.RECORDED_APPROACH)).kind is FlashKind.GENUINE
    assert settings_of(_case(Approacher.STILL)).motion.yaw_degrees < 0.5


@pytest.fixture(scope="module")
def pack(assets: Path) -> Pack:
    return shared_pack(f"open:{assets / 'models'}")


@pytest.fixture(scope="module")
def photo() -> Photo:
    found = real_pack()
    return builtin_photos(detector=found.detector, landmarker=found.landmarker, names=("astronaut",))[
        "astronaut"
    ]


@pytest.mark.slow
def test_a_person_fills_both_ovals_and_is_no_picture(photo: Photo, pack: Pack) -> None:
    played = [play(_case(Approacher.GENUINE, geometry=geometry), photo, pack=pack) for geometry in Geometry]
    assert any(one.ovals_filled >= 2 for one in played)
    assert any(one.finding is ChallengeFinding.RIGHT for one in played)
    assert all(one.finding is not ChallengeFinding.WRONG for one in played)


@pytest.mark.slow
def test_a_bent_print_is_not_right(photo: Photo, pack: Pack) -> None:
    played = play(_case(Approacher.BENT_PRINT), photo, pack=pack)
    assert played.finding is not ChallengeFinding.RIGHT


@pytest.mark.slow
def test_a_film_does_not_listen(photo: Photo, pack: Pack) -> None:
    played = play(_case(Approacher.RECORDED_APPROACH), photo, pack=pack)
    assert played.ovals_filled < 2
    assert played.finding is ChallengeFinding.ABSENT

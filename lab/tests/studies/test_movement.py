"""The study of the movement challenge."""

import json
from pathlib import Path

import pytest

from lab.simulator import FlashKind, Geometry, Photo
from lab.simulator.photo import builtin_photos
from lab.studies.movement import Approacher, Case, Row, main, play, report, settings_of
from lab.tests.studies.parts import small_assets, some_photos
from liveness.dynamic.policy import ChallengeFinding
from tests.packs import real_pack, shared_pack
from vision.packs import Pack


def _case(approacher: Approacher, *, attempt: int = 0, geometry: Geometry = Geometry.RELIEF) -> Case:
    return Case(approacher=approacher, person="0a1b2c3d4e5f", geometry=geometry, attempt=attempt)


def test_attackers_match_their_names() -> None:
    bent, flat = settings_of(_case(Approacher.BENT_PRINT)), settings_of(_case(Approacher.PRINT))
    assert bent.kind is flat.kind is FlashKind.PRINT
    assert bent.sheet.bend > 5 * flat.sheet.bend
    assert settings_of(_case(Approacher.TILTED_PRINT)).sheet.yaw_degrees > 2 * flat.sheet.yaw_degrees
    assert settings_of(_case(Approacher.RECORDED_APPROACH)).kind is FlashKind.GENUINE
    assert settings_of(_case(Approacher.STILL)).motion.yaw_degrees < 0.5


@pytest.mark.timeout(1200)
def test_a_print_comes_closer_to_both_heads(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = small_assets(
        assets, tmp_path / "assets", photos=some_photos(assets / "data/faces", people=1, each=2)
    )
    rows = tmp_path / "rows.jsonl"
    options = ["--people", "1", "--attempts", "1", "--only", "PRINT", "--rows", str(rows)]
    assert main(["--assets", str(made), *options]) == 0
    played = [json.loads(line) for line in rows.read_text("utf-8").splitlines()]
    assert [row["geometry"] for row in played] == ["relief", "ellipsoid"]
    assert all(row["finding"] != "RIGHT" for row in played)
    assert "| print | relief | 1:" in capsys.readouterr().out


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


@pytest.mark.slow
def test_a_person_fills_both_ovals_and_is_no_picture(photo: Photo, pack: Pack) -> None:
    played = [
        play(Case(Approacher.GENUINE, _PERSON, geometry, attempt), photo, pack=pack)
        for geometry in Geometry
        for attempt in range(2)
    ]
    assert any(one.ovals_filled >= 2 for one in played)
    assert any(one.result.finding is ChallengeFinding.RIGHT for one in played)
    assert all(one.result.finding is not ChallengeFinding.WRONG for one in played)


@pytest.mark.slow
def test_a_bent_print_is_not_right(photo: Photo, pack: Pack) -> None:
    played = play(Case(Approacher.BENT_PRINT, _PERSON, Geometry.RELIEF, 0), photo, pack=pack)
    assert played.result.finding is not ChallengeFinding.RIGHT


@pytest.mark.slow
def test_a_film_does_not_listen(photo: Photo, pack: Pack) -> None:
    played = play(Case(Approacher.RECORDED_APPROACH, _PERSON, Geometry.RELIEF, 0), photo, pack=pack)
    assert played.ovals_filled < 2
    assert played.result.finding is ChallengeFinding.ABSENT


def _row(finding: str, *, approacher: str = "GENUINE", person: str = "a", attempt: int = 0) -> Row:
    return Row(
        approacher=approacher,
        person=person,
        geometry="relief",
        attempt=attempt,
        finding=finding,
        ovals_filled=2,
        seconds=4.5,
        seen=None,
    )


def test_people_are_counted_once_and_attempts_all() -> None:
    rows = [
        _row("NOT_MEASURABLE", person="a"),
        _row("RIGHT", person="a", attempt=1),
        _row("RIGHT", person="b"),
        _row("ABSENT", person="c"),
        _row("WRONG", approacher="PRINT", person="a"),
    ]
    lines = report(rows).splitlines()
    assert lines[2].startswith("| genuine person | relief | 4: 2 / 0 / 1 / 1 | 2 of 3 [9, 99 %] |")
    assert lines[3].startswith("| print | relief | 1: 0 / 1 / 0 / 0 | 0 of 1 [0, 98 %] |")
    assert len(lines) == 4

import csv
from pathlib import Path

import pytest

from research.liveness_fairness.__main__ import main
from research.liveness_fairness.compare import compare, holm
from research.liveness_fairness.measure import read_photos
from research.liveness_fairness.skin import tone_class
from tests.research.parts import SHORT_CLIPS, part_of, small_assets


def test_photos_are_judged_once_and_compared_by_group(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = assets / "data/faces_groups"
    if not folder.is_dir():
        pytest.skip("the test assets have no photos by group")
    made = small_assets(assets, tmp_path / "assets", clips=list(SHORT_CLIPS[:1]))
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    chosen = [
        row["file"] for sex in ("Female", "Male") for row in [row for row in rows if row["sex"] == sex][:2]
    ]
    part_of(folder, made / "data/faces_groups", chosen)
    photos = tmp_path / "photos.jsonl"
    arguments = [str(made), "--pack", f"open:{made / 'models'}", "--photos", str(photos)]
    assert main(arguments) == 0
    judged = read_photos(photos)
    assert {photo.name for photo in judged} == set(chosen)
    assert all(photo.verdict in {"LIVE", "SPOOF", "INCONCLUSIVE"} for photo in judged)
    assert any(photo.tone is not None for photo in judged)
    printed = capsys.readouterr().out
    assert "Female" in printed
    assert "whole frame" in printed


def test_a_level_that_fails_more_often_is_reported() -> None:
    found = compare({"a": (40, 50), "b": (10, 50), "c": (9, 50), "none": (0, 0)})
    assert set(found.shares) == {"a", "b", "c"}
    assert found.against_rest["a"] < 0.001
    assert found.overall < 0.01
    assert found.shares["a"].lower < 0.8 < found.shares["a"].upper


def test_holm_multiplies_the_smallest_value_by_the_number_of_tests() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


def test_classes_of_skin_tone_go_from_very_light_to_dark() -> None:
    assert [tone_class(angle) for angle in (60, 50, 30, 20, 0, -40)] == [
        "very light",
        "light",
        "intermediate",
        "tan",
        "brown",
        "dark",
    ]

from pathlib import Path

import pytest

from research.scan_match.__main__ import main
from tests.research.parts import SHORT_CLIPS, small_assets, some_photos
from vision.packs.calibration import parse_calibration


@pytest.fixture(scope="module")
def made(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = some_photos(assets / "data/faces", people=4, each=2)
    return small_assets(assets, tmp_path_factory.mktemp("assets"), photos=photos, clips=list(SHORT_CLIPS))


def _clips(made: Path) -> list[str]:
    return ["--clips", str(made / "data/video/live"), "--scans", "1", "--seconds", "2.5"]


def test_scans_give_a_calibration_that_a_pack_can_carry(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "calibration.toml"
    options = ["--pack", f"open:{made / 'models'}", "--faces", str(made / "data/faces"), "--out", str(out)]
    assert main(["calibrate", *options, *_clips(made), "--resamples", "50"]) == 0
    calibration = parse_calibration(out.read_text("utf-8"), source="made")
    assert calibration.record.identities >= 4
    assert str(made) not in calibration.record.command
    assert "2 scans" in capsys.readouterr().out


def test_a_change_of_person_is_looked_for(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--pack", f"open:{made / 'models'}", *_clips(made), "--each", "1"]
    assert main(["constancy", *options]) == 0
    assert "One person: 2 scans of 2 persons" in capsys.readouterr().out


def test_a_folder_without_clips_is_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["constancy", "--pack", "embedded", "--clips", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("could not measure: ")

from pathlib import Path

import pytest

from research.screens_in_time.measure import main as measure
from research.screens_in_time.scans import read_scans
from research.screens_in_time.table import main as table
from tests.research.parts import SHORT_CLIPS, small_assets


@pytest.mark.timeout(180)
def test_drawn_traces_are_compared_with_their_live_clips(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = small_assets(assets, tmp_path / "assets", clips=list(SHORT_CLIPS[:1]))
    scans = tmp_path / "scans"
    assert measure([str(made), "--pack", f"open:{made / 'models'}", "--out", str(scans)]) == 0
    assert {scan.trace for scan in read_scans(scans)} >= {"", "bands", "refocus"}
    assert table([str(scans)]) == 0
    printed = capsys.readouterr().out
    assert "0 scans of screens" in printed
    assert "drawn into live clips" in printed
    assert any("refocus" in line and "common focus" in line for line in printed.splitlines())


def test_a_pack_that_is_not_there_is_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure([str(tmp_path), "--pack", "no-such-pack", "--out", str(tmp_path / "scans")]) == 2
    assert capsys.readouterr().err.startswith("could not measure: ")


def test_a_file_that_is_not_there_is_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert table([str(tmp_path / "scans")]) == 2
    assert capsys.readouterr().err.startswith("could not compare: ")

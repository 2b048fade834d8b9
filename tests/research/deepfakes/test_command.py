from pathlib import Path

import pytest

from research.deepfakes.__main__ import main
from tests.research.parts import small_assets

_PAIR = ["live/quentin-csg__videos__real.mp4", "spoof/quentin-csg__videos__fake.mp4"]


def test_a_file_is_compared_with_its_source(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = small_assets(assets, tmp_path / "assets", clips=_PAIR)
    assert main([str(made), "--pack", f"open:{made / 'models'}"]) == 0
    printed = capsys.readouterr().out
    assert "1 live clips, 1 deepfake files" in printed
    for mark in ("noise", "JPEG grid", "identity flicker", "landmark flicker"):
        assert mark in printed


def test_a_pack_that_is_not_there_is_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--pack", "no-such-pack"]) == 2
    assert capsys.readouterr().err.startswith("could not measure: ")

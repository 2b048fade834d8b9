from pathlib import Path

import pytest

from research.screens_in_time.__main__ import main
from tests.research.parts import SHORT_CLIPS, small_assets


@pytest.mark.timeout(120)
def test_drawn_screens_are_compared_with_their_live_clips(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = small_assets(assets, tmp_path / "assets", clips=list(SHORT_CLIPS))
    assert main([str(made), "--pack", f"open:{made / 'models'}", "--drawn"]) == 0
    printed = capsys.readouterr().out
    assert "2 live clips, 2 drawn screens" in printed
    for cue in ("drifting stripes", "common steps"):
        assert cue in printed


def test_a_pack_that_is_not_there_is_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--pack", "no-such-pack"]) == 2
    assert capsys.readouterr().err.startswith("could not measure: ")

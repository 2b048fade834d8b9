from pathlib import Path

import pytest

from evaluation.binomial import proportion
from research.device_alarms.__main__ import main, may_decide
from tests.research.device_alarms.clips import made_clip, made_scan


def test_assets_that_are_not_there_are_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("could not measure: ")


def test_clips_and_pictures_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips, stills = tmp_path / "data/video/live", tmp_path / "data/pad/live"
    clips.mkdir(parents=True)
    stills.mkdir(parents=True)
    for name in ("one", "other"):
        made_clip(clips / f"{name}.avi", 120)
    (stills / "still.jpg").write_bytes(made_scan(1).jpegs[0])
    assert main([str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "false alarms on live material" in printed
    assert "memory.similarity, copies, mirrored: " in printed
    assert "ms on one thread" in printed


@pytest.mark.parametrize(
    ("hits", "trials", "word"), [(0, 19, "not shown"), (0, 400, "yes"), (1, 19, "no"), (9, 400, "no")]
)
def test_a_signal_may_decide_alone_where_its_rate_is_shown(hits: int, trials: int, word: str) -> None:
    rate = proportion(hits, trials, confidence=0.95)
    assert may_decide(rate, rate) == word


def test_without_material_nothing_may_decide() -> None:
    assert may_decide(None, None) == "no"

from pathlib import Path

import pytest

from evaluation.binomial import proportion
from research.device_alarms.__main__ import main, may_decide


def test_assets_that_are_not_there_are_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("could not measure: ")


@pytest.mark.parametrize(
    ("hits", "trials", "word"), [(0, 19, "not shown"), (0, 400, "yes"), (1, 19, "no"), (9, 400, "no")]
)
def test_a_signal_may_decide_alone_where_its_rate_is_shown(hits: int, trials: int, word: str) -> None:
    rate = proportion(hits, trials, confidence=0.95)
    assert may_decide(rate, rate) == word


def test_without_material_nothing_may_decide() -> None:
    assert may_decide(None, None) == "no"

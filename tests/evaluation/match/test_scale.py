"""The measurement of many templates, with few."""

import pytest

from tests.evaluation.match.scale import main


def test_more_memory_than_is_allowed_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(200) == 0
    assert main(200, most=1) == 1
    output = capsys.readouterr().out
    assert output.count("200 templates, 19,800 impostor comparisons") == 2
    assert output.count("GiB that are allowed") == 1

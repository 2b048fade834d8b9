from collections.abc import Callable
from pathlib import Path

import pytest

from lab.studies import selfie_weights
from lab.studies.liveness_fusion import measure as liveness_fusion
from lab.studies.scan_match import __main__ as scan_match


@pytest.mark.parametrize(
    ("main", "options"),
    [
        (scan_match.main, ["calibrate", "--pack", "embedded", "--faces", "{}", "--clips", "{}"]),
        (selfie_weights.main, ["--assets", "{}", "--pack", "no-such-pack"]),
        (liveness_fusion.main, ["--assets", "{}", "--pack", "no-such-pack"]),
    ],
)
def test_missing_assets_are_reported_in_one_line(
    main: Callable[[list[str]], int], options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = [] if main is selfie_weights.main else ["--out", str(tmp_path / "rows")]
    (tmp_path / "models").mkdir()
    assert main([*(option.format(tmp_path) for option in options), *out]) == 2
    assert capsys.readouterr().err.startswith("could not measure: ")
    assert not (tmp_path / "rows").exists()

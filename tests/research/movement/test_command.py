import json
from pathlib import Path

import pytest

from research.movement import main
from tests.research.parts import small_assets, some_photos


@pytest.mark.timeout(300)
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


def test_missing_assets_are_reported_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--assets", str(tmp_path), "--rows", str(tmp_path / "rows")]) == 2
    assert capsys.readouterr().err.startswith("could not measure: ")

"""One whole check through the command."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

from research.whole_checks.__main__ import main

_CORRECTIONS = Path(__file__).parents[3] / "evaluation" / "label_corrections.toml"


@pytest.mark.slow
def test_a_check_of_an_attacker_fails_and_is_not_repeated(assets: Path, tmp_path: Path) -> None:
    rows, policies = tmp_path / "rows.jsonl", tmp_path / "policies"
    policies.mkdir()
    shipped = files("server.policies") / "shipped" / "dynamic.toml"
    own = shipped.read_text(encoding="utf-8").replace('name = "dynamic"', 'name = "own"')
    (policies / "own.toml").write_text(own, encoding="utf-8")
    arguments = ["--assets", str(assets), "--rows", str(rows), "--corrections", str(_CORRECTIONS)]
    arguments += ["--policies", str(policies), "--policy", "own"]
    arguments += ["--kind", "injected-tint", "--ambient", "indoor", "--people", "1", "--size", "240x320"]
    assert main(arguments) == 0
    (row,) = (json.loads(line) for line in rows.read_text().splitlines())
    assert row["kind"] == "injected-tint"
    assert row["status"] == "FAILURE"
    assert row["attempts"] >= 1
    assert main(arguments) == 0
    assert len(rows.read_text().splitlines()) == 1


def test_an_unusable_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--assets", str(tmp_path), "--rows", str(tmp_path / "rows"), "--kind", "print"]
    assert main([*arguments, "--ambient", "dark"]) == 2
    assert capsys.readouterr().err.startswith("could not run the checks: ")

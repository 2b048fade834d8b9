import re
from pathlib import Path

import pytest

from liveness.selfie import SIGNAL_NAMES
from research import selfie_weights as command
from vision.packs import Pack


def test_the_command_prints_weights_that_sum_to_1(
    assets_folder: Path, known_pack: Pack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "load_pack", lambda spec: known_pack)
    assert command.main(["--assets", str(assets_folder), "--pack", "known"]) == 0
    output = capsys.readouterr().out
    weights = {name: float(value) for name, value in re.findall(r"^(\w+) = ([\d.]+)$", output, re.MULTILINE)}
    assert set(weights) == set(SIGNAL_NAMES)
    assert sum(weights.values()) == pytest.approx(1)
    assert "without a face: 1 live, 0 attacks" in output
    assert re.search(r"mean error of the chosen weights [\d.]+; each fold by the others' [\d.]+", output)


def test_an_error_prints_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--assets", str(tmp_path), "--pack", "no-such-pack"]) == 2
    assert capsys.readouterr().err.startswith("could not measure: ")

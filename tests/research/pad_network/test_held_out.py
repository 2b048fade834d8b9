from pathlib import Path

import numpy as np
import pytest

from research.pad_network.held_out import held_out_names, main
from research.pad_network.material import HELD_OUT, Region
from research.pad_network.stages import Workplace


def region(name: str, *, is_live: bool) -> Region:
    nothing = np.zeros((4, 4, 3), np.uint8)
    return Region("a", "s", is_live, "" if is_live else "print", name, nothing, (), np.zeros(3, np.float32))


def test_held_out_files_have_the_names_of_the_manifest() -> None:
    place = Workplace(
        folder=Path("work"),
        regions=[
            region("1.jpg", is_live=True),
            region("2.jpg", is_live=True),
            region("3.jpg", is_live=False),
        ],
        fold=np.array([HELD_OUT, 0, HELD_OUT]),
        person=np.array([0, 1, 2]),
    )
    assert held_out_names(place) == ("live/1.jpg", "spoof/3.jpg")


def test_missing_regions_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--work", str(tmp_path), "--out", str(tmp_path / "list.txt")]) == 2
    assert "could not list" in capsys.readouterr().err
    assert not (tmp_path / "list.txt").exists()

"""The painted covers and the command; its figures are in docs/liveness.md."""

from pathlib import Path

import numpy as np
import pytest

from research.occlusion import Painted, main, painted
from vision.face import BgrImage

_EYES = np.array([[[37.0, 46.0], [63.0, 46.0]], [[94.0, 46.0], [120.0, 46.0]]])


def _part() -> BgrImage:
    return np.full((160, 158, 3), (110, 140, 190), np.uint8)


@pytest.mark.parametrize(
    ("what", "covered", "bare"),
    [
        (Painted.MASK, (120, 79), (46, 50)),
        (Painted.OBJECT, (110, 79), (110, 38)),
        (Painted.LENSES, (46, 50), (120, 79)),
    ],
)
def test_a_cover_is_where_it_belongs(what: Painted, covered: tuple[int, int], bare: tuple[int, int]) -> None:
    part = _part()
    made = painted(part, _EYES, what, np.random.default_rng(4))
    assert made.shape == part.shape
    assert (made[bare] == part[bare]).all()
    assert np.abs(made[covered].astype(int) - part[covered]).max() > 20
    assert (part == _part()).all()


def test_one_seed_paints_the_same_cover() -> None:
    one, other = (painted(_part(), _EYES, Painted.MASK, np.random.default_rng(9)) for _ in range(2))
    assert (one == other).all()


def test_missing_assets_end_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--assets", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("could not measure: ")

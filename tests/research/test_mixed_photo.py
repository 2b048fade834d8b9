"""The films of one photo show what they say: skin that changes, and another picture that comes and goes."""

import numpy as np
import pytest

from research.mixed_photo import SKINS, changed_skin, filtered, mirrored, mixed, morphed_onto, placed_onto
from tests.liveness.builders import HEIGHT, WIDTH, face_at
from vision.face import BgrImage, Points

_TIMES = np.arange(0, 6, 0.5)


def _photo() -> BgrImage:
    return np.random.default_rng(1).integers(60, 190, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def _marks() -> Points:
    x, y = face_at().five_points.mean(axis=0)
    turns = np.linspace(0, 10 * np.pi, 100, endpoint=False)
    reach = np.repeat(np.linspace(0.2, 1, 5), 20)
    across, down = 80 * reach * np.cos(turns), 100 * reach * np.sin(turns)
    return np.column_stack([x + across, y + down]).astype(np.float32)


@pytest.mark.parametrize("name", SKINS)
def test_skin_changes_over_time_and_stays_the_same_photo(name: str) -> None:
    photo = _photo()
    shown = changed_skin(name, lambda _: photo, marks=_marks(), seed=1)
    x, y = (round(float(at)) for at in _marks().mean(axis=0))
    skin = np.array([shown(time)[y - 40 : y + 40, x - 40 : x + 40] for time in _TIMES], np.float32)
    assert float(skin.std(axis=0).mean()) > 0.5
    likeness = np.corrcoef(skin[0].ravel(), photo[y - 40 : y + 40, x - 40 : x + 40].ravel())[0, 1]
    assert likeness > 0.5


def test_a_mixed_picture_comes_and_goes() -> None:
    photo, other = _photo(), mirrored(_photo())
    shown = mixed(lambda _: photo, other, seed=1)
    away = [float(np.abs(shown(time).astype(float) - photo).mean()) for time in _TIMES]
    assert max(away) > 10
    assert min(away) < max(away) / 2


def test_another_picture_is_laid_onto_the_face() -> None:
    photo, marks = _photo(), _marks()
    assert np.array_equal(placed_onto(photo, marks, marks), photo)
    assert np.abs(morphed_onto(photo, marks, marks).astype(int) - photo).max() <= 1
    moved = placed_onto(photo, marks, marks + 10)
    assert np.abs(moved[30:-30, 30:-30].astype(int) - photo[20:-40, 20:-40]).max() <= 2
    assert filtered(photo).shape == photo.shape

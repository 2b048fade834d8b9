"""The positive controls of shown pictures: each warp bends the face as far as it says."""

import numpy as np
import pytest

from liveness import face_extent
from liveness.shown_picture import PictureChange
from research.shown_picture import WARPS, FramedPhoto, set_lines
from tests.liveness.builders import FACE, HEIGHT, WIDTH, face_at
from vision.face import Landmarks

_STRENGTH = 0.03


def _photo() -> FramedPhoto:
    rng = np.random.default_rng(1)
    face = face_at()
    x, y, width = FACE
    angles, reach = rng.uniform(0, 2 * np.pi, 120), np.sqrt(rng.uniform(0, 1, 120)) * width / 2
    points = np.column_stack([x + reach * np.cos(angles), y + reach * np.sin(angles)]).astype(np.float32)
    depth = np.sqrt(np.maximum(0, (width / 2) ** 2 - reach**2)).astype(np.float32)
    extent = face_extent(face)
    return FramedPhoto(
        picture=rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8),
        face=(extent.x, extent.y, extent.width),
        found=face,
        marks=Landmarks(points=points, scheme="test", depth=-depth),
    )


@pytest.mark.parametrize("name", WARPS)
def test_a_warp_moves_the_face_by_about_its_strength_and_never_tears_away(name: str) -> None:
    photo = _photo()
    warp = WARPS[name](photo, _STRENGTH, 1)
    x, y, width = photo.face
    rows = slice(round(y - width / 2), round(y + width / 2))
    columns = slice(round(x - width / 2), round(x + width / 2))
    moved = np.array([np.hypot(*warp(time))[rows, columns] for time in np.arange(0, 6, 0.25)]) / width
    assert 0.1 * _STRENGTH < float(np.sqrt(np.square(moved).mean())) < 3 * _STRENGTH
    # It moves over time, and not only once.
    assert float(np.ptp(moved, axis=0).max()) > 0.3 * _STRENGTH
    assert float(moved.max()) < 10 * _STRENGTH


def test_the_lines_are_set_by_people_alone() -> None:
    changes = [PictureChange(new=float(value), bend=0.02) for value in range(10, 41)]
    still = [PictureChange(new=1.0, bend=0.001)]
    lines = set_lines([*changes, *still])
    # Far below the least change of a face that bends; the still one is a doubt and never certain.
    assert lines.certain == pytest.approx(10 / 2.4)
    assert 10 < lines.possible < 13
    assert lines.doubts(still[0])
    assert not lines.convicts(still[0])
    assert lines.convicts(PictureChange(new=4.1, bend=0.02))

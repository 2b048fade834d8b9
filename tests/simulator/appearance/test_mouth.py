import numpy as np
import pytest

from simulator import Photo
from simulator.face_parts import Mouth, MouthPlace
from vision.face import BgrImage

_GAP = 24.0


def _inside(image: BgrImage) -> np.typing.NDArray[np.bool_]:
    return np.asarray((image[..., :3] == (25, 20, 45)).all(axis=2))


def _mouth(photo: Photo, *, chin_moves: bool = True) -> Mouth:
    return Mouth(MouthPlace.of_68(photo.landmarks), chin_moves=chin_moves)


def test_a_shut_mouth_leaves_the_image_unchanged(astronaut: Photo) -> None:
    assert _mouth(astronaut).opened(astronaut.pixels, 0.0) is astronaut.pixels


@pytest.mark.parametrize("chin_moves", [True, False])
def test_the_gap_opens_below_the_upper_teeth(astronaut: Photo, chin_moves: bool) -> None:
    before = astronaut.pixels.copy()
    shown = _mouth(astronaut, chin_moves=chin_moves).opened(astronaut.pixels, _GAP)
    assert (astronaut.pixels == before).all(), "the image itself is not changed"
    x, lip = np.round(astronaut.landmarks[66]).astype(int)
    rows = np.flatnonzero(_inside(shown)[:, x])
    assert len(rows) == pytest.approx(_GAP, abs=2)
    assert rows[0] == pytest.approx(lip, abs=2)
    above = int(astronaut.landmarks[48:, 1].min())
    assert (shown[:above] == before[:above]).all()
    assert (shown[: rows[0] - 3, x] == before[: rows[0] - 3, x]).all()
    columns = np.flatnonzero(_inside(shown).any(axis=0))
    corners = astronaut.landmarks[[48, 54], 0]
    assert corners[0] - 1 <= columns[0] < columns[-1] <= corners[1] + 1
    # The lower lip comes along.
    assert np.abs(shown[rows[-1] + 2, x].astype(int) - before[lip + 2, x]).max() < 40


def test_the_chin_moves_with_the_jaw_and_that_of_a_mask_does_not(astronaut: Photo) -> None:
    x, chin = np.round(astronaut.landmarks[8]).astype(int)
    with_jaw, lips = (
        _mouth(astronaut, chin_moves=moves).opened(astronaut.pixels, _GAP) for moves in (True, False)
    )
    moved = with_jaw[chin - 8 + round(_GAP) : chin - 2 + round(_GAP), x].astype(int)
    assert np.abs(moved - astronaut.pixels[chin - 8 : chin - 2, x]).max() < 25
    assert (lips[chin - 2 :] == astronaut.pixels[chin - 2 :]).all()


def test_lips_in_a_hole_open_no_wider_than_the_hole_allows(astronaut: Photo) -> None:
    to_chin = astronaut.landmarks[8, 1] - astronaut.landmarks[66, 1]
    shown = _mouth(astronaut, chin_moves=False).opened(astronaut.pixels, 10 * to_chin)
    x = round(float(astronaut.landmarks[66, 0]))
    assert int(_inside(shown)[:, x].sum()) == pytest.approx(0.85 * to_chin * 2 / 3, abs=2)


def test_the_coverage_moves_with_the_chin(astronaut: Photo) -> None:
    chin = round(float(astronaut.landmarks[8, 1]))
    cover = np.zeros(astronaut.pixels.shape[:2], np.uint8)
    cover[: chin + 1] = 255
    shown = _mouth(astronaut).opened(np.dstack([astronaut.pixels, cover]), _GAP)
    covered = shown[..., 3] > 127
    x = round(float(astronaut.landmarks[8, 0]))
    assert covered[:, x].sum() - (chin + 1) == pytest.approx(_GAP, abs=1)
    assert covered[_inside(shown)].all(), "the room does not show through the mouth"


def test_the_shape_of_the_chin_moves_as_its_pixels_do(astronaut: Photo) -> None:
    tall, wide = (side // 4 for side in astronaut.pixels.shape[:2])
    heights = np.repeat(4 * np.arange(tall, dtype=np.float32)[:, None], wide, axis=1)
    mouth = _mouth(astronaut)
    assert mouth.lowered(heights, 0.0, step=4) is heights
    lowered = mouth.lowered(heights, _GAP, step=4)
    x, y = astronaut.landmarks[8]
    assert lowered[round((y + _GAP) / 4), round(x / 4)] == pytest.approx(y, abs=5)
    above = int(astronaut.landmarks[33, 1] / 4)
    assert (lowered[:above] == heights[:above]).all()


def test_a_mouth_beside_the_image_changes_nothing(astronaut: Photo) -> None:
    beside = Mouth(MouthPlace.of_68(astronaut.landmarks + np.array([5000, 0], np.float32)))
    assert (beside.opened(astronaut.pixels, _GAP) == astronaut.pixels).all()

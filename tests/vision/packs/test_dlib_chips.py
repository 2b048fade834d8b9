import itertools

import numpy as np
import pytest

from vision.face import BgrImage
from vision.packs.dlib_models import ALIGNED_POINTS, MEAN_FACE, MOVES, Move, chip_frame, cut_chips
from vision.packs.pack import Pack


def _points(pack: Pack, image: BgrImage) -> np.ndarray:
    (face,) = pack.detector.detect(image)
    assert pack.landmarker is not None
    landmarks = pack.landmarker.locate(image, face)
    assert landmarks is not None
    return landmarks.points.astype(np.float64)


def test_an_unmoved_chip_is_dlib_s_own(embedded_pack: Pack, astronaut: BgrImage) -> None:
    import dlib

    points = _points(embedded_pack, astronaut)
    rgb = np.ascontiguousarray(astronaut[..., ::-1])
    shape = dlib.full_object_detection(
        dlib.rectangle(0, 0, 1, 1), [dlib.point(int(x), int(y)) for x, y in points.tolist()]
    )
    expected = dlib.get_face_chip(rgb, shape, 150, 0.25).transpose(2, 0, 1)
    plain, mirrored = cut_chips(rgb, points, moves=[Move()])
    np.testing.assert_array_equal(plain, expected)
    np.testing.assert_array_equal(mirrored, expected[..., ::-1])


def test_chips_of_all_moves_differ_a_little(embedded_pack: Pack, astronaut: BgrImage) -> None:
    points = _points(embedded_pack, astronaut)
    chips = cut_chips(np.ascontiguousarray(astronaut[..., ::-1]), points)
    assert chips.shape == (2 * len(MOVES), 3, 150, 150)
    assert chips.dtype == np.float32
    for one, other in itertools.combinations(chips[: len(MOVES)], 2):
        assert 1.0 < np.abs(one - other).mean() < 30.0


@pytest.mark.parametrize(
    ("move", "width", "centre", "angle"),
    [
        (Move(), 150.0, (74.5, 74.5), 0.0),
        (Move(scale=1.25), 120.0, (74.5, 74.5), 0.0),
        (Move(shift=(0.1, 0.0)), 150.0, (59.5, 74.5), 0.0),
        (Move(degrees=10.0), 150.0, (74.5, 74.5), -10.0),
    ],
)
def test_a_move_is_seen_in_the_frame(
    move: Move, width: float, centre: tuple[float, float], angle: float
) -> None:
    mean = MEAN_FACE[[index - 17 for index in ALIGNED_POINTS]]
    frame = chip_frame((mean + 0.25) / 1.5 * 150, mean, move=move)
    assert frame.rect.width() == pytest.approx(width, abs=1.01)
    found = (frame.rect.left() + frame.rect.right()) / 2, (frame.rect.top() + frame.rect.bottom()) / 2
    assert found == pytest.approx(centre, abs=1.0)
    assert np.degrees(frame.angle) == pytest.approx(angle, abs=0.01)

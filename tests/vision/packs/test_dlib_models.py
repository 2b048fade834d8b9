"""dlib: the chips of a face, and the second detector, whose boxes of faces that HOG misses are like HOG's."""

import itertools
from typing import Any

import cv2
import numpy as np
import pytest

from tests.sampling import some_fast
from vision.errors import ModelFailed
from vision.face import BgrImage
from vision.packs.dlib_models import (
    ALIGNED_POINTS,
    MEAN_FACE,
    MOVES,
    DlibDetector,
    DlibFinder,
    Move,
    chip_frame,
    cut_chips,
)
from vision.packs.pack import Pack


def _points(pack: Pack, image: BgrImage) -> np.ndarray:
    (face,) = pack.detector.detect(image)
    assert pack.landmarker is not None
    landmarks = pack.landmarker.locate(image, face)
    assert landmarks is not None
    return landmarks.points.astype(np.float64)


def test_an_unmoved_chip_is_dlib_s_own(
    embedded_pack: Pack, astronaut: BgrImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dlib

    points = _points(embedded_pack, astronaut)
    rgb = np.ascontiguousarray(astronaut[..., ::-1])
    shape = dlib.full_object_detection(
        dlib.rectangle(0, 0, 1, 1), [dlib.point(int(x), int(y)) for x, y in points.tolist()]
    )
    expected = dlib.get_face_chip(rgb, shape, 150, 0.25).transpose(2, 0, 1)
    monkeypatch.setattr("vision.packs.dlib_models.MOVES", (Move(),))
    plain, mirrored = cut_chips(rgb, points)
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


class Answers:
    """A network that answers 1 at one place of the image's first size, and 0 elsewhere."""

    def __init__(self, *places: tuple[int, int, float]) -> None:
        self.places = places
        self.shapes: list[tuple[int, ...]] = []

    def run(self, names: list[str] | None, feed: dict[str, Any]) -> list[np.ndarray]:
        picture = feed["picture"]
        self.shapes.append(picture.shape)
        scores = np.full((1, 1, picture.shape[2] // 8, picture.shape[3] // 8), -1.0, np.float32)
        if len(self.shapes) == 1:
            for row, column, score in self.places:
                scores[0, 0, row, column] = score
        return [scores]


class Fails:
    def run(self, names: list[str] | None, feed: dict[str, Any]) -> list[np.ndarray]:
        raise RuntimeError("broken")


def picture(height: int, width: int) -> BgrImage:
    return np.full((height, width, 3), 90, np.uint8)


def test_a_score_becomes_a_box_in_the_frame() -> None:
    network = Answers((10, 12, 0.5))
    ((box, score),) = DlibFinder(network).find(picture(360, 480))  # type: ignore[arg-type]
    assert score == 0.5
    # The frame is halved to 240 pixels; the window around pixel 8 x 12 + 18 - 16 = 98 is 80 pixels wide.
    assert box.centre[0] == pytest.approx(2 * 98)
    assert box.centre[1] == pytest.approx(2 * 82, abs=10)
    assert box.width == pytest.approx(2 * 80, rel=0.1)
    assert network.shapes[0] == (1, 3, 180 + 32, 240 + 32)
    assert network.shapes[1] == (1, 3, 150 + 32, 200 + 32)
    assert min(shape[2] for shape in network.shapes) >= 64 + 32


def test_of_windows_that_overlap_the_best_counts() -> None:
    network = Answers((10, 5, 0.5), (10, 6, 0.9), (10, 25, 0.3))
    found = DlibFinder(network).find(picture(240, 240))  # type: ignore[arg-type]
    assert [score for _, score in found] == pytest.approx([0.9, 0.3])


@pytest.mark.parametrize("shape", [(7, 5), (1, 3000), (3000, 1)])
def test_a_sliver_holds_no_face(shape: tuple[int, int]) -> None:
    assert DlibFinder(Answers()).find(picture(*shape)) == []  # type: ignore[arg-type]


def test_a_network_that_fails_is_a_model_that_fails() -> None:
    with pytest.raises(ModelFailed, match="second detector failed"):
        DlibFinder(Fails()).find(picture(200, 200))  # type: ignore[arg-type]


def _hog_alone(pack: Pack) -> DlibDetector:
    assert isinstance(pack.detector, DlibDetector)
    return DlibDetector(pack.detector._shapes, DlibFinder(Answers()))  # type: ignore[arg-type]


@pytest.mark.parametrize("what", some_fast(["blurred", "mouth covered"], step=2))
def test_a_face_is_found_and_embedded_though_hog_misses_it(
    embedded_pack: Pack, astronaut: BgrImage, what: str
) -> None:
    near = np.ascontiguousarray(astronaut[20:240, 110:350])
    poor = near.copy()
    if what == "blurred":
        poor = cv2.GaussianBlur(near, (0, 0), 4.0).astype(np.uint8)
    else:
        poor[105:145, 85:145] = 120
    assert _hog_alone(embedded_pack).detect(poor) == ()
    (face,) = embedded_pack.detector.detect(poor)
    assert 0.5 < face.confidence <= 1.0
    expected = np.array([(204, 102), (247, 102), (225, 127), (202, 140), (245, 142)]) - (110, 20)
    np.testing.assert_allclose(face.five_points, expected, atol=8)
    (whole,) = embedded_pack.detector.detect(near)
    assert embedded_pack.embedder.embed(near, whole) @ embedded_pack.embedder.embed(poor, face) > 0.93


def test_boxes_are_like_hog_s(embedded_pack: Pack, astronaut: BgrImage) -> None:
    near = np.ascontiguousarray(astronaut[20:240, 110:350])
    (hog,) = _hog_alone(embedded_pack).detect(near)
    assert isinstance(embedded_pack.detector, DlibDetector)
    ((box, _),) = embedded_pack.detector._by_network(near)
    assert box.centre == pytest.approx(hog.box.centre, abs=0.1 * hog.box.width)
    assert box.width == pytest.approx(hog.box.width, rel=0.2)

"""YuNet on real weights compared with OpenCV's own decoding, and on hand-made answers."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.vision.conftest import read_photo
from vision.errors import ModelFailed, PackFileUnusable
from vision.face import BgrImage
from vision.graph_rewrite import with_free_sides
from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs.open_pack import YunetDetector

OUTPUTS = [f"{part}_{stride}" for part in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
COLUMNS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


@pytest.fixture(scope="module")
def weights(assets: Path) -> bytes:
    return (assets / "models" / "face_detection_yunet_2023mar.onnx").read_bytes()


@pytest.fixture(scope="module")
def detector(weights: bytes) -> YunetDetector:
    return YunetDetector(create_session(with_free_sides(weights), RuntimeOptions(providers="cpu")))


def _opencv(weights: bytes, image: BgrImage) -> NDArray[np.float32]:
    """Rows of left, top, width, height, five points and score, as cv2.FaceDetectorYN gives them."""
    nothing = np.zeros(0, np.uint8)
    size = (image.shape[1], image.shape[0])
    model = cv2.FaceDetectorYN.create("onnx", np.frombuffer(weights, np.uint8), nothing, size, 0.6, 0.3)
    return np.asarray(model.detect(image)[1], np.float32)


class TestOnPhotos:
    def test_detections_equal_those_of_opencv(
        self, weights: bytes, detector: YunetDetector, assets: Path
    ) -> None:
        """At a size that needs no scaling, so that both use the same pixels."""
        compared = 0
        for path in sorted((assets / "data" / "faces").glob("*.jp*g"))[::40]:
            photo = read_photo(path)
            scale = 320 / max(photo.shape[:2])
            image = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)
            expected = _opencv(weights, image)
            if expected.ndim != 2:
                continue
            expected = expected[np.argsort(-expected[:, 2] * expected[:, 3])]
            found = detector.detect(image)
            assert len(found) == len(expected)
            for face, row in zip(found, expected, strict=True):
                box = [face.box.left, face.box.top, face.box.width, face.box.height]
                np.testing.assert_allclose(box, row[:4], atol=0.05)
                np.testing.assert_allclose(face.five_points, row[4:14].reshape(5, 2), atol=0.05)
                assert face.confidence == pytest.approx(row[14], abs=1e-3)
            compared += len(found)
        assert compared >= 5

    def test_points_are_in_the_order_of_the_house(self, detector: YunetDetector, astronaut: BgrImage) -> None:
        (face,) = detector.detect(astronaut)
        expected = [(204, 102), (247, 102), (225, 127), (202, 140), (245, 142)]
        np.testing.assert_allclose(face.five_points, expected, atol=5)
        assert face.five_points.dtype == np.float32
        assert 0.6 < face.confidence <= 1
        assert face.box.inside_fraction(512, 512) == 1

    @pytest.mark.parametrize("scale", [0.25, 0.5, 2.0])
    def test_coordinates_follow_the_frame(
        self, detector: YunetDetector, astronaut: BgrImage, scale: float
    ) -> None:
        resized = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        (plain,) = detector.detect(astronaut)
        (face,) = detector.detect(resized.astype(np.uint8))
        np.testing.assert_allclose(face.five_points / scale, plain.five_points, atol=4)

    def test_a_face_that_fills_the_frame(self, detector: YunetDetector, astronaut: BgrImage) -> None:
        close_up = cv2.resize(astronaut[55:185, 170:280], (660, 780)).astype(np.uint8)
        assert len(detector.detect(close_up)) == 1

    def test_a_small_face_in_a_large_frame(self, detector: YunetDetector, astronaut: BgrImage) -> None:
        frame = np.full((1920, 1440, 3), 128, np.uint8)
        frame[900:1156, 500:756] = cv2.resize(astronaut, (256, 256))
        (face,) = detector.detect(frame)
        assert face.box.centre == pytest.approx((500 + 112, 900 + 55), abs=8)

    def test_the_largest_comes_first(self, detector: YunetDetector, astronaut: BgrImage) -> None:
        frame = np.zeros((512, 800, 3), np.uint8)
        frame[100:356, :256] = cv2.resize(astronaut, (256, 256))
        frame[:, 288:] = astronaut
        large, small = detector.detect(frame)
        assert large.box.area > 3 * small.box.area
        assert small.box.centre[0] < 256 < large.box.centre[0]

    @pytest.mark.parametrize("shape", [(480, 640, 3), (7, 5, 3), (2, 900, 3), (1, 3000, 3)])
    def test_no_face(self, detector: YunetDetector, shape: tuple[int, ...]) -> None:
        assert detector.detect(np.full(shape, 90, np.uint8)) == ()


class FakeSession:
    """Has one answer for the input of 320 x 256, and none at other sizes."""

    def __init__(self, cells: dict[tuple[int, int], dict[str, Any]], names: list[str] = OUTPUTS) -> None:
        self.cells = cells
        self.names = names
        self.sizes: list[tuple[int, ...]] = []
        self.failure: Exception | None = None

    def run(self, output_names: list[str] | None, input_feed: dict[str, Any]) -> list[NDArray[np.float32]]:
        (image,) = input_feed.values()
        assert image.dtype == np.float32
        self.sizes.append(image.shape)
        if self.failure is not None:
            raise self.failure
        height, width = image.shape[2:]
        answers = {}
        for name in output_names or []:
            part, _, stride = name.partition("_")
            cells = (height // int(stride)) * (width // int(stride))
            answers[name] = np.zeros((1, cells, COLUMNS[part]), np.float32)
        if width == 320:
            for (step, cell), values in self.cells.items():
                for part, value in values.items():
                    answers[f"{part}_{step}"][0, cell] = value
        return [answers[name] for name in output_names or []]

    def _named(self, names: list[str]) -> list[Any]:
        class Entry:
            def __init__(self, name: str) -> None:
                self.name = name

        return [Entry(name) for name in names]

    def get_inputs(self) -> list[Any]:
        return self._named(["image"])

    def get_outputs(self) -> list[Any]:
        return self._named(self.names)

    def get_providers(self) -> list[str]:
        return []


IMAGE: BgrImage = np.full((480, 640, 3), 60, np.uint8)
POINTS = [0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1]


def _cell(score: float, **values: Any) -> dict[str, Any]:
    return {"cls": score, "obj": score, "bbox": [0.5, 0.5, np.log(2), np.log(3)], "kps": POINTS, **values}


class TestOnMadeAnswers:
    def test_decodes_cells(self) -> None:
        """Cell 43 of 20 in a row is row 2, column 3; the frame is twice the input."""
        session = FakeSession({(16, 43): _cell(0.81, obj=1.0)})
        (face,) = YunetDetector(session).detect(IMAGE)
        assert session.sizes == [(1, 3, 256, 320)]
        assert face.confidence == pytest.approx(0.9)
        assert face.box.centre == pytest.approx((2 * 3.5 * 16, 2 * 2.5 * 16))
        assert (face.box.width, face.box.height) == pytest.approx((2 * 32, 2 * 48))
        np.testing.assert_allclose(face.five_points[0], [2 * 48, 2 * 32])
        np.testing.assert_allclose(face.five_points[4], [2 * 64, 2 * 48])

    def test_of_those_that_overlap_the_best_stays(self) -> None:
        session = FakeSession({(16, 43): _cell(0.8), (16, 44): _cell(0.9), (8, 700): _cell(0.7)})
        found = YunetDetector(session).detect(IMAGE)
        assert [face.confidence for face in found] == pytest.approx([0.9, 0.7])

    @pytest.mark.parametrize("score", [0.0, 0.59, -3.0, float("nan")])
    def test_weak_cells_are_no_faces_and_other_sizes_are_tried(self, score: float) -> None:
        session = FakeSession({(32, 11): _cell(score)})
        assert YunetDetector(session).detect(IMAGE) == ()
        assert session.sizes == [(1, 3, 256, 320), (1, 3, 480, 640), (1, 3, 128, 160)]

    def test_boxes_that_are_no_numbers_are_no_faces(self) -> None:
        session = FakeSession({(32, 11): _cell(0.9, bbox=[0.5, 0.5, 1000.0, 0.0])})
        assert YunetDetector(session).detect(IMAGE) == ()

    def test_failures_do_not_leak(self) -> None:
        session = FakeSession({})
        session.failure = RuntimeError("device lost")
        with pytest.raises(ModelFailed, match="RuntimeError"):
            YunetDetector(session).detect(IMAGE)

    def test_another_network_is_refused(self) -> None:
        with pytest.raises(PackFileUnusable, match="not YuNet"):
            YunetDetector(FakeSession({}, names=["443", "468"]))

"""Models in ONNX form, as the catalogue has them, packaged, converted, failing, or answering wrongly."""

import csv
import math
import os
import pickle
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from lab.evaluation.minifasnet_onnx import main
from lab.packs import facegate_pad
from lab.packs import load_catalogue as load_lab_catalogue
from lab.packs.facegate_pad import (
    KIND,
    TIGHT_SIDE,
    WIDE_SIDE,
    TwoCropPadNetwork,
    load_facegate_pad,
    read_facegate_pad,
    tight_and_wide,
)
from tests.vision.conftest import read_photo
from tests.vision.models import channel_means_model, prelu_model, scaling_model
from vision.errors import ModelFailed, PackFileAltered, PackFileUnusable, PackNotFound
from vision.face import BgrImage, Box, DetectedFace, Landmarks
from vision.graph_rewrite import with_free_sides
from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs.catalogue import EmbedderPreprocessing, PadPreprocessing
from vision.packs.insightface_pack import Landmarker106, ScrfdDetector
from vision.packs.interfaces import PadNetwork, to_unit_length
from vision.packs.minifasnet_state import StateFileError, minifasnet_to_onnx, read_state
from vision.packs.onnx_models import ArcFaceEmbedder, OnnxPadNetwork
from vision.packs.open_pack import YunetDetector
from vision.packs.pack import Pack

CPU = RuntimeOptions(providers="cpu")
PREPROCESSING = PadPreprocessing(
    crop="reflect", crop_scale=1.5, size=16, colour="RGB", divide_by=255.0, real_class=0
)
FACE = DetectedFace(Box(30, 30, 70, 80), 0.9, np.zeros((5, 2), np.float32))


def _network(preprocessing: PadPreprocessing, *, classes: int = 3) -> OnnxPadNetwork:
    session = create_session(channel_means_model(size=preprocessing.size, classes=classes), CPU)
    return OnnxPadNetwork(name="tiny", session=session, preprocessing=preprocessing)


@pytest.fixture
def coloured() -> BgrImage:
    image = np.empty((100, 100, 3), np.uint8)
    image[:] = (51, 102, 204)
    return image


@pytest.mark.parametrize(
    ("preprocessing", "logits"),
    [
        (PREPROCESSING, (0.8, 0.4, 0.2)),
        (replace(PREPROCESSING, real_class=2), (0.8, 0.4, 0.2)),
        (replace(PREPROCESSING, colour="BGR"), (0.2, 0.4, 0.8)),
        (replace(PREPROCESSING, colour="BGR", divide_by=1.0, real_class=1), (51, 102, 204)),
        (replace(PREPROCESSING, crop="clamped"), (0.8, 0.4, 0.2)),
    ],
)
def test_follows_the_catalogue(
    coloured: BgrImage, preprocessing: PadPreprocessing, logits: tuple[float, ...]
) -> None:
    network = _network(preprocessing)
    weights = [math.exp(logit - max(logits)) for logit in logits]
    expected = weights[preprocessing.real_class] / sum(weights)
    assert network.real_probability(coloured, FACE) == pytest.approx(expected, rel=1e-4)
    assert network.name == "tiny"


def test_the_crop_that_is_shown_is_the_one_that_is_judged(coloured: BgrImage) -> None:
    (crop,) = _network(PREPROCESSING).crops(coloured, FACE)
    assert crop.shape == (16, 16, 3)
    assert (crop == (51, 102, 204)).all()


@pytest.mark.parametrize(
    ("model_size", "preprocessing", "classes"),
    [(16, replace(PREPROCESSING, size=32), 3), (16, replace(PREPROCESSING, real_class=3), 3)],
)
def test_a_network_of_other_shape_is_refused(
    model_size: int, preprocessing: PadPreprocessing, classes: int
) -> None:
    session = create_session(channel_means_model(size=model_size, classes=classes), CPU)
    with pytest.raises(PackFileUnusable):
        OnnxPadNetwork(name="tiny", session=session, preprocessing=preprocessing)


def test_a_network_that_classifies_nothing_is_refused() -> None:
    session = create_session(scaling_model(factor=1), CPU)
    with pytest.raises(PackFileUnusable):
        OnnxPadNetwork(name="tiny", session=session, preprocessing=replace(PREPROCESSING, size=4))


def test_the_real_network_separates_selfies_from_photos_of_paper(
    insightface_pack: Pack, assets: Path
) -> None:
    network = insightface_pack.pad_networks[0]
    assert network.name == "minifas_v2se"
    means = {}
    for label, pattern in (("live", "feni*All_Real*"), ("spoof", "feni*All_Paper*")):
        scores = []
        for path in sorted((assets / "data" / "pad" / label).glob(pattern))[::12][:12]:
            image = read_photo(path)
            faces = insightface_pack.detector.detect(image)
            if faces:
                scores.append(network.real_probability(image, faces[0]))
        assert len(scores) >= 6
        assert all(0 <= score <= 1 for score in scores)
        means[label] = sum(scores) / len(scores)
    assert means["live"] - means["spoof"] > 0.25


IMAGE: BgrImage = np.full((480, 640, 3), 60, np.uint8)
WRAPPED_FACE = DetectedFace(
    Box(200, 100, 300, 240),
    0.9,
    np.array([[220, 150], [280, 150], [250, 180], [230, 210], [270, 210]], np.float32),
)


class FakeScrfd:
    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.sizes: list[tuple[int, int] | None] = []

    def detect(
        self, img: BgrImage, input_size: tuple[int, int] | None = None, *, det_thresh: float | None = None
    ) -> Any:
        self.sizes.append(input_size)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _found(*boxes: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(boxes, np.float32).reshape(-1, 5), np.zeros((len(boxes), 5, 2), np.float32)


class TestScrfd:
    def test_tries_the_cheapest_size_first_and_stops_when_it_finds(self) -> None:
        model = FakeScrfd(_found((0, 0, 10, 10, 0.7), (0, 0, 30, 30, 1.01)))
        large, small = ScrfdDetector(model).detect(IMAGE)
        assert model.sizes == [(320, 256)]
        assert (large.box.width, small.box.width) == (30, 10)
        assert large.confidence == 1

    def test_tries_other_sizes_when_it_finds_nothing(self) -> None:
        model = FakeScrfd(_found())
        assert ScrfdDetector(model).detect(IMAGE) == ()
        assert model.sizes == [(320, 256), (640, 480), (160, 128)]

    def test_boxes_without_area_are_dropped(self) -> None:
        assert ScrfdDetector(FakeScrfd(_found((5, 5, 5, 9, 0.9)))).detect(IMAGE) == ()

    @pytest.mark.parametrize("answer", [RuntimeError("device lost"), (_found()[0], None)])
    def test_failures_do_not_leak(self, answer: Any) -> None:
        with pytest.raises(ModelFailed):
            ScrfdDetector(FakeScrfd(answer)).detect(IMAGE)


@dataclass(frozen=True)
class End:
    name: str
    shape: list[int]


class FakeArcFace:
    """A session of an embedder."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.batches: list[np.ndarray] = []

    def get_inputs(self) -> list[End]:
        return [End("face", [1, 3, 112, 112])]

    def get_outputs(self) -> list[End]:
        return [End("template", [1, 3])]

    def get_providers(self) -> list[str]:
        return []

    def run(self, output_names: list[str] | None, input_feed: dict[str, Any]) -> list[Any]:
        self.batches.append(input_feed["face"])
        if isinstance(self.answer, Exception):
            raise self.answer
        return [self.answer]


WRAPPED_PREPROCESSING = EmbedderPreprocessing(
    mean=(10.0, 20.0, 30.0), std=(1.0, 2.0, 3.0), mirror_average=True
)


class TestArcFace:
    def test_normalises_red_green_and_blue_each(self) -> None:
        image = np.empty((480, 640, 3), np.uint8)
        image[:] = (60, 40, 20)
        model = FakeArcFace(np.array([[3.0, 4.0, 0.0]], np.float32))
        template = ArcFaceEmbedder(model, WRAPPED_PREPROCESSING).embed(image, WRAPPED_FACE)
        np.testing.assert_allclose(template, [0.6, 0.8, 0], atol=1e-6)
        assert len(model.batches) == 2
        assert model.batches[0].shape == (1, 3, 112, 112)
        np.testing.assert_allclose(model.batches[0][0, :, 56, 56], [10, 10, 10])

    def test_the_mirror_image_can_be_left_out(self) -> None:
        model = FakeArcFace(np.array([[3.0, 4.0, 0.0]], np.float32))
        ArcFaceEmbedder(model, WRAPPED_PREPROCESSING).embed(IMAGE, WRAPPED_FACE, mirrored=False)
        assert len(model.batches) == 1

    @pytest.mark.parametrize(
        "answer",
        [RuntimeError("device lost"), np.zeros((1, 3), np.float32), np.full((1, 3), np.nan, np.float32)],
    )
    def test_failures_do_not_leak(self, answer: Any) -> None:
        with pytest.raises(ModelFailed):
            ArcFaceEmbedder(FakeArcFace(answer), WRAPPED_PREPROCESSING).embed(IMAGE, WRAPPED_FACE)


class FakeMesh:
    """Places the face's points ``shift`` pixels further right; finds no face without a shift."""

    def __init__(self, shift: float | None, scheme: str = "mediapipe478") -> None:
        self.shift = shift
        self.scheme = scheme

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        if self.shift is None:
            return None
        points = np.zeros((478, 2), np.float32)
        left, right, *others = face.five_points + np.array([self.shift, 0], np.float32)
        points[[33, 133]], points[[362, 263]], points[[1, 61, 291]] = left, right, others
        return Landmarks(points, self.scheme)


class TestAlignment:
    RISING: BgrImage = np.tile((np.arange(480) // 2).astype(np.uint8)[None, :, None], (480, 1, 3))
    """Half a grey level brighter with each pixel to the right."""

    def _middle(self, preprocessing: EmbedderPreprocessing, mesh: FakeMesh | None) -> tuple[float, str]:
        """The first number of the network's input in its middle, and the described preprocessing."""
        model = FakeArcFace(np.ones((1, 3), np.float32))
        embedder = ArcFaceEmbedder(model, preprocessing, mesh)
        embedder.embed(self.RISING, WRAPPED_FACE)
        return float(model.batches[0][0, 0, 56, 56]), embedder.preprocessing

    def test_landmarks_that_are_known_are_not_located_again(self) -> None:
        by_mesh, model = replace(WRAPPED_PREPROCESSING, mesh_points=True), FakeArcFace(np.ones((1, 3)))
        known = FakeMesh(40).locate(self.RISING, WRAPPED_FACE)
        ArcFaceEmbedder(model, by_mesh, FakeMesh(0)).embed(self.RISING, WRAPPED_FACE, known)
        moved, _ = self._middle(by_mesh, FakeMesh(40))
        assert float(model.batches[0][0, 0, 56, 56]) == moved

    def test_faces_are_aligned_by_the_mesh_if_the_catalogue_says_so(self) -> None:
        by_mesh = replace(WRAPPED_PREPROCESSING, mesh_points=True)
        plain, five = self._middle(WRAPPED_PREPROCESSING, FakeMesh(40))
        moved, mesh = self._middle(by_mesh, FakeMesh(40))
        assert moved == pytest.approx(plain + 20, abs=1)
        assert (five.partition(";")[0], mesh.partition(";")[0]) == ("five-points-112", "mesh-points-112")
        # Packs without such landmarks make templates of the other form.
        assert self._middle(by_mesh, None) == (plain, five)
        assert self._middle(by_mesh, FakeMesh(40, "insightface106")) == (plain, five)

    def test_a_face_without_a_mesh_is_aligned_by_the_detector_s_points(self) -> None:
        plain, _ = self._middle(WRAPPED_PREPROCESSING, None)
        assert self._middle(replace(WRAPPED_PREPROCESSING, mesh_points=True), FakeMesh(None))[0] == plain

    @pytest.mark.parametrize("side", [112, 64])
    def test_it_states_its_shapes(self, side: int) -> None:
        session = create_session(channel_means_model(size=side), CPU)
        embedder = ArcFaceEmbedder(session, WRAPPED_PREPROCESSING)
        assert embedder.dimensions == 3
        assert embedder.preprocessing.startswith(f"five-points-{side};")

    @pytest.mark.parametrize(
        "model",
        [
            scaling_model(factor=1),
            prelu_model(np.ones(1, np.float32), shape=(5, 3)),
        ],
    )
    def test_other_shapes_are_refused(self, model: bytes) -> None:
        with pytest.raises(ValueError, match="square RGB images"):
            ArcFaceEmbedder(create_session(model, CPU), WRAPPED_PREPROCESSING)


class FakeLandmarks:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def get(self, img: BgrImage, face: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("answer", [RuntimeError("device lost"), np.zeros((68, 3), np.float32)])
def test_landmark_failures_do_not_leak(answer: Any) -> None:
    with pytest.raises(ModelFailed):
        Landmarker106(FakeLandmarks(answer)).locate(IMAGE, WRAPPED_FACE)


def test_unit_length() -> None:
    vector = to_unit_length(np.array([0.0, 3e-20, 4e-20]))
    np.testing.assert_allclose(vector, [0, 0.6, 0.8], rtol=1e-5)
    assert vector.dtype == np.float32


OUTPUTS = [f"{part}_{stride}" for part in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
COLUMNS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


@pytest.fixture(scope="module")
def yunet_weights(assets: Path) -> bytes:
    return (assets / "models" / "face_detection_yunet_2023mar.onnx").read_bytes()


@pytest.fixture(scope="module")
def yunet(yunet_weights: bytes) -> YunetDetector:
    return YunetDetector(create_session(with_free_sides(yunet_weights), RuntimeOptions(providers="cpu")))


def _opencv(yunet_weights: bytes, image: BgrImage) -> NDArray[np.float32]:
    """Rows of left, top, width, height, five points and score, as cv2.FaceDetectorYN gives them."""
    nothing = np.zeros(0, np.uint8)
    size = (image.shape[1], image.shape[0])
    model = cv2.FaceDetectorYN.create("onnx", np.frombuffer(yunet_weights, np.uint8), nothing, size, 0.6, 0.3)
    return np.asarray(model.detect(image)[1], np.float32)


class TestOnPhotos:
    def test_detections_equal_those_of_opencv(
        self, yunet_weights: bytes, yunet: YunetDetector, assets: Path
    ) -> None:
        """At a size that needs no scaling, so that both use the same pixels."""
        compared = 0
        for path in sorted((assets / "data" / "faces").glob("*.jp*g"))[::40]:
            photo = read_photo(path)
            scale = 320 / max(photo.shape[:2])
            image = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)
            expected = _opencv(yunet_weights, image)
            if expected.ndim != 2:
                continue
            expected = expected[np.argsort(-expected[:, 2] * expected[:, 3])]
            found = yunet.detect(image)
            assert len(found) == len(expected)
            for face, row in zip(found, expected, strict=True):
                box = [face.box.left, face.box.top, face.box.width, face.box.height]
                np.testing.assert_allclose(box, row[:4], atol=0.05)
                np.testing.assert_allclose(face.five_points, row[4:14].reshape(5, 2), atol=0.05)
                assert face.confidence == pytest.approx(row[14], abs=1e-3)
            compared += len(found)
        assert compared >= 5


class FakeYunet:
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


POINTS = [0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1]


def _cell(score: float, **values: Any) -> dict[str, Any]:
    return {"cls": score, "obj": score, "bbox": [0.5, 0.5, np.log(2), np.log(3)], "kps": POINTS, **values}


class TestOnMadeAnswers:
    def test_decodes_cells(self) -> None:
        """Cell 43 of 20 in a row is row 2, column 3; the frame is twice the input."""
        session = FakeYunet({(16, 43): _cell(0.81, obj=1.0)})
        (face,) = YunetDetector(session).detect(IMAGE)
        assert session.sizes == [(1, 3, 256, 320)]
        assert face.confidence == pytest.approx(0.9)
        assert face.box.centre == pytest.approx((2 * 3.5 * 16, 2 * 2.5 * 16))
        assert (face.box.width, face.box.height) == pytest.approx((2 * 32, 2 * 48))
        np.testing.assert_allclose(face.five_points[0], [2 * 48, 2 * 32])
        np.testing.assert_allclose(face.five_points[4], [2 * 64, 2 * 48])

    def test_of_those_that_overlap_the_best_stays(self) -> None:
        session = FakeYunet({(16, 43): _cell(0.8), (16, 44): _cell(0.9), (8, 700): _cell(0.7)})
        found = YunetDetector(session).detect(IMAGE)
        assert [face.confidence for face in found] == pytest.approx([0.9, 0.7])

    @pytest.mark.parametrize("score", [0.0, 0.59, -3.0, float("nan")])
    def test_weak_cells_are_no_faces_and_other_sizes_are_tried(self, score: float) -> None:
        session = FakeYunet({(32, 11): _cell(score)})
        assert YunetDetector(session).detect(IMAGE) == ()
        assert session.sizes == [(1, 3, 256, 320), (1, 3, 480, 640), (1, 3, 128, 160)]

    def test_boxes_that_are_no_numbers_are_no_faces(self) -> None:
        session = FakeYunet({(32, 11): _cell(0.9, bbox=[0.5, 0.5, 1000.0, 0.0])})
        assert YunetDetector(session).detect(IMAGE) == ()

    def test_failures_do_not_leak(self) -> None:
        session = FakeYunet({})
        session.failure = RuntimeError("device lost")
        with pytest.raises(ModelFailed, match="RuntimeError"):
            YunetDetector(session).detect(IMAGE)

    def test_another_network_is_refused(self) -> None:
        with pytest.raises(PackFileUnusable, match="not YuNet"):
            YunetDetector(FakeYunet({}, names=["443", "468"]))


MOST_BYTES = 2_000_000
HELD_OUT = ("Krzysiek354", "lestari15", "tranvanluyt2203")
"""Publishers of images outside the packaged network's training; see lab/studies/pad_network/split.toml."""


@pytest.fixture(scope="module")
def packaged_pad() -> TwoCropPadNetwork:
    return load_facegate_pad(read_facegate_pad(), CPU)


def test_the_file_is_the_catalogued_one_and_small() -> None:
    file = read_facegate_pad()
    assert file.entry is load_lab_catalogue().only(KIND)
    assert file.entry.size == len(file.content) <= MOST_BYTES
    assert file.entry.evaluation_only
    assert "evaluation only" in file.entry.terms.weights


def test_an_altered_or_missing_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(facegate_pad, "files", lambda _: tmp_path)
    with pytest.raises(PackNotFound, match="install it again"):
        read_facegate_pad()
    entry = load_lab_catalogue().only(KIND)
    (tmp_path / entry.file_name).write_bytes(b"altered")
    with pytest.raises(PackFileAltered) as caught:
        read_facegate_pad()
    assert caught.value.expected == entry.sha256


def test_the_answer_does_not_change_between_calls(
    packaged_pad: TwoCropPadNetwork, astronaut: BgrImage
) -> None:
    face = DetectedFace(Box(170, 60, 280, 190), 0.9, np.zeros((5, 2), np.float32))
    first = packaged_pad.real_probability(astronaut, face)
    assert 0 < first < 1
    assert packaged_pad.real_probability(astronaut, face) == first
    moved = replace(face, box=Box(174, 64, 284, 194))
    assert packaged_pad.real_probability(astronaut, moved) == pytest.approx(first, abs=0.35)


def test_the_network_is_no_slower_than_the_public_one(
    packaged_pad: TwoCropPadNetwork, insightface_pack: Pack, astronaut: BgrImage
) -> None:
    public = insightface_pack.pad_networks[0]
    face = DetectedFace(Box(170, 60, 280, 190), 0.9, np.zeros((5, 2), np.float32))
    spent = {}
    for one in (packaged_pad, public):
        one.real_probability(astronaut, face)
        spent[one.name] = min(_seconds(one, astronaut, face) for _ in range(15))
    assert spent["facegate_pad_v1"] <= spent["minifas_v2se"]


def _seconds(network: PadNetwork, image: BgrImage, face: DetectedFace) -> float:
    started = time.process_time()
    network.real_probability(image, face)
    return time.process_time() - started


def test_sources_it_never_saw(packaged_pad: TwoCropPadNetwork, insightface_pack: Pack, assets: Path) -> None:
    scores = {label: _scores(packaged_pad, insightface_pack, assets, label) for label in ("live", "spoof")}
    assert min(len(values) for values in scores.values()) >= 12
    above = (scores["live"][:, None] > scores["spoof"][None, :]).mean()
    assert above > 0.6


def _scores(packaged_pad: TwoCropPadNetwork, pack: Pack, assets: Path, label: str) -> NDArray[np.float64]:
    folder = assets / "data" / "pad"
    with (folder / "manifest.csv").open(newline="") as manifest:
        rows = [
            row
            for row in csv.DictReader(manifest)
            if row["usable"] == "1" and row["label"] == label and row["source_repo"].startswith(HELD_OUT)
        ]
    scores = []
    for row in rows[::2]:
        image = read_photo(folder / row["file"])
        faces = pack.detector.detect(image)
        if faces:
            scores.append(packaged_pad.real_probability(image, faces[0]))
    return np.array(scores)


BOX = Box(40, 40, 60, 80)
BOXED = DetectedFace(BOX, 0.9, np.zeros((5, 2), np.float32))


def _difference_model(*, tight_side: int = TIGHT_SIDE) -> bytes:
    """logit = (mean of the tight crop - mean of the wide crop) / 100."""
    nodes = [
        helper.make_node("ReduceMean", ["tight"], ["a"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["wide"], ["b"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sub", ["a", "b"], ["c"]),
        helper.make_node("Div", ["c", "hundred"], ["d"]),
        helper.make_node("Reshape", ["d", "shape"], ["logit"]),
    ]
    graph = helper.make_graph(
        nodes,
        "difference",
        [
            helper.make_tensor_value_info("tight", TensorProto.FLOAT, ("n", 3, tight_side, tight_side)),
            helper.make_tensor_value_info("wide", TensorProto.FLOAT, ("n", 3, WIDE_SIDE, WIDE_SIDE)),
        ],
        [helper.make_tensor_value_info("logit", TensorProto.FLOAT, ("n", 1))],
        initializer=[
            helper.make_tensor("hundred", TensorProto.FLOAT, [1], [100.0]),
            helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 1]),
        ],
    )
    opset = helper.make_opsetid("", 17)
    content: bytes = helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
    return content


@pytest.fixture
def ringed() -> BgrImage:
    """A face of 200 in surroundings of 100."""
    image = np.full((120, 100, 3), 100, np.uint8)
    image[int(BOX.top) : int(BOX.bottom) + 1, int(BOX.left) : int(BOX.right) + 1] = 200
    return image


def test_sees_the_face_and_its_surroundings(ringed: BgrImage) -> None:
    tight, wide = tight_and_wide(ringed, BOX)
    assert (tight.shape, wide.shape) == ((TIGHT_SIDE, TIGHT_SIDE, 3), (WIDE_SIDE, WIDE_SIDE, 3))
    assert tight.min() == 200
    assert 100 < wide.mean() < 130
    tiny = TwoCropPadNetwork(name="tiny", session=create_session(_difference_model(), CPU))
    logit = (200 - wide.mean()) / 100
    assert tiny.real_probability(ringed, BOXED) == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-4)
    assert tiny.name == "tiny"


def test_a_rim_shows_more_of_the_same_crop(ringed: BgrImage) -> None:
    with_rim, wide = tight_and_wide(ringed, BOX, rim=8)
    assert with_rim.shape == (TIGHT_SIDE + 16, TIGHT_SIDE + 16, 3)
    assert with_rim[0].max() < 200
    np.testing.assert_array_equal(wide, tight_and_wide(ringed, BOX)[1])


@pytest.mark.parametrize("box", [Box(-30, -30, 20, 30), Box(90, 100, 160, 200), Box(0, 0, 100, 120)])
def test_a_face_at_the_edge_is_scored(ringed: BgrImage, box: Box) -> None:
    for crop in tight_and_wide(ringed, box):
        assert 100 <= crop.min() <= crop.max() <= 200


def test_another_network_is_refused() -> None:
    with pytest.raises(PackFileUnusable, match="tiny"):
        TwoCropPadNetwork(name="tiny", session=create_session(_difference_model(tight_side=64), CPU))


STATE_FILES = ("2.7_80x80_MiniFASNetV2.pth", "4_0_0_80x80_MiniFASNetV1SE.pth")


@pytest.mark.parametrize("name", STATE_FILES)
def test_published_weights_become_a_network(assets: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "network.onnx"
    assert main([str(assets / "models" / name), str(out)]) == 0
    session = create_session(out, RuntimeOptions(providers="cpu"))
    noise = np.random.default_rng(1).uniform(0, 255, size=(2, 3, 80, 80)).astype(np.float32)
    logits = session.run(None, {"input": noise})[0]
    assert logits.shape == (2, 3)
    assert np.isfinite(logits).all()
    assert not np.allclose(logits[0], logits[1])


def test_the_state_has_the_shapes_of_its_names(assets: Path) -> None:
    state = read_state((assets / "models" / STATE_FILES[1]).read_bytes())
    assert state["conv1.conv.weight"].shape[1:] == (3, 3, 3)
    assert state["prob.weight"].shape == (3, 128)
    assert any(name.endswith("se_module.fc1.weight") for name in state)
    assert all((state[name] > 0).all() for name in state if name.endswith("running_var"))


def test_a_network_that_lacks_a_part_is_refused(assets: Path) -> None:
    state = dict(read_state((assets / "models" / STATE_FILES[0]).read_bytes()))
    del state["conv_45.project.bn.weight"]
    with pytest.raises(StateFileError, match=r"conv_45\.project\.bn\.weight"):
        minifasnet_to_onnx(state)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("false",)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", pickle.dumps(5), pickle.dumps(0x1950A86A20F9469CFC6C), pickle.dumps(Evil())],
)
def test_other_files_are_refused_and_run_nothing(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(StateFileError):
        read_state(content)
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    assert main([str(path), str(tmp_path / "out.onnx")]) == 2
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize(
    "network",
    [
        _network(PREPROCESSING),
        TwoCropPadNetwork(name="tiny", session=create_session(_difference_model(), CPU)),
    ],
)
def test_a_failing_runtime_does_not_leak_its_exception(
    coloured: BgrImage, monkeypatch: pytest.MonkeyPatch, network: PadNetwork
) -> None:
    class Broken:
        def run(self, *_: object) -> None:
            raise RuntimeError("device lost")

    monkeypatch.setattr(network, "_session", Broken())
    with pytest.raises(ModelFailed, match="tiny"):
        network.real_probability(coloured, FACE)

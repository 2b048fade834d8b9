"""The open family on real weights and photos, and on incomplete folders."""

import itertools
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import vision.packs.onnx_models
from tests.vision.conftest import read_photo
from tests.vision.models import channel_means_model, scaling_model
from vision.errors import ModelFailed, PackFileAltered, PackFileUnusable, PackIncomplete, PackNotFound
from vision.face import BgrImage
from vision.geometry import align_face
from vision.graph_rewrite import with_free_sides
from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs.calibration import load_calibration
from vision.packs.catalogue import Catalogue, CatalogueEntry, load_catalogue
from vision.packs.loading import load_folder_pack
from vision.packs.open_pack import YunetDetector
from vision.packs.pack import Pack
from vision.packs.pack_files import read_file

CPU = RuntimeOptions(providers="cpu")
NETWORKS = ["minifas_v2se", "minifasnet_v1se", "minifasnet_v2"]
DETECTOR, EMBEDDER, LANDMARKS, *PADS = FILES = (
    "face_detection_yunet_2023mar.onnx",
    "mobilefacenet_foamliu.onnx",
    "face_landmarker.task",
    "minifas_v2se_celebaspoof_128.onnx",
    "2.7_80x80_MiniFASNetV2.pth",
    "4_0_0_80x80_MiniFASNetV1SE.pth",
)


@pytest.fixture(scope="module")
def open_pack(assets: Path) -> Pack:
    return load_folder_pack("open", assets / "models", runtime=CPU)


@pytest.fixture
def folder(assets: Path, tmp_path: Path) -> Path:
    """A writable copy of the files that make a whole pack."""
    for name in FILES:
        shutil.copyfile(assets / "models" / name, tmp_path / name)
    return tmp_path


def _catalogue_with(content: Path, kind: str) -> Catalogue:
    """The catalogue, with a file in place of the one of ``kind``."""
    entries = load_catalogue().entries
    stands_for = next(entry for entry in entries if entry.kind == kind)
    stand_in = replace(stands_for, names=(content.name,), sha256=read_file(content)[1], rank=99)
    return Catalogue((*(entry for entry in entries if entry is not stands_for), stand_in))


class TestLoading:
    def test_the_pack_describes_its_models(self, open_pack: Pack) -> None:
        assert open_pack.name == "open"
        assert {(file.role, file.name) for file in open_pack.files} == {
            ("detector", DETECTOR),
            ("embedder", EMBEDDER),
            ("landmarks", LANDMARKS),
            *(("pad", name) for name in PADS),
        }
        assert open_pack.missing_pad_networks == ()
        assert open_pack.landmarker is not None
        assert open_pack.landmarker.scheme == "mediapipe478"
        assert [network.name for network in open_pack.pad_networks] == [
            "minifas_v2se",
            "minifasnet_v1se",
            "minifasnet_v2",
        ]
        assert not open_pack.evaluation_only
        assert len({terms.part for terms in open_pack.terms}) == len(FILES)
        assert all(terms.training_data for terms in open_pack.terms)
        assert "CPUExecutionProvider" in open_pack.runtime
        assert len(open_pack.version) == 12

    def test_landmarks_and_pad_networks_may_be_missing(self, folder: Path, open_pack: Pack) -> None:
        (folder / LANDMARKS).unlink()
        for name in PADS:
            (folder / name).unlink()
        smaller = load_folder_pack("open", folder, runtime=CPU)
        assert smaller.landmarker is None
        assert smaller.pad_networks == ()
        assert smaller.missing_pad_networks == ("minifas_v2se", "minifasnet_v2", "minifasnet_v1se")
        assert smaller.version != open_pack.version

    def test_missing_files_are_named_together(self, folder: Path) -> None:
        (folder / DETECTOR).unlink()
        (folder / EMBEDDER).unlink()
        with pytest.raises(
            PackIncomplete, match=r"no catalogued YuNet detector .* and no embedder"
        ) as caught:
            load_folder_pack("open", folder, runtime=CPU)
        assert "facegate models pull open" in str(caught.value)

    @pytest.mark.parametrize("name", FILES)
    def test_an_altered_file_is_refused_with_both_hashes(self, folder: Path, name: str) -> None:
        path = folder / name
        honest = read_file(path)[1]
        path.write_bytes(path.read_bytes() + b"\x00")
        with pytest.raises(PackFileAltered) as caught:
            load_folder_pack("open", folder, runtime=CPU)
        assert (caught.value.name, caught.value.expected) == (name, honest)
        assert caught.value.found == read_file(path)[1]

    def test_a_missing_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(PackNotFound, match="no folder"):
            load_folder_pack("open", tmp_path / "nowhere", runtime=CPU)

    def test_files_with_restricted_use_are_left_alone(self, folder: Path) -> None:
        """An embedder that is open to research only must not slip into an open pack."""
        (folder / EMBEDDER).unlink()
        content = folder / "restricted.onnx"
        content.write_bytes(channel_means_model(size=112))
        catalogue = _catalogue_with(content, "arcface")
        with pytest.raises(PackIncomplete, match="no catalogued embedder"):
            load_folder_pack("open", folder, runtime=CPU, catalogue=catalogue)

    def test_an_embedder_of_another_shape_is_refused(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content = folder / "stand_in.onnx"
        content.write_bytes(scaling_model(factor=2))
        calibration = load_calibration(_entry(EMBEDDER).sha256)
        monkeypatch.setattr(vision.packs.onnx_models, "load_calibration", lambda _, template: calibration)
        with pytest.raises(PackFileUnusable, match=r"stand_in\.onnx is not an embedder"):
            load_folder_pack("open", folder, runtime=CPU, catalogue=_catalogue_with(content, "sface"))

    def test_does_not_need_the_insightface_library(self, folder: Path) -> None:
        program = (
            "import sys; from vision.packs import load_pack; "
            f"load_pack('open:{folder}'); sys.exit('insightface' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def _entry(file_name: str) -> CatalogueEntry:
    entry = load_catalogue().by_name(file_name)
    assert entry is not None
    return entry


class TestSface:
    def test_sees_raw_red_green_and_blue(
        self, folder: Path, astronaut: BgrImage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As cv2.FaceRecognizerSF feeds it; a model made here replaces SFace, which the assets lack."""
        content = folder / "stand_in.onnx"
        content.write_bytes(channel_means_model(size=112))
        calibration = load_calibration(_entry("face_recognition_sface_2021dec.onnx").sha256)
        monkeypatch.setattr(vision.packs.onnx_models, "load_calibration", lambda _, template: calibration)
        pack = load_folder_pack("open", folder, runtime=CPU, catalogue=_catalogue_with(content, "sface"))
        assert {file.name for file in pack.files if file.role == "embedder"} == {"stand_in.onnx"}
        (face,) = pack.detector.detect(astronaut)
        means = align_face(astronaut, face.five_points, 112).mean(axis=(0, 1))[::-1]
        template = pack.embedder.embed(astronaut, face)
        np.testing.assert_allclose(template, means / np.linalg.norm(means), atol=1e-5)
        assert pack.embedder.dimensions == 3


class TestModels:
    def test_same_person_is_closer_than_others(self, open_pack: Pack, people: dict[str, list[Path]]) -> None:
        templates: list[tuple[str, np.ndarray]] = []
        for identity, photos in people.items():
            for photo in photos[:2]:
                image = read_photo(photo)
                face = open_pack.detector.detect(image)[0]
                template = open_pack.embedder.embed(image, face)
                assert template.shape == (open_pack.embedder.dimensions,)
                assert np.linalg.norm(template) == pytest.approx(1, abs=1e-5)
                templates.append((identity, template))
        genuine: list[float] = []
        impostor: list[float] = []
        for (who, one), (whom, other) in itertools.combinations(templates, 2):
            (genuine if who == whom else impostor).append(float(one @ other))
        assert len(genuine) >= 5
        assert np.mean(genuine) - np.mean(impostor) > 0.4

    def test_templates_are_those_of_the_insightface_library(
        self, open_pack: Pack, insightface_pack: Pack, astronaut: BgrImage
    ) -> None:
        """The same file, embedded without the library and with it."""
        (face,) = open_pack.detector.detect(astronaut)
        own, library = (pack.embedder.embed(astronaut, face) for pack in (open_pack, insightface_pack))
        np.testing.assert_allclose(own, library, atol=1e-5)

    def test_landmarks_lie_on_the_face(self, open_pack: Pack, astronaut: BgrImage) -> None:
        (face,) = open_pack.detector.detect(astronaut)
        assert open_pack.landmarker is not None
        landmarks = open_pack.landmarker.locate(astronaut, face)
        assert landmarks is not None
        assert landmarks.points.shape == (478, 2)
        centre = landmarks.points.mean(axis=0)
        assert np.linalg.norm(centre - face.five_points.mean(axis=0)) < face.eye_distance / 2

    def test_threads_may_share_a_pack(self, open_pack: Pack, astronaut: BgrImage) -> None:
        networks = open_pack.pad_networks
        frames = [np.ascontiguousarray(astronaut[: 512 - 32 * cut]) for cut in range(4)] * 3

        def everything(frame: BgrImage) -> tuple[float, ...]:
            (face,) = open_pack.detector.detect(frame)
            template = open_pack.embedder.embed(frame, face)
            real = (network.real_probability(frame, face) for network in networks)
            return (face.confidence, *face.five_points.ravel(), *template, *real)

        alone = [everything(frame) for frame in frames]
        with ThreadPoolExecutor(2) as pool:
            together = list(pool.map(everything, frames))
        np.testing.assert_allclose(together, alone, atol=1e-5)


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

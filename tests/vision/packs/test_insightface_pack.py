"""The insightface pack on real weights and photos, and on invalid folders."""

import itertools
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.vision.conftest import read_photo
from tests.vision.models import constant_points_model
from vision.errors import PackFileAltered, PackIncomplete, PackNotFound
from vision.face import BgrImage
from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs.catalogue import Catalogue, CataloguePack, load_catalogue
from vision.packs.insightface_pack import make_insightface_pack
from vision.packs.loading import load_folder_pack
from vision.packs.mediapipe_landmarker import MediapipeLandmarker
from vision.packs.onnx_models import OnnxPadNetwork
from vision.packs.pack import Pack
from vision.packs.pack_files import FAMILIES, choose_files, named_files, read_file

CPU = RuntimeOptions(providers="cpu")
NETWORKS = ["minifas_v2se", "minifasnet_v1se", "minifasnet_v2"]
FILES = (
    "det_500m.onnx",
    "mobilefacenet_foamliu.onnx",
    "minifas_v2se_celebaspoof_128.onnx",
    "2.7_80x80_MiniFASNetV2.pth",
    "4_0_0_80x80_MiniFASNetV1SE.pth",
)
LANDMARKS = "face_landmarker.task"


@pytest.fixture
def folder(assets: Path, tmp_path: Path) -> Path:
    """A writable copy of the files that make a whole pack."""
    for name in (*FILES, LANDMARKS):
        shutil.copyfile(assets / "models" / name, tmp_path / name)
    return tmp_path


class TestLoading:
    def test_the_pack_describes_its_models(self, insightface_pack: Pack) -> None:
        pack = insightface_pack
        assert pack.name == "insightface"
        assert {(file.role, file.name) for file in pack.files} == {
            ("detector", FILES[0]),
            ("landmarks", LANDMARKS),
            ("embedder", FILES[1]),
            *(("pad", name) for name in FILES[2:]),
        }
        assert [terms.part for terms in pack.terms][:3] == [FILES[0], LANDMARKS, FILES[1]]
        assert "on-commercial" in pack.terms[0].weights
        assert isinstance(pack.landmarker, MediapipeLandmarker)
        assert [network.name for network in pack.pad_networks] == [
            "minifas_v2se",
            "minifasnet_v1se",
            "minifasnet_v2",
        ]
        assert pack.match_calibration.embedder_sha256 == pack.files[2].sha256
        assert "CPUExecutionProvider" in pack.runtime
        assert len(pack.version) == 12

    def test_the_version_follows_the_files(self, insightface_pack: Pack, folder: Path) -> None:
        assert load_folder_pack("insightface", folder, runtime=CPU).version == insightface_pack.version
        for name in FILES[2:]:
            (folder / name).unlink()
        smaller = load_folder_pack("insightface", folder, runtime=CPU)
        assert smaller.pad_networks == ()
        assert smaller.missing_pad_networks == ("minifas_v2se", "minifasnet_v2", "minifasnet_v1se")
        assert smaller.version != insightface_pack.version

    def test_names_do_not_matter_and_unknown_files_are_not_opened(self, folder: Path) -> None:
        (folder / FILES[0]).rename(folder / "anything.onnx")
        shutil.copyfile(folder / FILES[1], folder / "twin.onnx")
        (folder / "genderage.onnx").write_bytes(b"would crash any loader")
        pack = load_folder_pack("insightface", folder, runtime=CPU)
        assert {file.name for file in pack.files} >= {"anything.onnx"}
        assert [file.role for file in pack.files].count("embedder") == 1

    def test_an_altered_file_is_refused_with_both_hashes(self, folder: Path) -> None:
        path = folder / FILES[0]
        honest = read_file(path)[1]
        path.write_bytes(path.read_bytes()[:-1] + b"\x00")
        with pytest.raises(PackFileAltered) as caught:
            load_folder_pack("insightface", folder, runtime=CPU)
        assert caught.value.name == FILES[0]
        assert caught.value.expected == honest
        assert caught.value.found == read_file(path)[1]
        assert honest in str(caught.value)
        assert caught.value.found in str(caught.value)

    @pytest.mark.parametrize(("name", "what"), [(FILES[0], "SCRFD detector"), (FILES[1], "embedder")])
    def test_a_missing_role_is_named(self, folder: Path, name: str, what: str) -> None:
        (folder / name).unlink()
        with pytest.raises(PackIncomplete, match=what):
            load_folder_pack("insightface", folder, runtime=CPU)

    def test_a_missing_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(PackNotFound, match="no folder"):
            load_folder_pack("insightface", tmp_path / "nowhere", runtime=CPU)

    def test_an_unreadable_file_is_refused(self, folder: Path) -> None:
        (folder / "a_folder.onnx").mkdir()
        with pytest.raises(PackNotFound, match=r"a_folder\.onnx"):
            load_folder_pack("insightface", folder, runtime=CPU)

    def test_a_named_pack_bears_its_name(self, folder: Path, insightface_pack: Pack) -> None:
        """Of the available files, because those of buffalo_l and buffalo_s are not in the assets."""
        detector, embedder, pad = (load_catalogue().by_name(name) for name in FILES[:3])
        assert detector is not None
        assert embedder is not None
        assert pad is not None
        named = CataloguePack(
            name=folder.name,
            family="insightface",
            title="",
            summary="",
            required=(detector, embedder),
            optional=(pad,),
        )
        family = FAMILIES["insightface"]
        files = choose_files(named_files(named, folder.parent), family=family, where="here")
        pack = make_insightface_pack(files, name="mine", runtime=CPU)
        assert pack.name == "mine"
        assert set(pack.files) < set(insightface_pack.files)
        assert pack.missing_pad_networks == ("minifasnet_v2", "minifasnet_v1se")

    def test_the_best_of_a_role_wins(self, folder: Path, astronaut: BgrImage) -> None:
        """Landmark models made here replace 2d106det, which is not in the assets."""
        lower, higher = np.zeros((106, 2), np.float32), np.full((106, 2), 0.5, np.float32)
        entry = next(entry for entry in load_catalogue().entries if entry.kind == "insightface106")
        entries = list(load_catalogue().entries)
        entries.remove(entry)
        for rank, points in ((1, lower), (2, higher)):
            path = folder / f"landmarks{rank}.onnx"
            path.write_bytes(constant_points_model(points))
            entries.append(replace(entry, names=(path.name,), sha256=read_file(path)[1], rank=rank))
        pack = load_folder_pack("insightface", folder, runtime=CPU, catalogue=Catalogue(tuple(entries)))
        assert pack.landmarker is not None
        assert pack.landmarker.scheme == "insightface106"
        face = pack.detector.detect(astronaut)[0]
        landmarks = pack.landmarker.locate(astronaut, face)
        assert landmarks is not None
        points = landmarks.points
        assert points.shape == (106, 2)
        # The network's square is 1.5 times the longer side of the box; 0.5 is half-way to its edge.
        away = 0.25 * 1.5 * max(face.box.width, face.box.height)
        np.testing.assert_allclose(points[0], np.add(face.box.centre, away), atol=0.5)


def test_a_rewritten_pad_network_gives_the_same_scores(
    insightface_pack: Pack, assets: Path, astronaut: BgrImage
) -> None:
    entry = load_catalogue().by_name(FILES[2])
    assert entry is not None
    assert entry.pad is not None
    session = create_session(assets / "models" / FILES[2], CPU)
    original = OnnxPadNetwork(name="original", session=session, preprocessing=entry.pad)
    (face,) = insightface_pack.detector.detect(astronaut)
    network = insightface_pack.pad_networks[0]
    expected = original.real_probability(astronaut, face)
    assert network.real_probability(astronaut, face) == pytest.approx(expected, abs=1e-5)


class TestDetector:
    def test_finds_a_face_with_its_points(self, insightface_pack: Pack, astronaut: BgrImage) -> None:
        (face,) = insightface_pack.detector.detect(astronaut)
        expected = [(204, 102), (247, 102), (225, 127), (202, 140), (245, 142)]
        np.testing.assert_allclose(face.five_points, expected, atol=5)
        assert 0.5 < face.confidence <= 1
        assert face.eye_distance == pytest.approx(43, abs=3)
        assert face.box.inside_fraction(512, 512) == 1

    @pytest.mark.parametrize("scale", [0.25, 0.5, 2.0])
    def test_coordinates_follow_the_frame(
        self, insightface_pack: Pack, astronaut: BgrImage, scale: float
    ) -> None:
        resized = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(
            np.uint8
        )
        (plain,) = insightface_pack.detector.detect(astronaut)
        (face,) = insightface_pack.detector.detect(resized)
        np.testing.assert_allclose(face.five_points / scale, plain.five_points, atol=4)

    def test_a_face_that_fills_the_frame(self, insightface_pack: Pack, astronaut: BgrImage) -> None:
        close_up = cv2.resize(astronaut[55:185, 170:280], (660, 780)).astype(np.uint8)
        assert len(insightface_pack.detector.detect(close_up)) == 1

    def test_a_small_face_in_a_large_frame(self, insightface_pack: Pack, astronaut: BgrImage) -> None:
        frame = np.full((1920, 1440, 3), 128, np.uint8)
        frame[900:1156, 500:756] = cv2.resize(astronaut, (256, 256))
        (face,) = insightface_pack.detector.detect(frame)
        assert face.box.centre == pytest.approx((500 + 112, 900 + 60), abs=6)

    def test_the_largest_comes_first(self, insightface_pack: Pack, astronaut: BgrImage) -> None:
        frame = np.zeros((512, 800, 3), np.uint8)
        frame[100:356, :256] = cv2.resize(astronaut, (256, 256))
        frame[:, 288:] = astronaut
        large, small = insightface_pack.detector.detect(frame)
        assert large.box.area > 3 * small.box.area
        assert small.box.centre[0] < 256 < large.box.centre[0]

    @pytest.mark.parametrize("shape", [(480, 640, 3), (7, 5, 3), (2, 900, 3), (1, 3000, 3)])
    def test_no_face(self, insightface_pack: Pack, shape: tuple[int, ...]) -> None:
        assert insightface_pack.detector.detect(np.full(shape, 90, np.uint8)) == ()


class TestEmbedder:
    @pytest.mark.slow
    def test_same_person_is_closer_than_others(
        self, insightface_pack: Pack, people: dict[str, list[Path]]
    ) -> None:
        templates: list[tuple[str, np.ndarray]] = []
        for identity, photos in people.items():
            for photo in photos[:3]:
                image = read_photo(photo)
                face = insightface_pack.detector.detect(image)[0]
                template = insightface_pack.embedder.embed(image, face)
                assert template.shape == (insightface_pack.embedder.dimensions,)
                assert template.dtype == np.float32
                assert np.linalg.norm(template) == pytest.approx(1, abs=1e-5)
                templates.append((identity, template))
        genuine: list[float] = []
        impostor: list[float] = []
        for (who, one), (whom, other) in itertools.combinations(templates, 2):
            (genuine if who == whom else impostor).append(float(one @ other))
        assert len(genuine) >= 12
        assert len(impostor) >= 100
        assert np.mean(genuine) - np.mean(impostor) > 0.4
        assert np.quantile(genuine, 0.1) > np.quantile(impostor, 0.95)

    def test_a_mirror_image_is_the_same_person(self, insightface_pack: Pack, astronaut: BgrImage) -> None:
        pair = [
            insightface_pack.embedder.embed(image, insightface_pack.detector.detect(image)[0])
            for image in (astronaut, np.ascontiguousarray(astronaut[:, ::-1]))
        ]
        assert pair[0] @ pair[1] > 0.9


@pytest.mark.slow
def test_threads_may_share_a_pack(insightface_pack: Pack, astronaut: BgrImage) -> None:
    networks = insightface_pack.pad_networks
    frames = [np.ascontiguousarray(astronaut[: 512 - 32 * cut]) for cut in range(4)] * 3

    def everything(frame: BgrImage) -> tuple[float, ...]:
        (face,) = insightface_pack.detector.detect(frame)
        template = insightface_pack.embedder.embed(frame, face)
        real = (network.real_probability(frame, face) for network in networks)
        return (face.confidence, *face.five_points.ravel(), *template, *real)

    alone = [everything(frame) for frame in frames]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(everything, frames))
    np.testing.assert_allclose(together, alone, atol=1e-5)

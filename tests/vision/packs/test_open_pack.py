"""The open family on real weights and photos, and on incomplete folders."""

import itertools
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import vision.packs.onnx_models
from tests.vision.conftest import read_photo
from tests.vision.models import channel_means_model, scaling_model
from vision.errors import PackFileAltered, PackFileUnusable, PackIncomplete, PackNotFound
from vision.face import BgrImage
from vision.geometry import align_face
from vision.onnx_sessions import RuntimeOptions
from vision.packs.calibration import load_calibration
from vision.packs.catalogue import Catalogue, CatalogueEntry, load_catalogue
from vision.packs.loading import load_folder_pack
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

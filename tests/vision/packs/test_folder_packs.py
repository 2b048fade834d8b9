"""The packs of folders on real weights and photos, in a user's folder and as pulled, and invalid folders."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.transform import SimilarityTransform as Reference

import vision.packs.onnx_models
from tests.vision.conftest import cosines
from tests.vision.models import channel_means_model, constant_points_model, scaling_model
from tests.vision.packs.pulled_files import write_pulled_files
from vision.errors import PackFileAltered, PackFileUnusable, PackIncomplete, PackNotFound
from vision.face import BgrImage
from vision.geometry import align_face
from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs import load_pack
from vision.packs.calibration import load_calibration
from vision.packs.catalogue import Catalogue, CatalogueEntry, CataloguePack, Family, load_catalogue
from vision.packs.insightface_library import SimilarityTransform
from vision.packs.insightface_pack import make_insightface_pack
from vision.packs.loading import load_folder_pack
from vision.packs.onnx_models import OnnxPadNetwork
from vision.packs.pack import Pack
from vision.packs.pack_files import FAMILIES, choose_files, default_models_dir, named_files, read_file

CPU = RuntimeOptions(providers="cpu")
DETECTORS: dict[Family, str] = {"insightface": "det_500m.onnx", "open": "face_detection_yunet_2023mar.onnx"}
EMBEDDER, LANDMARKS, *PADS = (
    "mobilefacenet_foamliu.onnx",
    "face_landmarker.task",
    "minifas_v2se_celebaspoof_128.onnx",
    "2.7_80x80_MiniFASNetV2.pth",
    "4_0_0_80x80_MiniFASNetV1SE.pth",
)


@pytest.fixture(scope="module")
def open_pack(assets: Path) -> Pack:
    return load_folder_pack("open", assets / "models", runtime=CPU)


@pytest.fixture(params=DETECTORS)
def family(request: pytest.FixtureRequest) -> Family:
    chosen: Family = request.param
    return chosen


@pytest.fixture
def pack(request: pytest.FixtureRequest, family: Family) -> Pack:
    chosen: Pack = request.getfixturevalue(f"{family}_pack")
    return chosen


@pytest.fixture
def folder(assets: Path, tmp_path: Path) -> Path:
    """A writable copy of the files that make a whole pack of either family."""
    for name in (*DETECTORS.values(), EMBEDDER, LANDMARKS, *PADS):
        shutil.copyfile(assets / "models" / name, tmp_path / name)
    return tmp_path


def _entry(file_name: str) -> CatalogueEntry:
    entry = load_catalogue().by_name(file_name)
    assert entry is not None
    return entry


def _catalogue_with(content: Path, kind: str) -> Catalogue:
    """The catalogue, with a file in place of the one of ``kind``."""
    entries = load_catalogue().entries
    stands_for = next(entry for entry in entries if entry.kind == kind)
    stand_in = replace(stands_for, names=(content.name,), sha256=read_file(content)[1], rank=99)
    return Catalogue((*(entry for entry in entries if entry is not stands_for), stand_in))


class TestFolders:
    def test_the_pack_describes_its_models(self, family: Family, pack: Pack) -> None:
        assert pack.name == family
        assert {(file.role, file.name) for file in pack.files} == {
            ("detector", DETECTORS[family]),
            ("embedder", EMBEDDER),
            ("landmarks", LANDMARKS),
            *(("pad", name) for name in PADS),
        }
        networks = [network.name for network in pack.pad_networks]
        assert networks == ["minifas_v2se", "minifasnet_v1se", "minifasnet_v2"]
        assert pack.missing_pad_networks == ()
        assert pack.landmarker is not None
        assert pack.landmarker.scheme == "mediapipe478"
        assert not pack.evaluation_only
        assert len({terms.part for terms in pack.terms}) == len(pack.files)
        assert all(terms.training_data for terms in pack.terms)
        assert ("on-commercial" in pack.terms[0].weights) is (family == "insightface")
        (embedder,) = (file for file in pack.files if file.role == "embedder")
        assert pack.match_calibration.embedder_sha256 == embedder.sha256
        assert "CPUExecutionProvider" in pack.runtime
        assert len(pack.version) == 12

    def test_landmarks_and_pad_networks_may_be_missing(
        self, folder: Path, family: Family, pack: Pack
    ) -> None:
        assert load_folder_pack(family, folder, runtime=CPU).version == pack.version
        for name in (LANDMARKS, *PADS):
            (folder / name).unlink()
        smaller = load_folder_pack(family, folder, runtime=CPU)
        assert smaller.landmarker is None
        assert smaller.pad_networks == ()
        assert smaller.missing_pad_networks == ("minifas_v2se", "minifasnet_v2", "minifasnet_v1se")
        assert smaller.version != pack.version

    def test_names_do_not_matter_and_unknown_files_are_not_opened(self, folder: Path, family: Family) -> None:
        (folder / DETECTORS[family]).rename(folder / "anything.onnx")
        shutil.copyfile(folder / EMBEDDER, folder / "twin.onnx")
        (folder / "genderage.onnx").write_bytes(b"would crash any loader")
        pack = load_folder_pack(family, folder, runtime=CPU)
        assert {file.name for file in pack.files} >= {"anything.onnx"}
        assert [file.role for file in pack.files].count("embedder") == 1

    def test_missing_files_are_named_together(self, folder: Path) -> None:
        (folder / DETECTORS["open"]).unlink()
        (folder / EMBEDDER).unlink()
        with pytest.raises(
            PackIncomplete, match=r"no catalogued YuNet detector .* and no embedder"
        ) as caught:
            load_folder_pack("open", folder, runtime=CPU)
        assert "facegate models pull open" in str(caught.value)

    @pytest.mark.parametrize("name", [DETECTORS["open"], EMBEDDER, LANDMARKS, *PADS])
    def test_an_altered_file_is_refused_with_both_hashes(self, folder: Path, name: str) -> None:
        path = folder / name
        honest = read_file(path)[1]
        path.write_bytes(path.read_bytes() + b"\x00")
        with pytest.raises(PackFileAltered) as caught:
            load_folder_pack("open", folder, runtime=CPU)
        assert (caught.value.name, caught.value.expected) == (name, honest)
        assert caught.value.found == read_file(path)[1]
        assert caught.value.found in str(caught.value)

    def test_a_folder_that_cannot_be_read_is_refused(self, folder: Path) -> None:
        with pytest.raises(PackNotFound, match="no folder"):
            load_folder_pack("open", folder / "nowhere", runtime=CPU)
        with pytest.raises(PackNotFound, match="the full path"):
            load_pack("open:~nobody-of-this-name/models")
        (folder / "a_folder.onnx").mkdir()
        with pytest.raises(PackNotFound, match=r"a_folder\.onnx"):
            load_folder_pack("insightface", folder, runtime=CPU)

    def test_the_home_folder(
        self, assets: Path, insightface_pack: Pack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(assets))
        assert load_pack("insightface:~/models").version == insightface_pack.version

    def test_a_named_pack_bears_its_name(self, folder: Path, insightface_pack: Pack) -> None:
        """Of the available files, because those of buffalo_l and buffalo_s are not in the assets."""
        detector, embedder, pad = (
            load_catalogue().by_name(name) for name in (DETECTORS["insightface"], EMBEDDER, PADS[0])
        )
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


@pytest.fixture
def models_dir(assets: Path, tmp_path: Path) -> Path:
    """A models folder with the pack ``open``, as ``facegate models pull`` leaves it."""
    pack = load_catalogue().pack("open")
    assert pack is not None
    folder = tmp_path / "models"
    write_pulled_files(pack, assets, folder / "open")
    return folder


class TestNamed:
    def test_is_loaded_from_its_folder(self, models_dir: Path) -> None:
        pack = load_pack("open", models_dir=models_dir)
        assert pack.name == "open"
        roles = ["detector", "landmarks", "embedder", "pad", "pad", "pad"]
        assert [file.role for file in pack.files] == roles
        assert pack.missing_pad_networks == ()
        (models_dir / "open" / "MiniFASNetV2.onnx").unlink()
        pack = load_pack("open", models_dir=models_dir)
        assert [network.name for network in pack.pad_networks] == ["minifas_v2se", "minifasnet_v1se"]
        assert pack.missing_pad_networks == ("minifasnet_v2",)

    def test_bears_its_own_name(self, models_dir: Path) -> None:
        """And only its own files: others in its folder are not read."""
        (models_dir / "open").rename(models_dir / "open_sface")
        (models_dir / "open_sface" / "w600k_r50.onnx").write_bytes(b"refused in a folder of the user's own")
        with pytest.raises(PackIncomplete, match=r"open_sface lacks face_recognition_sface_2021dec\.onnx"):
            load_pack("open_sface", models_dir=models_dir)

    def test_a_pack_that_was_not_pulled(self, tmp_path: Path) -> None:
        with pytest.raises(PackNotFound, match="`facegate models pull buffalo_l`") as caught:
            load_pack("buffalo_l", models_dir=tmp_path)
        assert str(tmp_path) in str(caught.value)
        with pytest.raises(PackNotFound, match="models folder"):
            load_pack("open")

    def test_missing_files_are_all_named(self, models_dir: Path) -> None:
        (models_dir / "open" / "face_landmarker.task").unlink()
        (models_dir / "open" / "mobilefacenet_foamliu.onnx").unlink()
        with pytest.raises(PackIncomplete, match="`facegate models pull open`") as caught:
            load_pack("open", models_dir=models_dir)
        assert "lacks mobilefacenet_foamliu.onnx, face_landmarker.task in" in str(caught.value)

    @pytest.mark.parametrize("name", ["mobilefacenet_foamliu.onnx", "MiniFASNetV2.onnx"])
    def test_an_altered_file_is_refused(self, models_dir: Path, name: str) -> None:
        """Also an optional one."""
        path = models_dir / "open" / name
        path.write_bytes(b"not what was pulled")
        with pytest.raises(
            PackFileAltered, match="Fetch it again with `facegate models pull open`"
        ) as caught:
            load_pack("open", models_dir=models_dir)
        entry = _entry(name)
        assert (caught.value.expected, caught.value.found) == (entry.sha256, read_file(path)[1])


@pytest.mark.parametrize(
    "spec", ["", "insightface", "insightface:", "open:", "opened", "embedded ", "closed:/srv", "buffalo_xl"]
)
def test_an_unknown_pack_is_refused_with_the_known_names(spec: str, tmp_path: Path) -> None:
    with pytest.raises(PackNotFound, match="insightface:<folder>") as caught:
        load_pack(spec, models_dir=tmp_path)
    for name in ("embedded", "open", "buffalo_l", "open:<folder>"):
        assert f'"{name}"' in str(caught.value)


HOME = Path("/home/someone")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "/home/someone/.local/share/facegate/models"),
        ({"XDG_DATA_HOME": "/data"}, "/data/facegate/models"),
        ({"XDG_DATA_HOME": ""}, "/home/someone/.local/share/facegate/models"),
        ({"XDG_DATA_HOME": "data"}, "/home/someone/.local/share/facegate/models"),
        ({"FACEGATE_MODELS_DIR": "/srv/models", "XDG_DATA_HOME": "/data"}, "/srv/models"),
        ({"FACEGATE_MODELS_DIR": "models"}, "models"),
        ({"FACEGATE_MODELS_DIR": "."}, "."),
        ({"FACEGATE_MODELS_DIR": "~/models"}, "/home/someone/models"),
        ({"FACEGATE_MODELS_DIR": "~"}, "/home/someone"),
        ({"FACEGATE_MODELS_DIR": ""}, "/home/someone/.local/share/facegate/models"),
    ],
)
def test_the_environment_sets_the_folder(environ: dict[str, str], expected: str) -> None:
    assert default_models_dir(environ, HOME) == Path(expected)


def test_a_rewritten_pad_network_gives_the_same_scores(
    insightface_pack: Pack, assets: Path, astronaut: BgrImage
) -> None:
    entry = _entry(PADS[0])
    assert entry.pad is not None
    session = create_session(assets / "models" / PADS[0], CPU)
    original = OnnxPadNetwork(name="original", session=session, preprocessing=entry.pad)
    (face,) = insightface_pack.detector.detect(astronaut)
    network = insightface_pack.pad_networks[0]
    expected = original.real_probability(astronaut, face)
    assert network.real_probability(astronaut, face) == pytest.approx(expected, abs=1e-5)


class TestDetector:
    def test_finds_a_face_with_its_points(self, pack: Pack, astronaut: BgrImage) -> None:
        (face,) = pack.detector.detect(astronaut)
        expected = [(204, 102), (247, 102), (225, 127), (202, 140), (245, 142)]
        np.testing.assert_allclose(face.five_points, expected, atol=5)
        assert face.five_points.dtype == np.float32
        assert 0.6 < face.confidence <= 1
        assert face.eye_distance == pytest.approx(43, abs=3)
        assert face.box.inside_fraction(512, 512) == 1

    @pytest.mark.parametrize("scale", [0.25, 0.5, 2.0])
    def test_coordinates_follow_the_frame(self, pack: Pack, astronaut: BgrImage, scale: float) -> None:
        resized = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        (plain,) = pack.detector.detect(astronaut)
        (face,) = pack.detector.detect(resized.astype(np.uint8))
        np.testing.assert_allclose(face.five_points / scale, plain.five_points, atol=4)

    def test_a_face_that_fills_the_frame(self, pack: Pack, astronaut: BgrImage) -> None:
        close_up = cv2.resize(astronaut[55:185, 170:280], (660, 780)).astype(np.uint8)
        assert len(pack.detector.detect(close_up)) == 1

    def test_a_small_face_in_a_large_frame(self, pack: Pack, astronaut: BgrImage) -> None:
        frame = np.full((1920, 1440, 3), 128, np.uint8)
        frame[900:1156, 500:756] = cv2.resize(astronaut, (256, 256))
        (face,) = pack.detector.detect(frame)
        assert face.box.centre == pytest.approx((500 + 112, 900 + 57), abs=8)

    def test_the_largest_comes_first(self, pack: Pack, astronaut: BgrImage) -> None:
        frame = np.zeros((512, 800, 3), np.uint8)
        frame[100:356, :256] = cv2.resize(astronaut, (256, 256))
        frame[:, 288:] = astronaut
        large, small = pack.detector.detect(frame)
        assert large.box.area > 3 * small.box.area
        assert small.box.centre[0] < 256 < large.box.centre[0]

    @pytest.mark.parametrize("shape", [(480, 640, 3), (7, 5, 3), (2, 900, 3), (1, 3000, 3)])
    def test_no_face(self, pack: Pack, shape: tuple[int, ...]) -> None:
        assert pack.detector.detect(np.full(shape, 90, np.uint8)) == ()


class TestEmbedder:
    def test_same_person_is_closer_than_others(self, open_pack: Pack, people: dict[str, list[Path]]) -> None:
        genuine, impostor = cosines(open_pack, people, most=3)
        assert len(genuine) >= 12
        assert len(impostor) >= 100
        assert np.mean(genuine) - np.mean(impostor) > 0.4
        assert np.quantile(genuine, 0.1) > np.quantile(impostor, 0.95)

    def test_a_mirror_image_is_the_same_person(self, pack: Pack, astronaut: BgrImage) -> None:
        pair = [
            pack.embedder.embed(image, pack.detector.detect(image)[0])
            for image in (astronaut, np.ascontiguousarray(astronaut[:, ::-1]))
        ]
        assert pair[0] @ pair[1] > 0.9

    def test_templates_are_those_of_the_insightface_library(
        self, open_pack: Pack, insightface_pack: Pack, astronaut: BgrImage
    ) -> None:
        """The same file, embedded without the library and with it."""
        (face,) = open_pack.detector.detect(astronaut)
        own, library = (pack.embedder.embed(astronaut, face) for pack in (open_pack, insightface_pack))
        np.testing.assert_allclose(own, library, atol=1e-5)


@pytest.mark.parametrize("name", ["open_pack", pytest.param("insightface_pack", marks=pytest.mark.slow)])
def test_threads_may_share_a_pack(request: pytest.FixtureRequest, astronaut: BgrImage, name: str) -> None:
    shared: Pack = request.getfixturevalue(name)
    frames = [np.ascontiguousarray(astronaut[: 512 - 32 * cut]) for cut in range(4)] * 3

    def everything(frame: BgrImage) -> tuple[float, ...]:
        (face,) = shared.detector.detect(frame)
        template = shared.embedder.embed(frame, face)
        real = (network.real_probability(frame, face) for network in shared.pad_networks)
        assert shared.landmarker is not None
        landmarks = shared.landmarker.locate(frame, face)
        assert landmarks is not None
        return (face.confidence, *face.five_points.ravel(), *template, *real, *landmarks.points.ravel())

    alone = [everything(frame) for frame in frames]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(everything, frames))
    np.testing.assert_allclose(together, alone, atol=1e-5)


_WITHOUT = """
import sys
from importlib.util import find_spec

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"skimage", "scipy", "networkx", "imageio", "tifffile", "lazy_loader"}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Absent())
from vision.packs.insightface_library import SimilarityTransform, import_insightface

insightface = import_insightface()
assert import_insightface() is insightface
face_align = insightface.utils.face_align
assert face_align.trans.SimilarityTransform is SimilarityTransform
image = __import__("numpy").zeros((90, 90, 3), "uint8")
cut, matrix = face_align.transform(image, (40.0, 50.0), 64, 0.5, 30)
assert cut.shape == (64, 64, 3) and matrix.shape == (2, 3)
assert not {"skimage", "skimage.transform", "scipy"} & set(sys.modules)
"""


def test_it_is_imported_without_scikit_image_and_what_that_needs() -> None:
    done = subprocess.run([sys.executable, "-c", _WITHOUT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_scikit_image_that_is_loaded_stays() -> None:
    program = (
        "import sys, skimage.transform\n"
        "from vision.packs.insightface_library import import_insightface\n"
        "import_insightface()\n"
        "from skimage.transform import SimilarityTransform\n"
        "assert sys.modules['skimage.transform'] is skimage.transform\n"
        "assert SimilarityTransform.__module__.startswith('skimage.')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_transform_is_that_of_scikit_image() -> None:
    steps: tuple[dict[str, object], ...] = (
        {"scale": 0.7},
        {"translation": (-31.0, 8.5)},
        {"rotation": 0.4},
        {"scale": 2.5, "rotation": -1.1, "translation": (3.0, 4.0)},
    )
    ours, theirs = SimilarityTransform(), Reference()
    for step in steps:
        ours, theirs = ours + SimilarityTransform(**step), theirs + Reference(**step)  # type: ignore[arg-type]
        np.testing.assert_array_equal(ours.params, theirs.params)

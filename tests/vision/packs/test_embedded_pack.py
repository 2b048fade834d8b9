"""The embedded pack on a public-domain portrait and real photos."""

import importlib.util
import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.vision.conftest import read_photo
from vision.errors import ModelFailed, PackFileAltered, PackNotFound
from vision.face import BgrImage, Box, DetectedFace
from vision.packs.dlib_models import PREPROCESSING
from vision.packs.embedded_pack import embedded_pack_installed, load_embedded_pack
from vision.packs.pack import Pack
from vision.packs.pack_files import pack_version

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

    monkeypatch.setattr("vision.packs.embedded_pack.find_spec", find_spec)


def _main_face(pack: Pack, image: BgrImage) -> DetectedFace:
    return max(pack.detector.detect(image), key=lambda face: face.confidence)


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
        landmarker = embedded_pack.landmarker
        assert landmarker is not None
        face = _main_face(embedded_pack, astronaut)
        landmarks = landmarker.locate(astronaut, face)
        assert landmarks is not None
        assert landmarks.scheme == landmarker.scheme == "ibug68"
        assert landmarks.points.shape == (68, 2)
        np.testing.assert_allclose(landmarks.points[30], face.five_points[2], atol=2)
        np.testing.assert_allclose(landmarks.points[48], face.five_points[3], atol=2)

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
        templates = []
        for identity, photos in people.items():
            for photo in photos[:2]:
                image = read_photo(photo)
                faces = embedded_pack.detector.detect(image)
                if faces:
                    template = embedded_pack.embedder.embed(image, faces[0])
                    assert np.linalg.norm(template) == pytest.approx(1, abs=1e-5)
                    templates.append((identity, template))
        genuine: list[float] = []
        impostor: list[float] = []
        for (who, one), (whom, other) in itertools.combinations(templates, 2):
            (genuine if who == whom else impostor).append(float(one @ other))
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
    landmarker = embedded_pack.landmarker
    assert landmarker is not None

    def everything(frame: BgrImage) -> list[float]:
        face = _main_face(embedded_pack, frame)
        landmarks = landmarker.locate(frame, face)
        assert landmarks is not None
        return [face.confidence, *landmarks.points.ravel()]

    alone = [everything(frame) for frame in frames]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(everything, frames))
    np.testing.assert_array_equal(together, alone)

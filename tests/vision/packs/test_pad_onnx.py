"""PAD networks: preprocessing by the catalogue, on models with known answers."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.vision.conftest import read_photo
from tests.vision.models import channel_means_model, scaling_model
from vision.errors import ModelFailed, PackFileUnusable
from vision.face import BgrImage, Box, DetectedFace
from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs.catalogue import PadPreprocessing
from vision.packs.onnx_models import OnnxPadNetwork
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


def test_a_failing_runtime_does_not_leak_its_exception(
    coloured: BgrImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = _network(PREPROCESSING)

    class Broken:
        def run(self, *_: object) -> None:
            raise RuntimeError("device lost")

    monkeypatch.setattr(network, "_session", Broken())
    with pytest.raises(ModelFailed, match="tiny"):
        network.real_probability(coloured, FACE)


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

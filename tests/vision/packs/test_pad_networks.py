"""The packaged network: the file, its size, its speed, and real images."""

import csv
import os
import pickle
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from evaluation.minifasnet_onnx import main
from tests.vision.conftest import read_photo
from vision.errors import ModelFailed, PackFileAltered, PackFileUnusable, PackNotFound
from vision.face import BgrImage, Box, DetectedFace
from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs import facegate_pad
from vision.packs.catalogue import load_catalogue
from vision.packs.facegate_pad import (
    KIND,
    TIGHT_SIDE,
    WIDE_SIDE,
    TwoCropPadNetwork,
    load_facegate_pad,
    read_facegate_pad,
    tight_and_wide,
)
from vision.packs.interfaces import PadNetwork
from vision.packs.minifasnet_state import StateFileError, minifasnet_to_onnx, read_state
from vision.packs.pack import Pack

CPU = RuntimeOptions(providers="cpu")
MOST_BYTES = 2_000_000
HELD_OUT = ("Krzysiek354", "lestari15", "tranvanluyt2203")
"""Publishers of images outside the network's training; see research/pad_network/split.toml."""


@pytest.fixture(scope="module")
def network() -> TwoCropPadNetwork:
    return load_facegate_pad(read_facegate_pad(), CPU)


def test_the_file_is_the_catalogued_one_and_small() -> None:
    file = read_facegate_pad()
    assert file.entry is load_catalogue().only(KIND)
    assert file.entry.size == len(file.content) <= MOST_BYTES
    assert file.entry.evaluation_only
    assert "evaluation only" in file.entry.terms.weights


def test_an_altered_or_missing_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(facegate_pad, "files", lambda _: tmp_path)
    with pytest.raises(PackNotFound, match="install it again"):
        read_facegate_pad()
    entry = load_catalogue().only(KIND)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / entry.file_name).write_bytes(b"altered")
    with pytest.raises(PackFileAltered) as caught:
        read_facegate_pad()
    assert caught.value.expected == entry.sha256


def test_the_answer_does_not_change_between_calls(network: TwoCropPadNetwork, astronaut: BgrImage) -> None:
    face = DetectedFace(Box(170, 60, 280, 190), 0.9, np.zeros((5, 2), np.float32))
    first = network.real_probability(astronaut, face)
    assert 0 < first < 1
    assert network.real_probability(astronaut, face) == first
    moved = replace(face, box=Box(174, 64, 284, 194))
    assert network.real_probability(astronaut, moved) == pytest.approx(first, abs=0.35)


def test_the_network_is_no_slower_than_the_public_one(
    network: TwoCropPadNetwork, insightface_pack: Pack, astronaut: BgrImage
) -> None:
    public = insightface_pack.pad_networks[0]
    face = DetectedFace(Box(170, 60, 280, 190), 0.9, np.zeros((5, 2), np.float32))
    spent = {}
    for one in (network, public):
        one.real_probability(astronaut, face)
        spent[one.name] = min(_seconds(one, astronaut, face) for _ in range(15))
    assert spent["facegate_pad_v1"] <= spent["minifas_v2se"]


def _seconds(network: PadNetwork, image: BgrImage, face: DetectedFace) -> float:
    started = time.process_time()
    network.real_probability(image, face)
    return time.process_time() - started


def test_sources_it_never_saw(network: TwoCropPadNetwork, insightface_pack: Pack, assets: Path) -> None:
    scores = {label: _scores(network, insightface_pack, assets, label) for label in ("live", "spoof")}
    assert min(len(values) for values in scores.values()) >= 12
    above = (scores["live"][:, None] > scores["spoof"][None, :]).mean()
    assert above > 0.6


def _scores(network: TwoCropPadNetwork, pack: Pack, assets: Path, label: str) -> NDArray[np.float64]:
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
            scores.append(network.real_probability(image, faces[0]))
    return np.array(scores)


BOX = Box(40, 40, 60, 80)
FACE = DetectedFace(BOX, 0.9, np.zeros((5, 2), np.float32))


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
    network = TwoCropPadNetwork(name="tiny", session=create_session(_difference_model(), CPU))
    logit = (200 - wide.mean()) / 100
    assert network.real_probability(ringed, FACE) == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-4)
    assert network.name == "tiny"


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


def test_a_failing_runtime_does_not_leak_its_exception(
    ringed: BgrImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = TwoCropPadNetwork(name="tiny", session=create_session(_difference_model(), CPU))

    class Broken:
        def run(self, *_: object) -> None:
            raise RuntimeError("device lost")

    monkeypatch.setattr(network, "_session", Broken())
    with pytest.raises(ModelFailed, match="tiny"):
        network.real_probability(ringed, FACE)


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

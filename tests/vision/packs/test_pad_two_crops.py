"""The two-crop network's wrapper, on a model with a known answer."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from vision.errors import ModelFailed, PackFileUnusable
from vision.face import BgrImage, Box, DetectedFace
from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs.facegate_pad import TIGHT_SIDE, WIDE_SIDE, TwoCropPadNetwork, tight_and_wide

CPU = RuntimeOptions(providers="cpu")
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

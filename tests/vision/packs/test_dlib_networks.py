"""dlib's networks in ONNX Runtime give dlib's answers."""

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from vision.errors import PackFileUnusable
from vision.face import BgrImage
from vision.onnx_sessions import OnnxSession, RuntimeOptions, create_session
from vision.packs import embedded_pack as embedded_pack_module
from vision.packs.dlib_networks import finder_to_onnx, resnet_to_onnx
from vision.packs.pack import Pack
from vision.packs.pack_files import VerifiedFile, read_file

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
    from vision.packs.catalogue import load_catalogue

    entry = load_catalogue().only("dlib_resnet")
    cut = VerifiedFile(path=weights / RESNET, entry=entry, sha256=sha256, content=content[:-1000])
    with pytest.raises(PackFileUnusable, match=RESNET):
        embedded_pack_module._session(cut, resnet_to_onnx, CPU)

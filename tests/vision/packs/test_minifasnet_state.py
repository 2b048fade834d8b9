"""Silent-Face's files without PyTorch."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from evaluation.minifasnet_onnx import main
from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs.minifasnet_state import StateFileError, minifasnet_to_onnx, read_state

FILES = ("2.7_80x80_MiniFASNetV2.pth", "4_0_0_80x80_MiniFASNetV1SE.pth")


@pytest.mark.parametrize("name", FILES)
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
    state = read_state((assets / "models" / FILES[1]).read_bytes())
    assert state["conv1.conv.weight"].shape[1:] == (3, 3, 3)
    assert state["prob.weight"].shape == (3, 128)
    assert any(name.endswith("se_module.fc1.weight") for name in state)
    assert all((state[name] > 0).all() for name in state if name.endswith("running_var"))


def test_a_network_that_lacks_a_part_is_refused(assets: Path) -> None:
    state = dict(read_state((assets / "models" / FILES[0]).read_bytes()))
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


def test_the_command_reports_a_missing_file_in_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pth"
    command = [sys.executable, "-m", "evaluation.minifasnet_onnx", str(missing), str(tmp_path / "out.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"could not convert: [Errno 2] No such file or directory: '{missing}'\n"

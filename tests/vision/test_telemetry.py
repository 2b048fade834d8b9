"""Model runtimes collect nothing for their makers."""

import os
import subprocess
import sys
from pathlib import Path

_LOAD = """
from pathlib import Path
import vision
from vision.onnx_sessions import on_gpu
import onnxruntime
model = Path(vision.__file__).parent / "packs" / "weights" / "facegate_pad_v1.onnx"
session = onnxruntime.InferenceSession(model.read_bytes(), providers=["CPUExecutionProvider"])
print(len(session.get_inputs()))
"""


def test_onnx_runtime_writes_nothing_into_the_home(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", _LOAD],
        env={**environment, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert int(done.stdout) >= 1
    assert list(tmp_path.rglob("*")) == []

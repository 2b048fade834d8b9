"""One ONNX Runtime, one OpenCV."""

import sys
from pathlib import Path

import pytest

from vision.errors import RuntimeConflict
from vision.runtime_check import require_runtime


def _install(monkeypatch: pytest.MonkeyPatch, folder: Path, *names: str) -> None:
    """Make these distributions the only ones on the path."""
    for name in names:
        info = folder / f"{name.replace('-', '_')}-1.2.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n")
    monkeypatch.setattr(sys, "path", [str(folder)])


def test_this_environment_has_one_of_each() -> None:
    installed = require_runtime()
    assert installed.onnxruntime.startswith("onnxruntime")
    assert installed.opencv.startswith("opencv")


def test_the_error_names_the_installed_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _install(monkeypatch, tmp_path, "numpy", "onnxruntime_gpu", "opencv-python-headless")
    installed = require_runtime()
    assert installed.onnxruntime == "onnxruntime-gpu 1.2.3"
    assert installed.opencv == "opencv-python-headless 1.2.3"


@pytest.mark.parametrize(
    ("names", "in_conflict", "command"),
    [
        (
            ("onnxruntime", "onnxruntime-gpu", "opencv-python"),
            ("onnxruntime", "onnxruntime-gpu"),
            "pip uninstall --yes onnxruntime onnxruntime-gpu` and then `pip install onnxruntime-gpu==1.2.3",
        ),
        (
            ("onnxruntime", "onnxruntime-training", "opencv-python"),
            ("onnxruntime", "onnxruntime-training"),
            "pip install onnxruntime==1.2.3",
        ),
        (
            ("onnxruntime", "opencv-python", "opencv_python_headless"),
            ("opencv-python", "opencv-python-headless"),
            "pip install opencv-python-headless==1.2.3",
        ),
        (("opencv-python",), (), "pip install onnxruntime"),
        (("onnxruntime",), (), "pip install opencv-python-headless"),
    ],
)
def test_refuses_none_and_several(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    names: tuple[str, ...],
    in_conflict: tuple[str, ...],
    command: str,
) -> None:
    _install(monkeypatch, tmp_path, *names)
    with pytest.raises(RuntimeConflict) as caught:
        require_runtime()
    assert caught.value.installed == in_conflict
    assert command in str(caught.value)

"""One ONNX Runtime, one OpenCV; and processes that run our code and no other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import vision
from vision.errors import RuntimeConflict
from vision.own_process import module_command
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


_SHOWN = """
import json, sys, vision
print(json.dumps({"name": __name__, "arguments": sys.argv[1:], "vision": vision.__path__[0]}))
"""


@pytest.fixture
def shown_folder(tmp_path: Path) -> Path:
    """A folder with a module ``shown`` and another ``vision``."""
    (tmp_path / "shown.py").write_text(_SHOWN)
    (tmp_path / "vision.py").write_text("raise SystemExit('another vision')")
    return tmp_path


def test_a_module_runs_as_main_with_our_code_before_all_other(shown_folder: Path) -> None:
    done = subprocess.run(
        module_command("shown", "a", "-b c"),
        cwd=shown_folder,
        env=os.environ | {"PYTHONPATH": str(shown_folder)},
        capture_output=True,
        check=True,
    )
    shown = json.loads(done.stdout)
    assert (shown["name"], shown["arguments"]) == ("__main__", ["a", "-b c"])
    assert shown["vision"] == vision.__path__[0]


@pytest.mark.parametrize("isolated", [False, True])
def test_the_current_folder_adds_no_code(shown_folder: Path, isolated: bool) -> None:
    done = subprocess.run(module_command("shown", isolated=isolated), cwd=shown_folder, capture_output=True)
    assert done.returncode != 0
    assert b"No module named shown" in done.stderr


def test_an_isolated_process_takes_no_code_of_the_environment(shown_folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(shown_folder)}
    command = module_command("shown", isolated=True)
    assert subprocess.run(command, env=environment, capture_output=True).returncode != 0

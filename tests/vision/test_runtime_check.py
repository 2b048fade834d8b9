"""One ONNX Runtime, one OpenCV."""

from dataclasses import dataclass

import pytest

from vision.errors import RuntimeConflict
from vision.runtime_check import check_runtime


@dataclass(frozen=True)
class FakeDistribution:
    name: str
    version: str = "1.2.3"

    @property
    def metadata(self) -> dict[str, str]:
        return {"Name": self.name}


def _install(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    found = [FakeDistribution(name) for name in names]
    monkeypatch.setattr("importlib.metadata.distributions", lambda: iter(found))


def test_this_environment_has_one_of_each() -> None:
    installed = check_runtime()
    assert installed.onnxruntime.startswith("onnxruntime")
    assert installed.opencv.startswith("opencv")


def test_names_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, "numpy", "onnxruntime_gpu", "opencv-python-headless")
    installed = check_runtime()
    assert installed.onnxruntime == "onnxruntime-gpu 1.2.3"
    assert installed.opencv == "opencv-python-headless 1.2.3"


@pytest.mark.parametrize(
    ("names", "in_conflict", "command"),
    [
        (
            ("onnxruntime", "onnxruntime-gpu", "opencv-python"),
            ("onnxruntime", "onnxruntime-gpu"),
            "pip uninstall --yes onnxruntime onnxruntime-gpu",
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
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], in_conflict: tuple[str, ...], command: str
) -> None:
    _install(monkeypatch, *names)
    with pytest.raises(RuntimeConflict) as caught:
        check_runtime()
    assert caught.value.installed == in_conflict
    assert command in str(caught.value)

"""Tests that exactly one ONNX Runtime and one OpenCV are installed; otherwise nothing starts.

Several distributions provide the same module (``onnxruntime``, ``cv2``). If two are installed,
their files overwrite each other, and chance decides which one runs: a CPU build may run on a GPU
machine, or the import may crash.
"""

from dataclasses import dataclass
from importlib import metadata

from vision.errors import RuntimeConflict

_ONNX_RUNTIMES = frozenset(
    {
        "onnxruntime",
        "onnxruntime-azure",
        "onnxruntime-cann",
        "onnxruntime-coreml",
        "onnxruntime-directml",
        "onnxruntime-gpu",
        "onnxruntime-migraphx",
        "onnxruntime-openvino",
        "onnxruntime-qnn",
        "onnxruntime-rocm",
        "onnxruntime-silicon",
        "onnxruntime-training",
        "onnxruntime-vitisai",
        "onnxruntime-windowsml",
        "ort-nightly",
        "ort-nightly-gpu",
    }
)
_OPENCVS = frozenset(
    {
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
        "opencv-python",
        "opencv-python-headless",
        "opencv-python-rolling",
    }
)
_USUAL = {"ONNX Runtime": "onnxruntime", "OpenCV": "opencv-python-headless"}
"""The distribution to install where there is none."""
_KEPT = {"ONNX Runtime": "onnxruntime-gpu", "OpenCV": "opencv-python-headless"}
"""The one to keep of several: no package depends on the GPU build, so somebody chose it."""


@dataclass(frozen=True, slots=True)
class InstalledRuntime:
    """The installed distributions.

    Attributes:
        onnxruntime: Distribution and version, such as ``"onnxruntime 1.31.1"``.
        opencv: Distribution and version, such as ``"opencv-python-headless 5.0.0.93"``.
    """

    onnxruntime: str
    opencv: str


def require_runtime() -> InstalledRuntime:
    """Test that exactly one ONNX Runtime and one OpenCV are installed.

    Raises:
        RuntimeConflict: No distribution of a family is installed, or several are. The message states the
            command that corrects it.
    """
    return InstalledRuntime(
        onnxruntime=_only("ONNX Runtime", _ONNX_RUNTIMES),
        opencv=_only("OpenCV", _OPENCVS),
    )


def _only(family: str, known: frozenset[str]) -> str:
    installed = {name: version for name in known if (version := _installed_version(name)) is not None}
    found = tuple(sorted(installed))
    if len(found) == 1:
        return f"{found[0]} {installed[found[0]]}"
    if not found:
        raise RuntimeConflict(
            f"no {family} is installed, expected exactly one: run `pip install {_USUAL[family]}`, or install "
            "Facegate from one of the files in deploy/requirements/",
            installed=found,
        )
    # Their files overlap, so removing one damages the other: remove all, and install one again.
    keep = next((name for name in (_KEPT[family], _USUAL[family]) if name in found), found[0])
    raise RuntimeConflict(
        f"{len(found)} distributions of {family} are installed ({', '.join(found)}), expected exactly one: "
        f"run `pip uninstall --yes {' '.join(found)}` and then `pip install {keep}=={installed[keep]}`",
        installed=found,
    )


def _installed_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None

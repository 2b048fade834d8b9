"""Interpreters for threads, with a substitute for LiteRT, and the silence of the real one."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from vision.errors import ModelFailed, PackFileUnusable
from vision.packs.mediapipe_landmarker import TfliteNetwork

GREETING = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"


class Doubling:
    """Gives the sum of its input and twice the input; fails on request."""

    made: ClassVar[list["Doubling"]] = []
    writes: ClassVar[bytes] = b""
    together: ClassVar[threading.Barrier | None] = None

    def __init__(self, *, model_content: bytes, num_threads: int) -> None:
        if model_content != b"model":
            raise ValueError("model_content is no flatbuffer")
        assert num_threads == 1
        self._inside = threading.Lock()
        self._values = np.zeros((1, 3), np.float32)
        Doubling.made.append(self)

    def allocate_tensors(self) -> None:
        os.write(2, Doubling.writes)

    def get_input_details(self) -> list[dict[str, Any]]:
        return [{"index": 7, "shape": np.array([1, 3]), "dtype": np.float32}]

    def get_output_details(self) -> list[dict[str, Any]]:
        return [
            {"index": 9, "shape": np.array([1, 1]), "dtype": np.float32},
            {"index": 8, "shape": np.array([1, 1, 3]), "dtype": np.float32},
        ]

    def set_tensor(self, index: int, values: NDArray[np.float32]) -> None:
        assert index == 7
        assert self._inside.acquire(blocking=False), "two threads share an interpreter"
        self._values = values
        if not np.isfinite(values).all():
            self._inside.release()
            raise ValueError("cannot set tensor")

    def invoke(self) -> None:
        if Doubling.together is not None:
            Doubling.together.wait(10)

    def get_tensor(self, index: int) -> NDArray[np.float32]:
        if index == 9:
            return np.full((1, 1), self._values.sum(), np.float32)
        self._inside.release()
        return (2 * self._values[None]).astype(np.float32)


@pytest.fixture(autouse=True)
def litert(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = ModuleType("ai_edge_litert.interpreter")
    stand_in.Interpreter = Doubling  # type: ignore[attr-defined]  # a module made by hand
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", stand_in)
    monkeypatch.setattr(Doubling, "made", [])


def network(content: bytes = b"model", **changes: Any) -> TfliteNetwork:
    wanted: dict[str, Any] = {"input_shape": (1, 3), "output_sizes": (1, 3)} | changes
    return TfliteNetwork(content, name="twice.tflite", **wanted)


def test_gives_every_output_in_order() -> None:
    total, doubled = network().run(np.array([[1, 2, 4]], np.float32))
    assert total.tolist() == [7]
    assert doubled.tolist() == [2, 4, 8]


def test_one_thread_needs_one_interpreter() -> None:
    used = network()
    for _ in range(5):
        used.run(np.ones((1, 3), np.float32))
    assert len(Doubling.made) == 1


def test_threads_at_once_have_one_each_and_leave_them_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Doubling, "together", threading.Barrier(3))
    used = network()
    inputs = [np.full((1, 3), value, np.float32) for value in range(12)]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(used.run, inputs))
    assert [total.item() for total, _ in answers] == [3 * value for value in range(12)]
    assert len(Doubling.made) == 3


def test_a_failing_run_is_a_failed_model_and_the_interpreter_is_used_again() -> None:
    used = network()
    with pytest.raises(ModelFailed, match=r"twice\.tflite failed \(ValueError\)"):
        used.run(np.full((1, 3), np.nan, np.float32))
    assert used.run(np.ones((1, 3), np.float32))[0].item() == 3
    assert len(Doubling.made) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"content": b"something else"}, r"cannot load twice\.tflite \(ValueError\)"),
        ({"input_shape": (1, 4)}, r"takes \[\(1, 3\)\]"),
        ({"output_sizes": (3, 1)}, r"gives \[1, 3\] numbers"),
        ({"output_sizes": (1,)}, r"gives \[1, 3\] numbers"),
    ],
)
def test_another_network_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PackFileUnusable, match=message):
        network(**changes)


def test_only_the_greeting_is_kept_from_stderr(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Doubling, "writes", b"a line of another thread\n" + GREETING + b"and one more\n")
    network()
    assert capfd.readouterr().err == "a line of another thread\nand one more\n"


def test_stderr_is_given_back_where_loading_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PackFileUnusable):
        network(b"something else")
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"


def test_litert_itself_stays_silent(assets: Path) -> None:
    load = (
        "import sys, pathlib; from vision.packs.mediapipe_landmarker import load_mediapipe_landmarker; "
        "load_mediapipe_landmarker(pathlib.Path(sys.argv[1]).read_bytes(), name='task')"
    )
    task = assets / "models" / "face_landmarker.task"
    done = subprocess.run([sys.executable, "-W", "error", "-c", load, str(task)], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

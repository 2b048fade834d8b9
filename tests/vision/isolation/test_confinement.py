"""The kernel's status of a running worker."""

import re
from pathlib import Path

import pytest

from tests.vision.decoders import decoders
from vision.isolation.workers import DecoderLimits

PLACES = {"Max core file size": 0, "Max file size": 0, "Max processes": 0, "Max open files": 16}


@pytest.mark.parametrize("kind", ["stills", "video"])
class TestEveryKind:
    def _proc(self, kind: str, file: str) -> str:
        (process,) = decoders().states[kind].processes
        return Path(f"/proc/{process}/{file}").read_text()

    def test_limits_are_hard(self, kind: str) -> None:
        limits = self._proc(kind, "limits")
        for name, value in PLACES.items():
            assert re.search(rf"^{name} +{value} +{value} ", limits, re.MULTILINE), name

    def test_memory_is_limited_above_the_loaded_decoders(self, kind: str) -> None:
        found = re.search(r"^Max address space +(\d+) +(\d+) ", self._proc(kind, "limits"), re.MULTILINE)
        assert found
        soft, hard = int(found[1]), int(found[2])
        assert soft == hard
        assert DecoderLimits().memory_bytes < soft < 2 * DecoderLimits().memory_bytes + 2**30

    def test_rights_and_system_calls(self, kind: str) -> None:
        status = self._proc(kind, "status")
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
        if decoders().states[kind].filter_errno == 0:
            assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)

    def test_a_worker_has_one_thread_and_no_socket(self, kind: str) -> None:
        assert re.search(r"^Threads:\s+1$", self._proc(kind, "status"), re.MULTILINE)
        (process,) = decoders().states[kind].processes
        try:
            handles = [str(handle.readlink()) for handle in Path(f"/proc/{process}/fd").iterdir()]
        except PermissionError:
            pytest.skip("a worker is not dumpable, so only root sees its open files")
        assert sorted({handle.split(":")[0] for handle in handles}) == ["/dev/null", "pipe"]

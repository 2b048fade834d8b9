"""The kernel's status of a running worker."""

import errno
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.vision.decoders import decoders
from vision.isolation.confinement import AARCH64, NUMBERS, X86_64, UnknownMachine, build_filter
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


ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
MACHINES = {"x86_64": (0xC000003E, X86_64), "aarch64": (0xC00000B7, AARCH64)}
PID = 4321


def run(program: bytes, number: int, audit: int, arguments: tuple[int, ...] = ()) -> int:
    """The kernel's evaluation: the five instructions of linux/filter.h that are used."""
    padded = arguments + (0,) * (6 - len(arguments))
    data = struct.pack("<IIQ6Q", number, audit, 0, *padded)
    code = [struct.unpack_from("=HBBI", program, 8 * i) for i in range(len(program) // 8)]
    position = accumulator = 0
    while True:
        operation, if_true, if_false, value = code[position]
        position += 1
        match operation:
            case 0x20:
                accumulator = struct.unpack_from("<I", data, value)[0]
            case 0x15:
                position += if_true if accumulator == value else if_false
            case 0x35:
                position += if_true if accumulator >= value else if_false
            case 0x45:
                position += if_true if accumulator & value else if_false
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(f"no such instruction: {operation:#x}")


def answer(machine: str, name: str, *arguments: int) -> int:
    audit, column = MACHINES[machine]
    number = NUMBERS[name][column]
    assert number is not None
    return run(build_filter(machine, pid=PID), number, audit, arguments)


@pytest.mark.parametrize("machine", MACHINES)
class TestEveryMachine:
    def test_decoding_passes(self, machine: str) -> None:
        for name in ("read", "write", "brk", "munmap", "futex", "getrandom", "exit_group", "rt_sigreturn"):
            assert answer(machine, name) == ALLOW, name

    def test_attacks_kill(self, machine: str) -> None:
        for name in (
            "socket",
            "connect",
            "execve",
            "execveat",
            "ptrace",
            "process_vm_readv",
            "kill",
            "tkill",
        ):
            assert answer(machine, name) == KILL, name

    def test_files_are_not_opened(self, machine: str) -> None:
        assert answer(machine, "openat", 0, 0, os.O_RDONLY | os.O_CLOEXEC) == ERRNO | errno.EACCES
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_RDONLY | os.O_CREAT):
            assert answer(machine, "openat", 0, 0, flags) == KILL

    def test_memory_is_not_executable(self, machine: str) -> None:
        for name in ("mmap", "mprotect"):
            assert answer(machine, name, 0, 4096, 3) == ALLOW
            assert answer(machine, name, 0, 4096, 7) == ERRNO | errno.EPERM

    def test_processes_kill_and_threads_fail(self, machine: str) -> None:
        assert answer(machine, "clone", 17) == KILL
        assert answer(machine, "clone", 0x3D0F00) == ERRNO | errno.EAGAIN
        assert answer(machine, "clone3", 0, 88) == ERRNO | errno.ENOSYS

    def test_only_itself_is_signalled_and_limited(self, machine: str) -> None:
        assert answer(machine, "tgkill", PID, PID, 6) == ALLOW
        assert answer(machine, "tgkill", PID + 1, PID, 6) == KILL
        assert answer(machine, "prlimit64", 0) == ALLOW
        assert answer(machine, "prlimit64", 1) == KILL

    def test_an_unknown_call_fails(self, machine: str) -> None:
        audit, _ = MACHINES[machine]
        assert run(build_filter(machine, pid=PID), 999, audit) == ERRNO | errno.EPERM

    def test_calls_of_another_architecture_kill(self, machine: str) -> None:
        assert run(build_filter(machine, pid=PID), 0, 0x40000003) == KILL

    def test_call_numbers_are_unique(self, machine: str) -> None:
        column = MACHINES[machine][1]
        numbers = [both[column] for both in NUMBERS.values() if both[column] is not None]
        assert len(numbers) == len(set(numbers))


def test_x32_calls_kill() -> None:
    program = build_filter("x86_64", pid=PID)
    assert run(program, 0x40000000, 0xC000003E) == KILL
    assert run(program, 0x40000000 | 59, 0xC000003E) == KILL


def test_an_unknown_machine_is_reported() -> None:
    with pytest.raises(UnknownMachine, match="riscv64"):
        build_filter("riscv64", pid=PID)


_REFUSED = """
import errno, sys
from unittest import mock
from vision.isolation import confinement
failure = {failure}
with mock.patch.object(confinement, "install_filter", side_effect=failure), \\
     mock.patch.object(confinement.os, "uname", return_value=mock.Mock(machine={machine!r})):
    print(confinement.confine(memory_bytes=1 << 30))
"""


@pytest.mark.parametrize(
    ("failure", "machine", "said"),
    [("OSError(errno.EINVAL, 'no')", "x86_64", errno.EINVAL), ("None", "riscv64", -1)],
)
def test_a_kernel_that_refuses_is_reported_and_crashes_nothing(failure: str, machine: str, said: int) -> None:
    completed = subprocess.run(
        [sys.executable, "-c", _REFUSED.format(failure=failure, machine=machine)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed.stdout.strip() == str(said)

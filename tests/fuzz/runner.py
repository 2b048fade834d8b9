"""Runs cases under a limit on time and memory, and reports the failed one."""

import gc
import multiprocessing
import os
import resource
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tests.fuzz.engine import case_bytes
from tests.fuzz.targets import TARGETS, Target

_HANG_FACTOR = 5
_WARM_UP = 20
# Each process is forked from one that has imported all targets, which takes longer than most run.
_CHILDREN = multiprocessing.get_context("forkserver")
_CHILDREN.set_forkserver_preload([__name__])


class CaseFailed(AssertionError):
    """A case violated its target's contract; the message states how to run it again."""


class _Hangs(BaseException):
    """A case takes far too long; not an Exception, so that no handler catches it."""


def run_case(target: Target, data: bytes) -> None:
    """Run one input.

    Raises:
        AssertionError: It took too much time or memory, or gave an invalid result.
        Exception: Any exception that the target raised.
    """
    peak, began = _peak(), time.thread_time()
    with _watched(target.seconds * _HANG_FACTOR):
        target.read(data)
    seconds, grown = time.thread_time() - began, _peak() - peak
    assert seconds <= target.seconds, (
        f"it took {seconds:.2f} s of processor time, allowed are {target.seconds} s"
    )
    assert grown <= target.bytes, f"the process grew by {grown} bytes, allowed are {target.bytes}"


def run_cases(target: Target, *, seed: int, first: int, count: int, progress: int | None = None) -> None:
    """Run cases ``first`` to ``first + count - 1``.

    Args:
        first: Number of the first case.
        progress: A file descriptor into which the number of the running case is written.

    Raises:
        CaseFailed: A case failed.
    """
    seeds = tuple(target.seeds())
    # Objects that are made once, such as caches, do not count for a case.
    for sound in seeds[:_WARM_UP]:
        target.read(sound)
    _reset_peak()
    for number in range(first, first + count):
        if progress is not None:
            os.pwrite(progress, b"%20d" % number, 0)
        data = case_bytes(target.name, seed, number, seeds)
        try:
            run_case(target, data)
        except (_Hangs, Exception) as error:
            raise CaseFailed(_say(target, seed, number, f"{type(error).__name__}: {error}"[:500])) from error


def run_in_child(target: Target, *, seed: int, count: int, seconds: float) -> None:
    """Run cases in a separate process, so that a crash or a hang in native code has a case number.

    Raises:
        CaseFailed: A case failed, crashed, or hung.
    """
    with tempfile.NamedTemporaryFile() as progress, tempfile.NamedTemporaryFile() as written:
        child = _CHILDREN.Process(
            target=_run_apart, args=(target.name, seed, count, progress.name, written.name)
        )
        child.start()
        child.join(seconds)
        if child.exitcode is None:
            child.kill()
            child.join()
            raise CaseFailed(_say(target, seed, _number(progress.name), f"not over in {seconds} s"))
        if child.exitcode:
            tail = written.read().decode(errors="replace")[-3000:]
            raise CaseFailed(_say(target, seed, _number(progress.name), f"exit {child.exitcode}\n{tail}"))


def _run_apart(target: str, seed: int, count: int, progress: str, written: str) -> None:
    with Path(written).open("wb") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    with Path(progress).open("r+b", buffering=0) as file:
        run_cases(TARGETS[target], seed=seed, first=0, count=count, progress=file.fileno())


def _say(target: Target, seed: int, number: int, what: str) -> str:
    again = f"python -m tests.fuzz --target {target.name} --seed {seed} --case {number}"
    return f"{target.name}, case {number} of seed {seed}: {what}\nrun it again: {again}"


def _number(progress: str) -> int:
    return int(Path(progress).read_text().strip() or -1)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _reset_peak() -> None:
    gc.collect()
    # 5 resets the peak of the resident set: proc(5), /proc/pid/clear_refs.
    Path("/proc/self/clear_refs").write_text("5")


@contextmanager
def _watched(seconds: float) -> Iterator[None]:
    """End Python code that runs for too long; the caller has to end a hang in native code."""

    def hangs(_signal: int, _frame: FrameType | None) -> None:
        raise _Hangs(f"not over after {seconds} s of processor time")

    before = signal.signal(signal.SIGVTALRM, hangs)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)

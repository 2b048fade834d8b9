"""What a worker gives up before it sees the first byte of a stranger's file.

Sources: ``setrlimit(2)``, ``prctl(2)``. In the order in which it matters: it dies with its server, it
cannot be dumped or traced, its memory, files and processes are limited, and last its system calls are.
"""

import ctypes
import math
import os
import resource
import signal
from typing import Final

from vision.isolation.seccomp import UnknownMachine, build_filter, install_filter

__all__ = ["NO_FILTER_FOR_MACHINE", "allow_cpu_seconds", "confine", "die_with"]

NO_FILTER_FOR_MACHINE: Final = -1
"""In the place of an errno: no filter is known for this kind of machine."""

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_MOST_FILES = 16
_NICENESS = 5


def die_with(parent: int) -> None:
    """Makes the kernel kill this process when the thread that started it ends.

    Raises:
        SystemExit: The parent is gone already.
        OSError: The kernel refuses.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the server is gone")


def confine(*, memory_bytes: int) -> int:
    """Gives up everything that a decoder does not need; all imports must be done.

    Args:
        memory_bytes: Address space that may be added to what is mapped now.

    Returns:
        0 where system calls are filtered; else the errno with which the kernel refused the filter, or
        ``NO_FILTER_FOR_MACHINE``.

    Raises:
        OSError: A limit cannot be set.
    """
    _prctl(_PR_SET_DUMPABLE, 0)
    # Large pictures must not slow the frames of scans down, which people wait for.
    os.nice(_NICENESS)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    # A core dump would put somebody's picture on the disk.
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, _MOST_FILES)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_AS, _address_space() + memory_bytes)
    try:
        install_filter(build_filter(os.uname().machine, pid=os.getpid()))
    except UnknownMachine:
        return NO_FILTER_FOR_MACHINE
    except OSError as error:
        return error.errno or NO_FILTER_FOR_MACHINE
    return 0


def allow_cpu_seconds(seconds: float) -> None:
    """Moves the limit of CPU time to ``seconds`` from now; beyond it SIGXCPU ends the process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(usage.ru_utime + usage.ru_stime + seconds)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(
        resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard)
    )


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def _address_space() -> int:
    """Bytes that this process has mapped."""
    with open("/proc/self/statm", encoding="ascii") as pages:  # noqa: PTH123 - pathlib is not loaded here
        return int(pages.read().split()[0]) * resource.getpagesize()


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} is refused")

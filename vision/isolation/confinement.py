"""Confines a worker before it reads the first byte of an untrusted file.

Sources: ``setrlimit(2)``, ``prctl(2)``. The steps, in order: the worker ends with its server; it cannot be
dumped or traced; its memory, files and processes are limited; its system calls are filtered.
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
"""Returned instead of an errno: no filter is known for this kind of machine."""

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_MOST_FILES = 16
_NICENESS = 5


def die_with(parent: int) -> None:
    """Makes the kernel kill this process when the thread that started it ends.

    Raises:
        SystemExit: The parent has ended already.
        OSError: The kernel refuses the call.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the server is gone")


def confine(*, memory_bytes: int) -> int:
    """Gives up everything that a decoder does not need. Call it after all imports.

    Args:
        memory_bytes: Address space that may be mapped in addition to the present mappings.

    Returns:
        0 if system calls are filtered. Otherwise the errno with which the kernel refused the filter, or
        ``NO_FILTER_FOR_MACHINE``.

    Raises:
        OSError: A limit cannot be set.
    """
    _prctl(_PR_SET_DUMPABLE, 0)
    # Large images must not delay the frames of scans, for which people wait.
    os.nice(_NICENESS)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    # A core dump would write a person's image to the disk.
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
    """Sets the limit of CPU time to ``seconds`` from now. Beyond it, SIGXCPU ends the process."""
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
    """Returns the size of this process's mappings, bytes."""
    with open("/proc/self/statm", encoding="ascii") as pages:  # noqa: PTH123 - pathlib is not loaded here
        return int(pages.read().split()[0]) * resource.getpagesize()


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} was refused")

"""The machine: processors, memory, file handles, free disk, and the isolation of decoders."""

import asyncio
import os
import resource
import shutil
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from cli.doctor.finding import Deployment, Finding, failure, fine, warning
from server.base.errors import ConfigurationError
from server.running.capacity import share
from server.running.workers import make_decoders
from server.telemetry.metrics import Metrics
from vision.errors import DecoderUnavailable

__all__ = ["examine_decoders", "examine_disk", "examine_machine"]

_MIB: Final = 1024 * 1024
_GIB: Final = 1024 * _MIB
_LEAST_MEMORY: Final = _GIB
_LEAST_DISK: Final = _GIB
_LOW_DISK: Final = 5 * _GIB
_CGROUP: Final = Path("/sys/fs/cgroup")


async def examine_machine(deployment: Deployment) -> list[Finding]:
    """Compares the limits of this process with the settings: start it with those of the server."""
    return [_processors(deployment), _handles(deployment), _memory(deployment)]


def _processors(deployment: Deployment) -> Finding:
    runtime = deployment.settings.runtime
    usable = _usable_processors()
    threads = (runtime.workers or os.cpu_count() or 1) * runtime.intra_op_threads
    found = f"{threads} threads for {usable:g} processors"
    if threads > usable:
        return warning(
            "THREADS_TOO_MANY",
            found,
            expected="runtime.workers x runtime.intra_op_threads at most the number of processors",
            remedy=f"set runtime.workers = {max(1, int(usable) // runtime.intra_op_threads)}",
        )
    return fine("THREADS_FIT", found)


def _usable_processors() -> float:
    usable = float(len(os.sched_getaffinity(0)))
    quota, _, period = _cgroup("cpu.max").partition(" ")
    return min(usable, int(quota) / int(period)) if quota.isdigit() and period else usable


def _cgroup(name: str) -> str:
    try:
        return (_CGROUP / name).read_text().strip()
    except OSError:
        return ""


def _handles(deployment: Deployment) -> Finding:
    # A server raises its soft limit to the hard one.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        shared = share(deployment.settings.limits, handles=hard)
    except ConfigurationError as error:
        return failure(
            "HANDLES_TOO_FEW",
            str(error),
            expected="enough for the limits of the settings",
            remedy="raise LimitNOFILE= or --ulimit nofile=, or lower limits.*",
        )
    return fine("HANDLES_ENOUGH", f"{hard}: {shared.device} device and {shared.service} service connections")


def _memory(deployment: Deployment) -> Finding:
    settings = deployment.settings
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _cgroup("memory.max")
    total = min(total, int(limit)) if limit.isdigit() else total
    decoders = settings.isolation.workers * settings.isolation.memory_mib * _MIB
    found = f"{total / _GIB:.1f} GiB"
    if total < _LEAST_MEMORY:
        return failure(
            "MEMORY_TOO_SMALL",
            found,
            expected=f"{_LEAST_MEMORY / _GIB:.0f} GiB and the memory of decoders",
            remedy="give the server more memory",
        )
    if total < _LEAST_MEMORY + decoders:
        return warning(
            "MEMORY_TIGHT",
            found,
            expected=f"{(_LEAST_MEMORY + decoders) / _GIB:.1f} GiB, for every decoder at its limit",
            remedy="give the server more memory, or lower isolation.workers",
        )
    return fine("MEMORY_ENOUGH", found)


async def examine_disk(deployment: Deployment) -> list[Finding]:
    """Reads how much of the disk under ``data_dir`` is free."""
    folder = deployment.settings.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found, remedy = (
        f"{free / _GIB:.1f} GiB free under {folder}",
        "facegate retention run, or enlarge the disk",
    )
    if free < _LEAST_DISK:
        return [failure("DISK_FULL", found, expected=f"{_LEAST_DISK / _GIB:.0f} GiB", remedy=remedy)]
    if free < _LOW_DISK:
        return [warning("DISK_LOW", found, expected=f"{_LOW_DISK / _GIB:.0f} GiB", remedy=remedy)]
    return [fine("DISK_FREE", found)]


async def examine_decoders(deployment: Deployment) -> list[Finding]:
    """Starts the isolated decoders, and ends them again."""
    decoders = make_decoders(deployment.settings.isolation, Metrics(CollectorRegistry()))
    try:
        await asyncio.to_thread(decoders.start)
        states = decoders.states
    except DecoderUnavailable as error:
        return [
            failure(
                "DECODERS_UNAVAILABLE",
                str(error),
                expected="decoder processes that start",
                remedy="allow processes and memory, or lower isolation.*",
            )
        ]
    finally:
        await asyncio.to_thread(decoders.close)
    if any(state.filter_errno != 0 for state in states.values()):
        return [
            warning(
                "SECCOMP_UNAVAILABLE",
                "the kernel or the container refuses to filter the system calls of decoders",
                expected="a seccomp filter",
                remedy="allow seccomp in the container's profile",
            )
        ]
    return [fine("DECODERS_ISOLATED", "system calls are filtered")]

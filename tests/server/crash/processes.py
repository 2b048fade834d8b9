"""Runs one operation over a deployment in a process of its own, which may be killed.

A fork server imports the program once; every process is forked from it with nothing open. So a start costs
milliseconds, and killing a hundred processes is cheap.
"""

import multiprocessing
import os
import signal
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Final

from tests.server.crash.deployment import Deployment
from tests.server.crash.operations import OPERATIONS
from tests.server.crash.tripwire import Trip, arm

__all__ = ["KILLED", "run"]

KILLED: Final = -signal.SIGKILL
_SECONDS: Final = 90.0


def run(deployment: Deployment, operation: str, *, trip: Trip | None = None) -> int:
    """Runs an operation to its end, or to a step at which its process is killed.

    Args:
        deployment: The deployment, which no other process uses.
        operation: The name of the operation.
        trip: The step at which it is killed; ``None`` to let it end.

    Returns:
        The exit status; ``KILLED`` if it was killed. What it wrote is in ``deployment.output``.
    """
    process = _context().Process(target=_operate, args=(deployment, operation, trip))
    process.start()
    process.join(_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        raise AssertionError(f"{operation} did not end: {deployment.output.read_text()}")
    assert process.exitcode is not None
    return process.exitcode


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _operate(deployment: Deployment, operation: str, trip: Trip | None) -> None:
    _write_to(deployment.output)

    def ready() -> None:
        if trip is not None:
            arm(trip)

    OPERATIONS[operation](deployment, ready)


def _write_to(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(handle, stream)

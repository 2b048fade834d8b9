"""The operations that are killed. Each calls ``ready`` when everything is open and its first step follows."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Final

from cli.main import app
from server.audit import Actor
from server.checks.expiry import CheckExpiry
from server.compliance.access import Access
from server.compliance.erasing import ErasureReason
from server.keyring import key_rotation
from tests.server.crash.deployment import (
    ERASED_PERSON,
    FIRST,
    LATER,
    OWNER,
    TENANT,
    Deployment,
    Opened,
    make_kek,
)
from tests.server.crash.tripwire import Trip, arm

Operation = Callable[[Deployment, Callable[[], None]], None]
_ACCESS: Final = Access(
    tenant=TENANT, actor=Actor(name="anna", role="compliance_admin"), now=LATER, purpose="request 7"
)


def _with_stores(work: Callable[[Opened], Awaitable[object]]) -> Operation:
    def run(deployment: Deployment, ready: Callable[[], None]) -> None:
        async def opened() -> None:
            async with deployment.opened() as stores:
                ready()
                await work(stores)

        asyncio.run(opened())

    return run


def _command(*words: str) -> Operation:
    """A command of the shell, whose process ends with its exit status."""

    def run(deployment: Deployment, ready: Callable[[], None]) -> None:
        # Time alone separates the retirement of a key from its destruction.
        key_rotation._SETTLED = timedelta()  # type: ignore[misc]
        arguments = [
            word.format(backup=deployment.backup, key=deployment.folder / "backup.key") for word in words
        ]
        config = str(deployment.config)
        ready()
        app([*arguments, "--config", config])

    return run


def _encrypt(deployment: Deployment, ready: Callable[[], None]) -> None:
    if not deployment.new_kek.exists():
        make_kek(deployment.new_kek)
    _command("keys", "encrypt")(deployment, ready)


def _retention(opened: Opened) -> Awaitable[object]:
    stores = opened.stores
    expiry = CheckExpiry(retention=stores.retention, delete=stores.evidence.erase)
    return expiry.erase(LATER, limit=100)


def _erase_check(opened: Opened) -> Awaitable[object]:
    return opened.erasure.delete(_ACCESS, FIRST)


def _erase_subject(opened: Opened) -> Awaitable[object]:
    return opened.erasure.erase_subject(_ACCESS, ERASED_PERSON, ErasureReason.REQUEST)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "retention": _with_stores(_retention),
    "erase check": _with_stores(_erase_check),
    "erase subject": _with_stores(_erase_subject),
    "rotate": _command("keys", "rotate", "evidence"),
    "rotate result": _command("keys", "rotate", "result"),
    "retire": _command("keys", "retire", "1", "--purpose", "evidence"),
    "retire result": _command("keys", "retire", "1"),
    "encrypt": _encrypt,
    "rewrap": _command("keys", "rewrap"),
    "destroy": _command("keys", "destroy", "1"),
    "destroy tenant": _command("keys", "destroy", "--tenant", OWNER, "--yes"),
    "rotate tenant": _command("keys", "rotate", "evidence", "--tenant", OWNER),
    "restore database": _command("restore", "database", "{backup}/database.backup"),
    "restore objects": _command("restore", "objects", "{backup}/objects"),
    "restore keys": _command("restore", "keys", "{backup}/keys.json", "--key-file", "{key}"),
}
"""By name; each may be repeated after its process was killed."""


# Runs one operation over a deployment in a process of its own, which may be killed.
#
# A fork server imports the program once; every process is forked from it with nothing open. So a start
# costs
# milliseconds, and killing a hundred processes is cheap.

KILLED: Final = -signal.SIGKILL
_SECONDS: Final = 90.0


def run(deployment: Deployment, operation: str, *, trip: Trip | None = None) -> int:
    """Run an operation to its end, or to a step at which its process is killed.

    Args:
        deployment: The deployment, which no other process uses.
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

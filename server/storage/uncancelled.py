"""Database transactions that finish even if their caller is cancelled."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

__all__ = ["uncancelled"]

P = ParamSpec("P")
T = TypeVar("T")

# The event loop holds only weak references to tasks.
_running: set[asyncio.Task[Any]] = set()


def uncancelled(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Decorates a coroutine function so that it runs to its end even if its caller is cancelled.

    A caller is cancelled, for example, when a device disconnects during a stream. A driver that is
    interrupted in a transaction may keep the database's write lock until its connection is collected, and all
    other writers wait. The caller still gets its cancellation, after the work has ended.
    """

    @wraps(work)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.ensure_future(work(*args, **kwargs))
        _running.add(task)
        task.add_done_callback(_finished)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                await asyncio.wait({task})
            raise

    return run


def _finished(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled():
        # Retrieving the exception keeps asyncio from logging it as never retrieved.
        task.exception()

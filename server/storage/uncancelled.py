"""Transactions that end, whatever becomes of who asked for them."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

__all__ = ["uncancelled"]

P = ParamSpec("P")
T = TypeVar("T")

# The event loop itself refers to tasks weakly only.
_running: set[asyncio.Task[Any]] = set()


def uncancelled(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Runs a coroutine function to its end even where its caller is cancelled.

    A caller is cancelled, for one, when a device vanishes in the middle of a stream. A driver that is
    interrupted in a transaction may keep the database's write lock until its connection is collected,
    and everybody else waits. The caller still sees its cancellation, once the work has ended.
    """

    @wraps(work)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.ensure_future(work(*args, **kwargs))
        _running.add(task)
        task.add_done_callback(_forget)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                await asyncio.wait({task})
            raise

    return run


def _forget(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled():
        # Looked at, so that an error that nobody waits for any more is not reported as lost.
        task.exception()

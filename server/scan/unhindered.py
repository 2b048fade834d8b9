"""Work for a stream that ends, whatever becomes of the stream."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

__all__ = ["unhindered"]

Outcome = TypeVar("Outcome")

_log = structlog.get_logger(__name__)


async def unhindered(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Finishes ``work`` even if this task is cancelled meanwhile, as it is when a device vanishes."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            # A server that stops cancels again what a vanished device cancelled already.
            cancelled = True
    if not cancelled:
        return task.result()
    if (error := task.exception()) is not None:
        _log.error("scan_not_concluded", exc_info=error)
    raise asyncio.CancelledError

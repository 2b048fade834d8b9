"""Work that finishes even if the stream that it belongs to is cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

__all__ = ["run_to_end"]

Outcome = TypeVar("Outcome")

_log = structlog.get_logger(__name__)


async def run_to_end(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Runs ``work`` to its end even if this task is cancelled meanwhile, and then raises the cancellation."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            # A stopping server may cancel a second time, after the device's disconnect.
            cancelled = True
    if not cancelled:
        return task.result()
    if (error := task.exception()) is not None:
        _log.error("scan_not_concluded", exc_info=error)
    raise asyncio.CancelledError

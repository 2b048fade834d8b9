"""Waits until a pool has done even what nobody waits for."""

import asyncio

from server.worker_pool import WorkerPool

__all__ = ["until_idle"]


async def until_idle(pool: WorkerPool) -> None:
    """Returns once everything is done that was given to a pool of one worker."""
    loop, idle = asyncio.get_running_loop(), asyncio.Event()
    pool.run_later(loop.call_soon_threadsafe, idle.set)
    await idle.wait()

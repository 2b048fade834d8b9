"""Waiting for background work of a pool."""

import asyncio

from server.base.worker_pool import WorkerPool

__all__ = ["until_idle"]


async def until_idle(pool: WorkerPool) -> None:
    """Returns once a pool of one worker has finished all work, including work that no caller awaits."""
    loop, idle = asyncio.get_running_loop(), asyncio.Event()
    pool.run_later(loop.call_soon_threadsafe, idle.set)
    await idle.wait()

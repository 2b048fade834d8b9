"""Work that a server repeats until it stops."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import structlog

from server.storage.errors import SchemaOutdated

_log = structlog.get_logger(__name__)


@dataclass(kw_only=True, eq=False)
class Background:
    """Repeats work in tasks; what fails is logged as ``failed``, and the next round tries again."""

    failed: ClassVar[str]
    _shut_out: bool = field(default=False, init=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list, init=False)

    def start(self) -> None:
        """Start the tasks; each subclass calls ``repeat`` for its work."""
        raise NotImplementedError

    def repeat(self, work: Callable[[], Awaitable[object]], seconds: float, **words: str) -> None:
        """Repeat ``work`` with pauses of so many seconds, until ``stop``; the log adds ``words``."""

        async def run() -> None:
            while True:
                await self.step(work, **words)
                await asyncio.sleep(seconds)

        self._tasks.append(asyncio.create_task(run()))

    async def step(self, work: Callable[[], Awaitable[object]], **words: str) -> None:
        """Run ``work`` once; a database that is too new for this server is logged only once."""
        try:
            await work()
        except SchemaOutdated as error:
            if not self._shut_out:
                self._shut_out = True
                _log.error(self.failed, why=str(error), **words)
        except Exception:  # noqa: BLE001 - logged with its traceback; the next round tries again
            _log.exception(self.failed, **words)

    async def stop(self) -> None:
        """End the tasks."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def repeated(works: Sequence[Background]) -> AsyncIterator[None]:
    """Repeat work until the block ends; it is started and stopped in this order."""
    for work in works:
        work.start()
    try:
        yield
    finally:
        for work in works:
            await work.stop()

"""The small thread pool that all CPU work of scans and uploads runs in, never on the event loop.

OpenCV, ONNX Runtime and dlib release the interpreter lock while they compute, so as many threads as
cores keep the cores busy, and more would only make them wait for one another. So OpenCV's own threads,
which would share out each small call over all cores, are off.

What a verdict waits for comes before frames: a person looks at a screen until the verdict is there, while a
frame of another scan may be worked in a little later.
"""

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

import cv2

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class WorkerPool:
    """Runs blocking functions on a fixed number of threads and counts the CPU time that they use."""

    def __init__(self, *, workers: int) -> None:
        """Starts no thread yet; ``workers`` threads start as work comes. OpenCV gets one a call."""
        cv2.setNumThreads(1)
        self._executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="facegate-cpu")
        # Calls that have not begun. The executor's own line holds one ``_call_next`` for each of them.
        self._first: deque[_Call] = deque()
        self._then: deque[_Call] = deque()
        self._cpu_seconds = 0.0
        self._waiting = 0
        self.workers = workers

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds that the pool's work has used so far."""
        return self._cpu_seconds

    @property
    def waiting(self) -> int:
        """Calls that run or wait for a thread."""
        return self._waiting

    async def run(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Runs ``function`` on a worker and returns what it returns, or raises what it raises."""
        return await self._run(self._then, partial(function, *args, **kwargs))

    async def run_first(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """The same, before everything that ``run`` was given and that has not begun.

        For what stands between an attempt's end and its verdict. Each attempt has little of it, so that
        nothing else waits long.
        """
        return await self._run(self._first, partial(function, *args, **kwargs))

    def close(self) -> None:
        """Waits for running work and ends the threads; work that has not begun is dropped."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        for call in (*self._first, *self._then):
            call.drop()

    async def _run(self, line: "deque[_Call]", work: Callable[[], Result]) -> Result:
        future: Future[tuple[Result, float]] = Future()
        line.append(_Call(work, future))
        self._waiting += 1
        try:
            self._executor.submit(self._call_next)
            result, spent = await asyncio.wrap_future(future)
        finally:
            self._waiting -= 1
        self._cpu_seconds += spent
        return result

    def _call_next(self) -> None:
        for line in (self._first, self._then):
            try:
                call = line.popleft()
            except IndexError:
                continue
            call.run()
            return


class _Call:
    """Work that waits for a thread."""

    def __init__(self, work: Callable[[], Any], future: "Future[Any]") -> None:
        self._work = work
        self._future = future
        self._context = contextvars.copy_context()

    def run(self) -> None:
        if not self._future.set_running_or_notify_cancel():
            return
        began = time.thread_time()
        try:
            result = self._context.run(self._work)
        except BaseException as error:  # noqa: BLE001  (it is raised where the result is awaited)
            self._future.set_exception(error)
        else:
            self._future.set_result((result, time.thread_time() - began))

    def drop(self) -> None:
        self._future.cancel()

"""The small thread pool that all CPU work of scans and uploads runs in, never on the event loop.

OpenCV, ONNX Runtime and dlib release the interpreter lock while they compute, so as many threads as
cores keep the cores busy, and more would only make them wait for one another. So OpenCV's own threads,
which would share out each small call over all cores, are off.

What a verdict waits for comes before frames; see ``server.scan.verdict_hold``.
"""

import asyncio
import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, ParamSpec, TypeVar

import cv2

from server.scan.verdict_hold import VerdictHold

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class WorkerPool:
    """Runs blocking functions on a fixed number of threads and counts the CPU time that they use."""

    def __init__(self, *, workers: int) -> None:
        """Starts no thread yet; ``workers`` threads start as work comes. OpenCV gets one a call."""
        cv2.setNumThreads(1)
        # Has one ``_call_next`` in its line for each call in ours.
        self._executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="facegate-cpu")
        # Guards what follows it, down to ``_closed``.
        self._changed = threading.Condition()
        self._first: deque[_Call] = deque()
        self._then: deque[_Call] = deque()
        self._hold = VerdictHold(workers=workers)
        self._running = 0
        self._closed = False
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
        """The same, before everything that ``run`` was given and that has not begun: for verdicts."""
        return await self._run(self._first, partial(function, *args, **kwargs))

    @contextmanager
    def verdict(self) -> Iterator[None]:
        """While a verdict is made, what ``run`` is given waits a little where cores are few."""
        with self._changed:
            self._hold.begin()
        try:
            yield
        finally:
            with self._changed:
                self._hold.end()
                self._changed.notify_all()

    def close(self) -> None:
        """Waits for running work and ends the threads; work that has not begun is dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._executor.shutdown(wait=True, cancel_futures=True)
        for call in (*self._first, *self._then):
            call.drop()

    async def _run(self, line: "deque[_Call]", work: Callable[[], Result]) -> Result:
        call = _Call(work)
        self._waiting += 1
        try:
            with self._changed:
                line.append(call)
                self._changed.notify()
            self._executor.submit(self._call_next)
            result, spent = await asyncio.wrap_future(call.future)
        finally:
            self._waiting -= 1
        self._cpu_seconds += spent
        return result

    def _call_next(self) -> None:
        """Runs one call of the lines, as soon as one may begin; on a worker."""
        with self._changed:
            while not (self._first or self._may_then):
                if self._closed:
                    return
                self._changed.wait(self._hold.seconds_left)
            call, counts = (self._first.popleft(), 0) if self._first else (self._then.popleft(), 1)
            self._running += counts
        try:
            call.run()
        finally:
            with self._changed:
                self._running -= counts
                self._changed.notify()

    @property
    def _may_then(self) -> bool:
        return bool(self._then) and self._running < self._hold.allowed


class _Call:
    """Work that waits for a thread."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.future: Future[Any] = Future()
        self._work = work
        self._context = contextvars.copy_context()

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        began = time.thread_time()
        try:
            result = self._context.run(self._work)
        except BaseException as error:  # noqa: BLE001  (it is raised where the result is awaited)
            self.future.set_exception(error)
        else:
            self.future.set_result((result, time.thread_time() - began))

    def drop(self) -> None:
        self.future.cancel()

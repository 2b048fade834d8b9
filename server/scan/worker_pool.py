"""The small thread pool that all CPU work of scans and uploads runs in, never on the event loop.

OpenCV, ONNX Runtime and dlib release the interpreter lock while they compute, so as many threads as
cores keep the cores busy, and more would only make them wait for one another. So OpenCV's own threads,
which would share out each small call over all cores, are off.
"""

import asyncio
import contextvars
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import cv2

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class WorkerPool:
    """Runs blocking functions on a fixed number of threads and counts the CPU time that they use."""

    def __init__(self, *, workers: int) -> None:
        """Starts no thread yet; ``workers`` threads start as work comes. OpenCV gets one a call."""
        cv2.setNumThreads(1)
        self._executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="facegate-cpu")
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
        context = contextvars.copy_context()

        def call() -> tuple[Result, float]:
            begin = time.thread_time()
            result = context.run(function, *args, **kwargs)
            return result, time.thread_time() - begin

        self._waiting += 1
        try:
            result, spent = await asyncio.get_running_loop().run_in_executor(self._executor, call)
        finally:
            self._waiting -= 1
        self._cpu_seconds += spent
        return result

    def close(self) -> None:
        """Waits for running work and ends the threads; work that has not begun is dropped."""
        self._executor.shutdown(wait=True, cancel_futures=True)

"""The small thread pool that all CPU work of scans and uploads runs in, never on the event loop.

OpenCV, ONNX Runtime and dlib release the interpreter lock while they compute, so as many threads as
cores keep the cores busy, and more would only make them wait for one another. So OpenCV's own threads,
which would share out each small call over all cores, are off.

What a verdict waits for comes before frames: a person looks at a screen until the verdict is there, while a
frame of another scan may be worked in a little later. It has one thread more, so that two milliseconds of it
do not wait until a model has done with a frame. More than that, such as holding frames back while a
verdict is made, would be faster still on an idle server and starve the frames of a busy one.

What somebody will wait for, but nobody does yet, comes after all else until its result is asked for.

Whoever is cancelled while a worker runs its call hears of it once the call has ended, so that nobody uses
what the worker still changes; a call that has not begun is dropped. So a device that vanishes in the middle
of a frame has its attempt put away after that frame.
"""

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

import cv2

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class WorkerPool:
    """Runs blocking functions on a few threads and counts the CPU time that they use."""

    def __init__(self, *, workers: int) -> None:
        """Starts no thread yet: ``workers`` and one more start as work comes. OpenCV gets one a call."""
        cv2.setNumThreads(1)
        # Has a ``_call_next`` for each call in our lines; the other has a ``_call_first`` for some of them.
        self._executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="facegate-cpu")
        self._verdicts = ThreadPoolExecutor(max_workers=1, thread_name_prefix="facegate-verdict")
        self._first: deque[_Call[Any]] = deque()
        self._then: deque[_Call[Any]] = deque()
        self._later: deque[_Call[Any]] = deque()
        self._cpu_seconds = 0.0
        self._waiting = 0
        self.workers = workers

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds that the pool's work has used so far."""
        return self._cpu_seconds

    @property
    def waiting(self) -> int:
        """Calls that somebody waits for, whether they run or wait for a thread."""
        return self._waiting

    async def run(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Runs ``function`` on a worker and returns what it returns, or raises what it raises."""
        return await self._outcome(self._begin(self._then, partial(function, *args, **kwargs)))

    async def run_apart(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """The same for a function that changes nothing of its caller's, who is cancelled at once."""
        call = self._begin(self._then, partial(function, *args, **kwargs))
        return await self._counted(asyncio.wrap_future(call.future))

    async def run_first(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """The same, before everything that ``run`` was given and that has not begun: for verdicts."""
        return await self._outcome(self._begin(self._first, partial(function, *args, **kwargs)))

    def run_later(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> "LaterWork[Result]":
        """Has ``function`` run once nothing else waits, or once the result is asked for."""
        call = self._begin(self._later, partial(function, *args, **kwargs))
        return LaterWork(call, hurry=self._hurry, outcome=self._outcome)

    def close(self) -> None:
        """Waits for running work and ends the threads; work that has not begun is dropped."""
        executors = self._executor, self._verdicts
        for executor in executors:
            executor.shutdown(wait=False, cancel_futures=True)
        for executor in executors:
            executor.shutdown(wait=True)
        for line in (self._first, self._then, self._later):
            while line:
                line.popleft().drop()

    def _begin(self, line: "deque[_Call[Any]]", work: Callable[[], Result]) -> "_Call[Result]":
        call = _Call(work)
        line.append(call)
        self._executor.submit(self._call_next)
        if line is self._first:
            self._verdicts.submit(self._call_first)
        return call

    async def _outcome(self, call: "_Call[Result]") -> Result:
        return await self._counted(_ended(call.future))

    async def _counted(self, ending: Awaitable[tuple[Result, float]]) -> Result:
        self._waiting += 1
        try:
            result, spent = await ending
        finally:
            self._waiting -= 1
        self._cpu_seconds += spent
        return result

    def _hurry(self, call: "_Call[Any]") -> None:
        # A worker may take it at any moment, and then it is in no line any more.
        with suppress(ValueError):
            self._later.remove(call)
            self._first.append(call)
            self._verdicts.submit(self._call_first)

    def _call_first(self) -> None:
        self._call_one_of(self._first)

    def _call_next(self) -> None:
        self._call_one_of(self._first, self._then, self._later)

    def _call_one_of(self, *lines: "deque[_Call[Any]]") -> None:
        """Runs the call that is next; on a worker. Lines change under other threads: only taking tells."""
        for line in lines:
            with suppress(IndexError):
                call = line.popleft()
                break
        else:
            return
        call.run()


async def _ended(future: "Future[Result]") -> Result:
    """The result of a call; where this task is cancelled, it ends once no worker runs the call."""
    waiting = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if not future.cancel():
            while not waiting.done():
                # A server that stops cancels again what a vanished device cancelled already.
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({waiting})
            # Looked at, so that an error that nobody waits for any more is not reported as lost.
            waiting.exception()
        raise


class LaterWork(Generic[Result]):
    """Work that is done when there is nothing else to do. Nobody has to ask what became of it."""

    def __init__(
        self,
        call: "_Call[Result]",
        *,
        hurry: Callable[["_Call[Any]"], None],
        outcome: Callable[["_Call[Result]"], Coroutine[Any, Any, Result]],
    ) -> None:
        """Takes the call and what its pool can do with it."""
        self._call = call
        self._hurry = hurry
        self._outcome = outcome

    @property
    def done(self) -> bool:
        """Whether it ran to its end."""
        return self._call.future.done()

    async def result(self) -> Result:
        """What it returns, or raises what it raises; from now on it comes before frames."""
        self._hurry(self._call)
        return await self._outcome(self._call)


class _Call(Generic[Result]):
    """Work that waits for a thread."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self.future: Future[tuple[Result, float]] = Future()
        self._work = work
        self._context = contextvars.copy_context()

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        began = time.thread_time()
        try:
            result = self._context.run(self._work)
        except BaseException as error:  # noqa: BLE001 - raised where the result is awaited
            self.future.set_exception(error)
        else:
            self.future.set_result((result, time.thread_time() - began))

    def drop(self) -> None:
        self.future.cancel()

"""A small thread pool for the CPU work of scans and uploads, outside the event loop.

OpenCV, ONNX Runtime and dlib release the interpreter lock while they compute. As many threads as cores thus
keep the cores busy, and more threads would only wait for each other. The threads of OpenCV, which would
divide each small call among all cores, are therefore off.

Work for a verdict runs before frames, because a person waits for the verdict, while a frame of another scan
may be processed a little later. Work for verdicts has one additional thread, so that two milliseconds of such
work do not wait until a model has processed a frame. Stronger measures, such as delaying frames while a
verdict is made, would be faster on an idle server but would starve the frames of a busy one.

Of the work for verdicts, that of the scan which has waited longest runs first (``waiting_since``). If all
took turns, scans that end together would all get their verdicts as late as the last of them.

Work whose result will be awaited later runs after all other work, until the result is awaited or it has
waited for a while. Otherwise a busy server would do all of it at the end of a scan.

If a caller is cancelled while a worker runs its call, the cancellation takes effect after the call has ended,
so that no other code uses data that the worker still changes. A call that has not begun is dropped. If a
device disconnects during a frame, its attempt therefore ends after that frame.
"""

import asyncio
import contextvars
import heapq
import math
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, Final, Generic, ParamSpec, TypeVar

import cv2

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


_PATIENCE_SECONDS: Final = 0.3
_since: contextvars.ContextVar[float] = contextvars.ContextVar("since", default=math.inf)


def waiting_since(at: float) -> None:
    """Note that this task, and the tasks that it starts from now on, work for somebody who waits.

    Args:
        at: Since when, on any clock, the same for all.
    """
    _since.set(at)


class _FirstLine:
    """Calls of ``run_first``: those for whoever has waited longest first, then in their order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[tuple[float, int, _Call[Any]]] = []
        self._numbers = count()

    def append(self, call: "_Call[Any]") -> None:
        with self._lock:
            heapq.heappush(self._calls, (_since.get(), next(self._numbers), call))

    def popleft(self) -> "_Call[Any]":
        with self._lock:
            return heapq.heappop(self._calls)[2]

    def __bool__(self) -> bool:
        return bool(self._calls)


class WorkerPool:
    """Runs blocking functions on a few threads and counts the CPU time that they use."""

    def __init__(
        self,
        *,
        workers: int,
        waited: Callable[[float], None] = lambda _seconds: None,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        """Create the pool. ``workers`` threads and one more start with the work; OpenCV uses one a call.

        Args:
            waited: Called on the worker with the seconds for which work waited for it, except work of
                ``run_later``.
            patience_seconds: How long work of ``run_later`` lets other work pass.
        """
        self._waited = waited
        self._patience_seconds = patience_seconds
        cv2.setNumThreads(1)
        # It gets a ``_call_next`` for each call in the lines; the other gets a ``_call_first`` for some of
        # them.
        self._executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="facegate-cpu")
        self._verdicts = ThreadPoolExecutor(max_workers=1, thread_name_prefix="facegate-verdict")
        self._first = _FirstLine()
        self._usual: deque[_Call[Any]] = deque()
        self._later: deque[_Call[Any]] = deque()
        self._cpu_seconds = 0.0
        self._waiting = 0
        self.workers = workers

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds that the work of the pool has used so far."""
        return self._cpu_seconds

    @property
    def waiting(self) -> int:
        """The number of awaited calls, whether they run or wait for a thread."""
        return self._waiting

    async def run(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Run ``function`` on a worker, and return its result or raise its exception."""
        return await self.outcome(self._begin(self._usual, partial(function, *args, **kwargs)))

    async def run_apart(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Like ``run``, for a function that changes no data of its caller; cancellation is immediate."""
        call = self._begin(self._usual, partial(function, *args, **kwargs))
        return await self._counted(asyncio.wrap_future(call.future))

    async def run_first(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Like ``run``, but before all calls of ``run`` that have not begun; for verdicts.

        Those whose task has waited longest (``waiting_since``) come first.
        """
        return await self.outcome(self._begin(self._first, partial(function, *args, **kwargs)))

    def run_later(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> "LaterWork[Result]":
        """Run ``function`` once no other work waits, it has waited a while, or its result is awaited."""
        call = self._begin(self._later, partial(function, *args, **kwargs))
        return LaterWork(call, self)

    def close(self) -> None:
        """Drop work that has not begun, wait for running work, and end the threads."""
        executors = self._executor, self._verdicts
        for executor in executors:
            executor.shutdown(wait=False, cancel_futures=True)
        for executor in executors:
            executor.shutdown(wait=True)
        for line in (self._first, self._usual, self._later):
            while line:
                line.popleft().drop()

    def _begin(self, line: "deque[_Call[Any]] | _FirstLine", work: Callable[[], Result]) -> "_Call[Result]":
        call = _Call(work, waited=None if line is self._later else self._waited)
        line.append(call)
        self._executor.submit(self._call_next)
        if line is self._first:
            self._verdicts.submit(self._call_first)
        return call

    async def outcome(self, call: "_Call[Result]") -> Result:
        """Return the result of a call of this pool, for ``LaterWork``."""
        return await self._counted(_ended(call.future))

    async def _counted(self, ending: Awaitable[tuple[Result, float]]) -> Result:
        self._waiting += 1
        try:
            result, spent = await ending
        finally:
            self._waiting -= 1
        self._cpu_seconds += spent
        return result

    def hurry(self, call: "_Call[Any]") -> None:
        """Let a call of ``run_later`` run before frames, for ``LaterWork``."""
        # A worker may take the call at any moment; it is then in no line any more.
        with suppress(ValueError):
            self._later.remove(call)
            self._first.append(call)
            self._verdicts.submit(self._call_first)

    def _call_first(self) -> None:
        self._call_one_of(self._first)

    def _call_next(self) -> None:
        patient = True
        with suppress(IndexError):
            patient = self._later[0].waited_seconds < self._patience_seconds
        lines = (self._usual, self._later) if patient else (self._later, self._usual)
        self._call_one_of(self._first, *lines)

    def _call_one_of(self, *lines: "deque[_Call[Any]] | _FirstLine") -> None:
        """Run the next call, on a worker. Only ``popleft`` tests a line, because other threads change it."""
        for line in lines:
            with suppress(IndexError):
                call = line.popleft()
                break
        else:
            return
        call.run()


async def _ended(future: "Future[Result]") -> Result:
    """Return the result of a call. If this task is cancelled, it ends after no worker runs the call."""
    waiting = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if not future.cancel():
            while not waiting.done():
                # A server that stops may cancel again a call that a disconnected device has cancelled.
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({waiting})
            # Otherwise asyncio would log an exception that no caller awaits any more.
            waiting.exception()
        raise


class LaterWork(Generic[Result]):
    """Work that runs when no other work waits. Its result need not be awaited."""

    def __init__(self, call: "_Call[Result]", pool: WorkerPool) -> None:
        """Set the call of a pool."""
        self._call = call
        self._pool = pool

    @property
    def done(self) -> bool:
        """Whether the work has ended."""
        return self._call.future.done()

    async def result(self) -> Result:
        """Return the result of the work or raise its exception; the work now runs before frames."""
        self._pool.hurry(self._call)
        return await self._pool.outcome(self._call)

    async def discard(self) -> None:
        """Drop the work if it has not begun; otherwise wait for its end. Its result and errors are lost."""
        if not self._call.future.cancel():
            with suppress(Exception):
                await self._pool.outcome(self._call)


class _Call(Generic[Result]):
    """Work that waits for a thread."""

    def __init__(self, work: Callable[[], Result], *, waited: Callable[[float], None] | None) -> None:
        self.future: Future[tuple[Result, float]] = Future()
        self._work = work
        self._waited = waited
        self._begun = time.monotonic()
        self._context = contextvars.copy_context()

    @property
    def waited_seconds(self) -> float:
        return time.monotonic() - self._begun

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        if self._waited is not None:
            self._waited(self.waited_seconds)
        began = time.thread_time()
        try:
            result = self._context.run(self._work)
        except BaseException as error:  # noqa: BLE001 - raised when the result is awaited
            self.future.set_exception(error)
        else:
            self.future.set_result((result, time.thread_time() - began))

    def drop(self) -> None:
        self.future.cancel()

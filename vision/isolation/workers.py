"""Keeps a fixed number of workers of one kind running, by a thread of its own, and lends each to one job."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from vision.errors import DecoderUnavailable, VisionError
from vision.isolation.limits import DecoderLimits
from vision.isolation.process import LossCause, WorkerLost, WorkerProcess

__all__ = ["DecoderWorkers", "WorkersState"]

_Result = TypeVar("_Result")

_LOOK_SECONDS: Final = 5.0
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0


@dataclass(frozen=True, slots=True)
class WorkersState:
    """The state of the workers.

    Attributes:
        jobs: The number of jobs that got an answer, including a refusal.
        losses: The number of lost workers, by cause.
        processes: The ids of the running processes.
        lent: The number of processes that work on a job now.
        filter_errno: Whether the newest worker's filter of system calls is in place: 0 if it is, the errno
            with which the kernel refused it, or -1 on a machine without a filter; ``None`` before the first
            start.
    """

    jobs: int
    losses: Mapping[LossCause, int]
    processes: tuple[int, ...]
    lent: int
    filter_errno: int | None


class _Starter:
    """Starts processes. Its owner locks its state."""

    def __init__(self, command: tuple[str, ...], seconds: float) -> None:
        self._command = command
        self._seconds = seconds
        self._pause = _FIRST_PAUSE
        self.failure = ""
        self.filter_errno: int | None = None

    def start(self) -> WorkerProcess:
        """Starts a worker, without any lock.

        Raises:
            OSError: The process cannot be started.
            WorkerLost: The worker did not become ready.
        """
        return WorkerProcess(self._command, start_seconds=self._seconds)

    def started(self, worker: WorkerProcess) -> None:
        """Notes that a worker is ready."""
        self._pause = _FIRST_PAUSE
        self.failure = ""
        self.filter_errno = worker.filter_errno

    def failed(self, error: Exception) -> float:
        """Notes that a start failed; returns the pause before the next start, seconds, which grows."""
        self.failure = f"none can be started ({error})"
        pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        return pause


class _Account:
    """Counts jobs and lost workers. Its owner locks it."""

    def __init__(self, on_loss: Callable[[LossCause], None]) -> None:
        self._on_loss = on_loss
        self.jobs = 0
        self.losses: Counter[LossCause] = Counter()

    def lost(self, cause: LossCause) -> None:
        """Counts a worker that was given up."""
        self.losses[cause] += 1
        self._on_loss(cause)


class DecoderWorkers:
    """Workers of one kind. Thread-safe.

    All processes are started by one thread, which lives until ``close``: the kernel kills a worker when
    the thread that started it ends (``PR_SET_PDEATHSIG``).
    """

    def __init__(
        self,
        command: tuple[str, ...],
        *,
        count: int,
        limits: DecoderLimits,
        on_loss: Callable[[LossCause], None],
    ) -> None:
        """Starts no worker yet.

        Args:
            command: The command that starts a worker.
            count: The number of workers, 1 or more.
            limits: The times for a start and for waiting, and the number of jobs per worker.
            on_loss: Called whenever a worker is given up.
        """
        self._count = count
        self._limits = limits
        self._changed = threading.Condition()
        self._starter = _Starter(command, limits.start_seconds)
        self._account = _Account(on_loss)
        self._idle: deque[WorkerProcess] = deque()
        self._lent: set[WorkerProcess] = set()
        self._closed = False
        self._keeper = threading.Thread(target=self._keep, name="facegate-decoders", daemon=True)

    @property
    def state(self) -> WorkersState:
        """The state of the workers."""
        with self._changed:
            return WorkersState(
                jobs=self._account.jobs,
                losses=dict(self._account.losses),
                processes=tuple(worker.pid for worker in (*self._idle, *self._lent)),
                lent=len(self._lent),
                filter_errno=self._starter.filter_errno,
            )

    def start(self) -> None:
        """Starts the workers and waits for the first.

        Raises:
            DecoderUnavailable: The first does not start.
        """
        self._keeper.start()
        with self._changed:
            self._changed.wait_for(lambda: self._idle or self._starter.failure, self._limits.start_seconds)
            if not self._idle:
                raise self._unavailable()

    def close(self) -> None:
        """Ends all workers at once; running jobs fail."""
        with self._changed:
            self._closed = True
            idle, lent = tuple(self._idle), tuple(self._lent)
            self._idle.clear()
            self._changed.notify_all()
        if self._keeper.ident is not None:
            self._keeper.join()
        for worker in idle:
            worker.kill()
        for worker in lent:
            # The thread that uses it still reads its pipes, and cleans up.
            worker.send_kill()

    def run(self, job: Callable[[WorkerProcess], _Result]) -> _Result:
        """Runs a job on a worker.

        If a worker was killed from outside, the job runs once more on another worker, because the first may
        have been killed before the job came.

        Args:
            job: Exchanges messages with the worker. If it raises ``WorkerLost``, the worker is replaced.

        Raises:
            WorkerLost: The worker crashed during the job, or broke the protocol or a limit.
            DecoderUnavailable: No worker became free.
        """
        try:
            return self._run_once(job)
        except WorkerLost as lost:
            if lost.cause is not LossCause.KILLED:
                raise
        return self._run_once(job)

    def _run_once(self, job: Callable[[WorkerProcess], _Result]) -> _Result:
        worker = self._take()
        cause: LossCause | None = LossCause.ABANDONED
        try:
            result = job(worker)
            cause = None
        except WorkerLost as lost:
            cause = lost.cause
            raise
        except VisionError:
            # The worker did its work; the file is at fault.
            cause = None
            raise
        finally:
            self._give_back(worker, cause)
        return result

    def _take(self) -> WorkerProcess:
        deadline = time.monotonic() + self._limits.wait_seconds
        with self._changed:
            while True:
                if self._closed:
                    raise DecoderUnavailable(
                        "the decoders are shut down", retry_after=self._limits.wait_seconds
                    )
                while self._idle:
                    worker = self._idle.popleft()
                    defect = worker.defect()
                    if defect is None:
                        self._lent.add(worker)
                        return worker
                    self._lost(worker, defect)
                left = deadline - time.monotonic()
                hopeless = self._starter.failure and not self._lent
                if hopeless or not self._changed.wait_for(lambda: self._idle or self._closed, max(0.0, left)):
                    raise self._unavailable()

    def _give_back(self, worker: WorkerProcess, cause: LossCause | None) -> None:
        worker.jobs_done += 1
        with self._changed:
            self._account.jobs += cause is None
            self._lent.discard(worker)
            if cause is None and worker.jobs_done >= self._limits.jobs_per_worker:
                cause = LossCause.WORN
            if cause is None and not self._closed:
                self._idle.append(worker)
                self._changed.notify_all()
            else:
                self._lost(worker, cause or LossCause.WORN)

    def _lost(self, worker: WorkerProcess, cause: LossCause) -> None:
        worker.kill()
        if self._closed:
            return
        self._account.lost(cause)
        self._changed.notify_all()

    def _unavailable(self) -> DecoderUnavailable:
        wait = self._limits.wait_seconds
        why = self._starter.failure or f"all {self._count} were busy for {wait:g} seconds"
        return DecoderUnavailable(
            f"no isolated decoder can take the job: {why}; try again later", retry_after=wait
        )

    def _keep(self) -> None:
        """Starts workers whenever some are missing, with growing pauses while they fail to start."""
        while True:
            with self._changed:
                self._changed.wait_for(self._something_to_do, _LOOK_SECONDS)
                if self._closed:
                    return
                for worker, defect in [(worker, worker.defect()) for worker in self._idle]:
                    if defect is not None:
                        self._idle.remove(worker)
                        self._lost(worker, defect)
                if not self._missing():
                    continue
            try:
                worker = self._starter.start()
            except (OSError, WorkerLost) as error:
                with self._changed:
                    pause = self._starter.failed(error)
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._closed, pause)
                continue
            with self._changed:
                if not self._open():
                    worker.kill()
                    return
                self._starter.started(worker)
                self._idle.append(worker)
                self._changed.notify_all()

    def _open(self) -> bool:
        return not self._closed

    def _something_to_do(self) -> bool:
        return self._closed or self._missing()

    def _missing(self) -> bool:
        return len(self._idle) + len(self._lent) < self._count

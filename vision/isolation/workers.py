"""Keeps a fixed number of workers of one kind running, by a thread of its own, and lends each to one job."""

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Final, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from vision.errors import DecoderUnavailable, VisionError
from vision.isolation.protocol import HEADER_BYTES, VERSION, Message, MessageKind

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderLimits:
    """The limits of one decoding job and of one worker process.

    Attributes:
        memory_bytes: Memory that a worker may map in addition to its memory at the start, at least 64 MiB.
        cpu_seconds: CPU time of a job, rounded up to whole seconds by the kernel; 1 or more.
        wall_seconds: Time from sending a job to the last byte of its answer.
        wait_seconds: Time that a job waits for a free worker.
        start_seconds: Time that a worker has to start.
        jobs_per_worker: Jobs after which a worker is replaced, so that the leaks of its libraries are freed.
            1 if jobs belong to different people: otherwise a file that took over its decoder could answer for
            the next one.

    Raises:
        ValueError: A limit that allows nothing.
    """

    memory_bytes: int = 1024 * _MIB
    cpu_seconds: int = 10
    wall_seconds: float = 15.0
    wait_seconds: float = 5.0
    start_seconds: float = 30.0
    jobs_per_worker: int = 500

    def __post_init__(self) -> None:
        if self.memory_bytes < 64 * _MIB or self.cpu_seconds < 1 or self.jobs_per_worker < 1:
            raise ValueError("a worker needs at least 64 MiB, one second of CPU time and one job")
        if min(self.wall_seconds, self.wait_seconds, self.start_seconds) <= 0:
            raise ValueError("times must be greater than 0")


_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8"}
_END_SECONDS: Final = 5.0
_CHUNK: Final = 1 << 20


class LossCause(StrEnum):
    """Why a worker was given up."""

    CRASHED = "crashed"
    """It ended by a signal such as SIGSEGV, or exited."""
    KILLED = "killed"
    """It ended by a SIGKILL that the server did not send: from an operator, or a kernel short of memory."""
    TIME_LIMIT = "time_limit"
    """A job exceeded its time limit, and the server killed the worker."""
    CPU_LIMIT = "cpu_limit"
    """A job exceeded its limit of CPU time."""
    MEMORY_LIMIT = "memory_limit"
    """A job exceeded its limit of memory."""
    FORBIDDEN_CALL = "forbidden_call"
    """It made a system call that no decoder needs."""
    BROKEN_ANSWER = "broken_answer"
    """Its answer is not an answer to its job."""
    ABANDONED = "abandoned"
    """The caller gave the job up while it ran; the worker is not at fault."""
    WORN = "worn"
    """It did as many jobs as one worker may; this is not an error."""


class WorkerLost(Exception):
    """The worker cannot be used any more."""

    def __init__(self, cause: LossCause) -> None:
        super().__init__(cause.value)
        self.cause = cause


class WorkerProcess:
    """One worker. Use it from one thread at a time; the thread that starts it must outlive it."""

    def __init__(self, command: tuple[str, ...], *, start_seconds: float) -> None:
        """Start the process and wait until it reports that it is confined.

        This process's id is added to ``command``. The program has ``start_seconds`` to start.

        Raises:
            OSError: The program cannot be started.
            WorkerLost: It is not ready in time, or has another version.
        """
        self._process = subprocess.Popen(  # noqa: S603 - no part of the command comes from outside
            [*command, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(_ENVIRONMENT),
            cwd="/",
            bufsize=0,
        )
        # Both exist, because PIPE was requested.
        self._jobs = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        os.set_blocking(self._jobs.fileno(), False)
        os.set_blocking(self._answers.fileno(), False)
        # A larger pipe needs fewer switches between the two processes. It is not essential.
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._answers.fileno(), fcntl.F_SETPIPE_SZ, _CHUNK)
        self.jobs_done = 0
        try:
            self.filter_errno = self._hello(time.monotonic() + start_seconds)
        except WorkerLost:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def defect(self) -> LossCause | None:
        """Return why the worker must not get another job; ``None`` if it can.

        It can if its process runs and has sent nothing after its last answer.
        """
        if self._process.poll() is not None:
            return LossCause.KILLED
        try:
            self.expect_silence()
        except WorkerLost as lost:
            return lost.cause
        return None

    def send_job(self, job: Message, *, deadline: float) -> None:
        """Send a job.

        Beyond ``deadline``, on the monotonic clock, the worker is lost.

        Raises:
            WorkerLost: The worker does not accept the job.
        """
        handle = self._jobs.fileno()
        for part in (job.header(), job.payload):
            view = memoryview(part)
            while view:
                try:
                    view = view[os.write(handle, view[:_CHUNK]) :]
                except BlockingIOError:
                    self._wait(handle, select.POLLOUT, deadline)
                except OSError:
                    raise WorkerLost(self._cause_of_death()) from None

    def receive_answer(self, *, deadline: float) -> tuple[MessageKind, tuple[int, ...], int]:
        """Return kind, numbers and payload length of the next answer. The payload is still unread.

        Raises:
            WorkerLost: No answer comes in time, or it is not a valid message.
        """
        header = np.empty(HEADER_BYTES, np.uint8)
        self.read_into(header, deadline=deadline)
        try:
            return Message.parse(header.tobytes())
        except ValueError:
            raise WorkerLost(LossCause.BROKEN_ANSWER) from None

    def read_into(self, target: NDArray[np.uint8], *, deadline: float) -> None:
        """Fill ``target``, a contiguous array of any shape, with the next bytes.

        Raises:
            WorkerLost: The bytes do not come in time.
        """
        handle, view = self._answers.fileno(), target.reshape(-1).data
        while view:
            try:
                count = os.readv(handle, [view])
            except BlockingIOError:
                self._wait(handle, select.POLLIN, deadline)
                continue
            if count == 0:
                raise WorkerLost(self._cause_of_death())
            view = view[count:]

    def expect_silence(self) -> None:
        """Verify that nothing follows the last answer.

        Raises:
            WorkerLost: More bytes follow, which the next job would read as its answer.
        """
        try:
            rest = os.read(self._answers.fileno(), 1)
        except BlockingIOError:
            return
        raise WorkerLost(LossCause.BROKEN_ANSWER if rest else self._cause_of_death())

    def send_kill(self) -> None:
        """End the process at once, without cleaning up; the thread that uses the worker cleans up."""
        self._process.kill()

    def kill(self) -> None:
        """End the process at once and clean up; an ended process stays as it is."""
        self._process.kill()
        self._process.wait()
        self._jobs.close()
        self._answers.close()

    def _hello(self, deadline: float) -> int:
        kind, (version, refused, *_), length = self.receive_answer(deadline=deadline)
        if kind is not MessageKind.HELLO or version != VERSION or length:
            raise WorkerLost(LossCause.BROKEN_ANSWER)
        return refused

    def _wait(self, handle: int, event: int, deadline: float) -> None:
        poll = select.poll()
        poll.register(handle, event)
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(1000 * left):
            raise WorkerLost(LossCause.TIME_LIMIT)

    def _cause_of_death(self) -> LossCause:
        """Return why a worker whose pipe is closed has ended."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return LossCause.BROKEN_ANSWER
        return {
            -signal.SIGKILL: LossCause.KILLED,
            -signal.SIGXCPU: LossCause.CPU_LIMIT,
            -signal.SIGSYS: LossCause.FORBIDDEN_CALL,
        }.get(code, LossCause.CRASHED)


_Result = TypeVar("_Result")

_LOOK_SECONDS: Final = 5.0
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0


@dataclass(frozen=True, slots=True)
class WorkersState:
    """The state of the workers.

    Attributes:
        jobs: The number of jobs that got an answer, including a refusal.
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
        """Start no worker yet.

        ``limits`` has the times for a start and for waiting, and the number of jobs per worker; ``on_loss``
        is called whenever a worker is given up.
        """
        self._command = command
        self._count = count
        self._limits = limits
        self._on_loss = on_loss
        self._changed = threading.Condition()
        self._jobs = 0
        self._losses: Counter[LossCause] = Counter()
        self._failure = ""
        self._filter_errno: int | None = None
        self._idle: deque[WorkerProcess] = deque()
        self._lent: set[WorkerProcess] = set()
        self._closed = False
        self._keeper = threading.Thread(target=self._keep, name="facegate-decoders", daemon=True)

    @property
    def state(self) -> WorkersState:
        """The state of the workers."""
        with self._changed:
            return WorkersState(
                jobs=self._jobs,
                losses=dict(self._losses),
                processes=tuple(worker.pid for worker in (*self._idle, *self._lent)),
                lent=len(self._lent),
                filter_errno=self._filter_errno,
            )

    def start(self) -> None:
        """Start the workers and wait for the first.

        Raises:
            DecoderUnavailable: The first does not start.
        """
        self._keeper.start()
        with self._changed:
            self._changed.wait_for(lambda: self._idle or self._failure, self._limits.start_seconds)
            if not self._idle:
                raise self._unavailable()

    def close(self) -> None:
        """End all workers at once; running jobs fail."""
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
        """Run a job on a worker.

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
                hopeless = self._failure and not self._lent
                if hopeless or not self._changed.wait_for(lambda: self._idle or self._closed, max(0.0, left)):
                    raise self._unavailable()

    def _give_back(self, worker: WorkerProcess, cause: LossCause | None) -> None:
        worker.jobs_done += 1
        with self._changed:
            self._jobs += cause is None
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
        self._losses[cause] += 1
        self._on_loss(cause)
        self._changed.notify_all()

    def _unavailable(self) -> DecoderUnavailable:
        wait = self._limits.wait_seconds
        why = self._failure or f"all {self._count} were busy for {wait:g} seconds"
        return DecoderUnavailable(
            f"no isolated decoder can take the job: {why}; try again later", retry_after=wait
        )

    def _keep(self) -> None:
        """Start workers whenever some are missing, with growing pauses while they fail to start."""
        pause = _FIRST_PAUSE
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._missing(), _LOOK_SECONDS)
                if self._closed:
                    return
                for worker, defect in [(worker, worker.defect()) for worker in self._idle]:
                    if defect is not None:
                        self._idle.remove(worker)
                        self._lost(worker, defect)
                if not self._missing():
                    continue
            try:
                worker = WorkerProcess(self._command, start_seconds=self._limits.start_seconds)
            except (OSError, WorkerLost) as error:
                with self._changed:
                    self._failure = f"none can be started ({error})"
                    self._changed.notify_all()
                    self._changed.wait_for(self._is_closed, pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause = _FIRST_PAUSE
            with self._changed:
                if self._is_closed():
                    worker.kill()
                    return
                self._failure, self._filter_errno = "", worker.filter_errno
                self._idle.append(worker)
                self._changed.notify_all()

    def _is_closed(self) -> bool:
        return self._closed

    def _missing(self) -> bool:
        return len(self._idle) + len(self._lent) < self._count

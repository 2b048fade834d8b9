"""The server's end of one worker: starts it, sends jobs, kills it, and trusts none of its answers."""

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import time
from enum import StrEnum
from typing import IO, Final, cast

import numpy as np
from numpy.typing import NDArray

from vision.isolation.protocol import HEADER_BYTES, VERSION, Message, MessageKind

__all__ = ["LossCause", "WorkerLost", "WorkerProcess"]

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
    """The worker cannot be used any more.

    Attributes:
        cause: Why the worker was given up.
    """

    def __init__(self, cause: LossCause) -> None:
        super().__init__(cause.value)
        self.cause = cause


class WorkerProcess:
    """One worker. Use it from one thread at a time; the thread that starts it must outlive it."""

    def __init__(self, command: tuple[str, ...], *, start_seconds: float) -> None:
        """Starts the process and waits until it reports that it is confined.

        Args:
            command: Program and arguments; this process's id is added as the last one.
            start_seconds: Time that it has to start, seconds.

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
        """Returns why the worker must not get another job; ``None`` if it can.

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
        """Sends a job.

        Args:
            job: The job.
            deadline: On the monotonic clock; beyond it, the worker is lost.

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
        """Returns kind, numbers and payload length of the next answer. The payload is still unread.

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
        """Fills ``target``, a contiguous array of any shape, with the next bytes.

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
        """Verifies that nothing follows the last answer.

        Raises:
            WorkerLost: More bytes follow, which the next job would read as its answer.
        """
        try:
            rest = os.read(self._answers.fileno(), 1)
        except BlockingIOError:
            return
        raise WorkerLost(LossCause.BROKEN_ANSWER if rest else self._cause_of_death())

    def send_kill(self) -> None:
        """Ends the process at once, without cleaning up; the thread that uses the worker cleans up."""
        self._process.kill()

    def kill(self) -> None:
        """Ends the process at once and cleans up; has no effect on an ended process."""
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
        """Returns why a worker whose pipe is closed has ended."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return LossCause.BROKEN_ANSWER
        return {
            -signal.SIGKILL: LossCause.KILLED,
            -signal.SIGXCPU: LossCause.CPU_LIMIT,
            -signal.SIGSYS: LossCause.FORBIDDEN_CALL,
        }.get(code, LossCause.CRASHED)

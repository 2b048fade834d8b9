"""The server's end of one worker: started, asked, and killed; nothing that it says is believed."""

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
    """A signal such as SIGSEGV, or an exit of its own."""
    KILLED = "killed"
    """SIGKILL that the server did not send: an operator, or the kernel short of memory."""
    TIME_LIMIT = "time_limit"
    """It took longer than a job may, and the server killed it."""
    CPU_LIMIT = "cpu_limit"
    """It used more CPU time than a job may."""
    MEMORY_LIMIT = "memory_limit"
    """A job asked for more memory than it may have."""
    FORBIDDEN_CALL = "forbidden_call"
    """It made a system call that no decoder makes."""
    BROKEN_ANSWER = "broken_answer"
    """It answered something that is no answer to its job."""
    ABANDONED = "abandoned"
    """Whoever asked it gave the job up in the middle; not its fault."""
    WORN = "worn"
    """It did as many jobs as one worker may; not an error."""


class WorkerLost(Exception):
    """The worker cannot be used any more.

    Attributes:
        cause: Why.
    """

    def __init__(self, cause: LossCause) -> None:
        super().__init__(cause.value)
        self.cause = cause


class WorkerProcess:
    """One worker. Used by one thread at a time; started by a thread that outlives it."""

    def __init__(self, command: tuple[str, ...], *, start_seconds: float) -> None:
        """Starts the process and waits until it says that it is confined.

        Args:
            command: Program and arguments; this process's number is added as the last one.
            start_seconds: How long it may take.

        Raises:
            OSError: The program cannot be started.
            WorkerLost: It is not ready in time, or is of another version.
        """
        self._process = subprocess.Popen(  # noqa: S603 - the command is ours, no part comes from outside
            [*command, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(_ENVIRONMENT),
            cwd="/",
            bufsize=0,
        )
        # Both are there: they were asked for.
        self._jobs = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        os.set_blocking(self._jobs.fileno(), False)
        os.set_blocking(self._answers.fileno(), False)
        # Fewer changes between the two processes for the same pixels; without it all works as well.
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
        """The number of the process."""
        return self._process.pid

    def defect(self) -> LossCause | None:
        """Why it must not get another job; None where it is well: it runs, and has nothing left to say."""
        if self._process.poll() is not None:
            return LossCause.KILLED
        try:
            self.expect_silence()
        except WorkerLost as lost:
            return lost.cause
        return None

    def ask(self, job: Message, *, deadline: float) -> None:
        """Sends a job.

        Args:
            job: The job.
            deadline: On the monotonic clock; the worker is lost beyond it.

        Raises:
            WorkerLost: It does not take the job.
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

    def answer(self, *, deadline: float) -> tuple[MessageKind, tuple[int, ...], int]:
        """Kind, numbers and payload length of the next answer; the payload is yet to be read.

        Raises:
            WorkerLost: There is none in time, or it is no answer of ours.
        """
        header = np.empty(HEADER_BYTES, np.uint8)
        self.read_into(header, deadline=deadline)
        try:
            return Message.parse(header.tobytes())
        except ValueError:
            raise WorkerLost(LossCause.BROKEN_ANSWER) from None

    def read_into(self, target: NDArray[np.uint8], *, deadline: float) -> None:
        """Fills ``target``, of any shape and contiguous, with the next bytes.

        Raises:
            WorkerLost: They do not come in time.
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
        """Makes sure that nothing follows the last answer.

        Raises:
            WorkerLost: Something does; the next job would take it for its answer.
        """
        try:
            rest = os.read(self._answers.fileno(), 1)
        except BlockingIOError:
            return
        raise WorkerLost(LossCause.BROKEN_ANSWER if rest else self._cause_of_death())

    def send_kill(self) -> None:
        """Ends the process at once and leaves the cleaning up to whoever works with it."""
        self._process.kill()

    def kill(self) -> None:
        """Ends the process at once and cleans up; harmless where it has ended."""
        self._process.kill()
        self._process.wait()
        self._jobs.close()
        self._answers.close()

    def _hello(self, deadline: float) -> int:
        kind, (version, refused, *_), length = self.answer(deadline=deadline)
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
        """Why a worker whose pipe is closed has gone."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return LossCause.BROKEN_ANSWER
        return {
            -signal.SIGKILL: LossCause.KILLED,
            -signal.SIGXCPU: LossCause.CPU_LIMIT,
            -signal.SIGSYS: LossCause.FORBIDDEN_CALL,
        }.get(code, LossCause.CRASHED)

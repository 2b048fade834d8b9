"""``facegate try`` as a process, for tests."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ADDRESS = re.compile(r"^The page: (http://localhost:(\d+)/)#(\S+)$")
_START_LINES = 20
_STOP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class RunningTry:
    """A running command.

    Attributes:
        page: Address of the page without its secret, with a slash at the end.
        temporary: The folder in which it makes its temporary one.
        printed: The lines that it printed before it was ready.
    """

    process: "subprocess.Popen[str]"
    page: str
    secret: str
    temporary: Path
    printed: tuple[str, ...]

    @property
    def address(self) -> str:
        """The address that the terminal shows."""
        return f"{self.page}#{self.secret}"

    def stop(self, number: signal.Signals) -> int:
        """Send a signal, and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(_STOP_SECONDS)


@contextmanager
def running_try(temporary: Path, *options: str) -> Iterator[RunningTry]:
    """Run ``facegate try`` on a free port, without a browser, until the end of the block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FACEGATE_")}
    # A process that a shell runs in the background ignores SIGINT, and its children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "facegate_app", "try", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**environment, "TMPDIR": str(temporary), "COLUMNS": "200"},
    )
    signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    printed: list[str] = []
    try:
        for line in process.stdout:
            printed.append(line.rstrip())
            if found := _ADDRESS.match(printed[-1]):
                yield RunningTry(process, found[1], found[3], temporary, tuple(printed))
                return
            assert len(printed) < _START_LINES
        raise AssertionError("\n".join(printed))
    finally:
        try:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(_STOP_SECONDS)
        finally:
            process.kill()
            process.stdout.close()

"""Shows the progress on standard error; nothing if that is not a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from cli.shown import printable

__all__ = ["AnalysisDisplay"]

_NAME: Final = 40


class AnalysisDisplay:
    """Counts files, and the frames of a video while it is analysed."""

    def __init__(self, messages: Console) -> None:
        """Creates a display that shows nothing yet.

        Args:
            messages: Standard error.
        """
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("analysing"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=messages,
            transient=True,
            disable=not messages.is_terminal,
            # Reports go to standard output, which may be a file while standard error is a terminal.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("", total=None)
        self._name = ""
        self._frames = 0

    @contextmanager
    def counting(self, total: int) -> Iterator[None]:
        """Shows the bar while files are analysed."""
        self._progress.update(self._task, total=total)
        with self._progress:
            yield

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Hides the bar while a report is printed."""
        self._progress.stop()
        yield
        self._progress.start()

    def begin(self, file: Path) -> None:
        """Shows the name of the next file."""
        self._name = printable(file.name)[-_NAME:]
        self._frames = 0
        self._progress.update(self._task, description=self._name)

    def at_frame(self, time: float) -> None:
        """Counts a frame of a video.

        Args:
            time: Seconds from its first frame.
        """
        self._frames += 1
        text = f"{self._name}: frame {self._frames}, at {time:.1f} s"
        self._progress.update(self._task, description=text)

    def end(self) -> None:
        """Counts the file as finished."""
        self._progress.advance(self._task)

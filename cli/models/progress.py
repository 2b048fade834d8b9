"""Shows the progress of a pull: bars on a terminal, else a line for each file."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

__all__ = ["TerminalProgress"]


class TerminalProgress:
    """Shows a bar for each file and one for all if the console is a terminal, and permanent lines.

    Implements ``vision.packs.pulling.PullProgress``.
    """

    def __init__(self, console: Console) -> None:
        """Shows on ``console``."""
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._all: TaskID | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:  # Without a start, stopping would print an empty line.
            self._bars.stop()

    def planned(self, file: str, *, size: int | None) -> None:
        """Adds a bar."""
        if self._all is None:
            self._all = self._bars.add_task("all files", total=None)
        self._tasks[file] = self._bars.add_task(escape(file), total=size)
        self._sum_up()

    def moved(self, file: str, *, done: int) -> None:
        """Updates the file's bar and that of all files."""
        if file in self._tasks:
            self._bars.update(self._tasks[file], completed=done)
            self._sum_up()

    def ended(self, file: str, *, how: str) -> None:
        """Prints a permanent line in place of the bar."""
        if file in self._tasks:
            self._bars.update(self._tasks[file], visible=False)
        self.say(f"{file}: {how}")

    def say(self, text: str) -> None:
        """Prints a permanent line."""
        self._console.print(escape(text), highlight=False, soft_wrap=True)

    def _sum_up(self) -> None:
        if self._all is None:
            return
        tasks = [task for task in self._bars.tasks if task.id != self._all]
        sizes = [task.total for task in tasks]
        self._bars.update(
            self._all,
            completed=sum(task.completed for task in tasks),
            # The sum is known only if every size is.
            total=sum(size for size in sizes if size is not None) if None not in sizes else None,
        )

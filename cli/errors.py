"""Errors of the commands, and their report.

Every message states the error, the expected value and the remedy. Addresses are shown without user names,
passwords and queries. Errors of other packages are shown unchanged; exceptions of the file system are the
``__cause__`` of one of the above.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import typer
from rich.console import Console
from rich.markup import escape


class CommandError(Exception):
    """A command cannot do what was asked. The text states the error, and the remedy."""


class FileUnusable(CommandError):
    """A file cannot be read or written, is not a regular file, already exists, or is too long."""


FAILED: Final = 2
"""Exit status of a command that failed with an error."""
PENDING: Final = 3
"""Exit status of a command that did nothing yet, because a second person has to confirm it."""


@contextmanager
def errors_reported(
    *more: type[Exception], console: Console | None = None, words: Callable[[str], str] = str
) -> Iterator[None]:
    """Report errors in one line on standard error, and end the command with ``FAILED``.

    Args:
        more: Errors of other packages with a text for people, in addition to ``CommandError``; for an
            ``OSError`` the file and the reason are reported.
        console: The console for the report; standard error if None.
        words: Makes the shown text from the error's text.
    """
    kinds: tuple[type[Exception], ...] = (CommandError, *more)
    try:
        yield
    except kinds as error:
        text = str(error)
        if isinstance(error, OSError):
            text = f"{error.filename or 'a file'}: {error.strerror or error}"
        fail(words(text), console=console)


def fail(text: str, status: int = FAILED, *, console: Console | None = None) -> NoReturn:
    """Print an error on standard error, and end the command."""
    (console or Console(stderr=True)).print(escape(text), style="red", highlight=False, soft_wrap=True)
    raise typer.Exit(status)

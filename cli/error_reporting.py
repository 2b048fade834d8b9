"""Reports the errors of commands."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import typer
from rich.console import Console
from rich.markup import escape

from cli.errors import CommandError

__all__ = ["FAILED", "PENDING", "errors_reported"]

FAILED: Final = 2
"""Exit status of a command that failed with an error."""
PENDING: Final = 3
"""Exit status of a command that did nothing yet, because a second person has to confirm it."""


@contextmanager
def errors_reported(
    *more: type[Exception], console: Console | None = None, words: Callable[[str], str] = str
) -> Iterator[None]:
    """Reports errors in one line on standard error, and ends the command with ``FAILED``.

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
        (console or Console(stderr=True)).print(
            escape(words(_text(error))), style="red", highlight=False, soft_wrap=True
        )
        raise typer.Exit(FAILED) from error


def _text(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror or error}"
    return str(error)

"""How a command that cannot do its work says so."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import typer
from rich.console import Console
from rich.markup import escape

from cli.errors import CommandError

__all__ = ["FAILED", "errors_reported"]

FAILED: Final = 2
"""Exit status of a command that could not do its work."""


@contextmanager
def errors_reported(
    *more: type[Exception], console: Console | None = None, words: Callable[[str], str] = str
) -> Iterator[None]:
    """Reports errors in one line on standard error, and ends the command with ``FAILED``.

    Args:
        more: Errors of other rooms whose text is for people, beside ``CommandError``; of an ``OSError`` the
            file and the reason are reported.
        console: Where to report them; standard error without one.
        words: What is shown of a text.
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

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
    """Base class of the errors of the commands."""


class FileUnusable(CommandError):
    """A file cannot be read or written, is not a regular file, already exists, or is too long."""


class OptionUnusable(CommandError):
    """An option cannot be understood."""


class OutputUnusable(CommandError):
    """A page or an output folder cannot be written, or there is already a file of its name."""


class SettingsUnusable(CommandError):
    """The settings are invalid, or their file cannot be read."""


class PolicyUnusable(CommandError):
    """The policy does not exist, is invalid, or makes a requirement hard that the pack cannot assess."""


class PlatformUnusable(CommandError):
    """The folder of a test platform cannot be written, or contains none. The message states why."""


class ServerUnusable(CommandError):
    """The server cannot be reached, refuses the call, or cannot answer it."""


class ServerDidNotStart(ServerUnusable):
    """``facegate serve`` ended, or did not print its ports in time."""


class StageUnusable(CommandError):
    """The photos or the pack that the demo needs are not installed, or cannot be used."""


class NotEvidence(CommandError):
    """The bytes are not a known kind of device evidence."""


class BenchFailed(CommandError):
    """A benchmark cannot run."""


class DeviceProcessFailed(BenchFailed):
    """The process with the devices ended, or its answer is invalid or late."""


class ScanNotMeasured(BenchFailed):
    """A scan ended without a result."""


class UnknownPack(CommandError):
    """The catalogue has no such pack."""


class BenchImpossible(CommandError):
    """The models cannot be measured."""


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
        fail(words(_text(error)), console=console)


def fail(text: str, status: int = FAILED, *, console: Console | None = None) -> NoReturn:
    """Prints an error on standard error, and ends the command."""
    (console or Console(stderr=True)).print(escape(text), style="red", highlight=False, soft_wrap=True)
    raise typer.Exit(status)


def _text(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror or error}"
    return str(error)

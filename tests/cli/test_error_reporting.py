import io

import pytest
import typer
from rich.console import Console

from cli.errors import FAILED, FileUnusable, errors_reported
from vision.errors import PackNotFound


def reported(error: Exception, *more: type[Exception]) -> str:
    console = Console(file=io.StringIO(), width=20)
    with pytest.raises(typer.Exit) as exit_, errors_reported(*more, console=console, words=str.upper):
        raise error
    assert exit_.value.exit_code == FAILED
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_an_error_of_a_command_is_one_line_however_narrow_the_terminal() -> None:
    assert reported(FileUnusable("[red]no.jpg[/red] cannot be read")) == "[RED]NO.JPG[/RED] CANNOT BE READ\n"


def test_errors_of_other_rooms_are_reported_where_they_are_named() -> None:
    assert reported(PackNotFound("no pack"), PackNotFound) == "NO PACK\n"
    with pytest.raises(PackNotFound), errors_reported():
        raise PackNotFound("no pack")


def test_of_an_error_of_the_file_system_the_file_and_the_reason_are_reported() -> None:
    assert reported(FileNotFoundError(2, "No such file", "a.csv"), OSError) == "A.CSV: NO SUCH FILE\n"
    assert reported(OSError("disk"), OSError) == "A FILE: DISK\n"

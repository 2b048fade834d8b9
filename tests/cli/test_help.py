"""`--help` fits a terminal of 24 lines, and `--help-all` shows everything."""

import functools
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib.metadata import version
from io import StringIO
from typing import Any

import pytest
import typer

from cli.help import HELP_ALL, Command
from cli.main import app

_SCREEN = 24
"""Lines of a terminal of the standard size, 80 columns by 24 lines."""


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in getattr(group, "commands", {}).items():
        yield (*path, name), command
        yield from _commands(command, (*path, name))


_ROOT = typer.main.get_command(app)
_ALL = dict(_commands(_ROOT))
_LEAVES = {path: command for path, command in _ALL.items() if isinstance(command, Command)}


@functools.cache
def _printed(*arguments: str) -> str:
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as stdout:
        patch.setenv("COLUMNS", "80")
        patch.setenv("TERMINAL_WIDTH", "80")
        _ROOT.main(list(arguments), prog_name="facegate", standalone_mode=False)
    return stdout.getvalue()


@pytest.mark.parametrize("path", [(), *_ALL], ids=" ".join)
def test_help_fits_a_terminal_of_24_lines(path: tuple[str, ...]) -> None:
    lines = _printed(*path, "--help").rstrip().splitlines()
    assert len(lines) <= _SCREEN
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(("path", "command"), _LEAVES.items(), ids=map(" ".join, _LEAVES))
def test_help_all_names_every_option(path: tuple[str, ...], command: Command) -> None:
    whole, short = _printed(*path, HELP_ALL), _printed(*path, "--help")
    options = {param.opts[0] for param in command.params if param.opts[0].startswith("--")}
    assert {option for option in options if not re.search(rf"{option}\b", whole)} == set()
    missing = {option for option in options if not re.search(rf"{option}\b", short)}
    assert {*command.common} <= options
    if missing:
        assert HELP_ALL in short


def test_version_is_that_of_the_distribution() -> None:
    assert _printed("--version") == f"facegate {version('facegate')}\n"


def test_every_command_has_help_all() -> None:
    assert {path for path, command in _ALL.items() if not hasattr(command, "commands")} == set(_LEAVES)


def test_the_first_examples_are_in_the_help() -> None:
    assert "facegate verify --trusted portrait.jpg --scan selfie.mp4" in _printed("verify", "--help")
    assert "facegate models pull open" in _printed("models", "pull", "--help")

"""The commands: imported when they run, listed in one screen, with options that their groups share."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from cli.groups import SharingGroup
from cli.main import COMMANDS, app

_SCREEN = 24
"""Lines of a terminal of the standard size, 80 columns by 24 lines."""


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in getattr(group, "commands", {}).items():
        yield (*path, name), command
        yield from _commands(command, (*path, name))


_ROOT = typer.main.get_command(app)
_ALL = dict(_commands(_ROOT))


def _printed(*arguments: str) -> str:
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as stdout:
        patch.setenv("COLUMNS", "80")
        patch.setenv("TERMINAL_WIDTH", "80")
        _ROOT.main(list(arguments), prog_name="facegate", standalone_mode=False)
    return stdout.getvalue()


def test_the_list_of_commands_fits_a_terminal_of_24_lines() -> None:
    lines = _printed("--help").rstrip().splitlines()
    assert len(lines) <= _SCREEN
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(("path", "command"), _ALL.items(), ids=map(" ".join, _ALL))
def test_help_names_every_option(path: tuple[str, ...], command: Any) -> None:
    shown = _printed(*path, "--help")
    assert max(map(len, shown.splitlines())) <= 80
    options = [param.opts[0] for param in command.params if param.opts[0].startswith("-")]
    assert [option for option in options if option not in shown] == []


def test_there_are_few_commands() -> None:
    assert sum(not hasattr(command, "commands") for command in _ALL.values()) <= 54


def test_version_is_that_of_the_distribution() -> None:
    assert _printed("--version") == f"facegate {version('facegate')}\n"


def test_examples_are_in_the_help() -> None:
    assert "facegate verify --trusted portrait.jpg --scan selfie.mp4" in _printed("verify", "--help")
    assert "facegate models pull open" in _printed("models", "pull", "--help")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_line_is_the_first_sentence_of_the_command(name: str) -> None:
    command = _ROOT.commands[name]  # type: ignore[attr-defined]
    assert command.get_short_help_str(limit=80) == COMMANDS[name].text


def test_a_command_imports_no_other() -> None:
    program = (
        "import sys; from cli.main import app\n"
        "try:\n    app(['image', 'inspect', '--help'])\n"
        "except SystemExit:\n    pass\n"
        "late = {'cli.serve', 'cli.verify.command', 'server.running.app', 'simulator'}\n"
        "print(*sorted(late & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "facegate image inspect" in run.stdout
    assert run.stdout.splitlines()[-1] == ""


@pytest.mark.parametrize(
    "words", [["--config", "a.toml", "config", "show"], ["config", "show", "--config=a.toml"]]
)
def test_the_settings_file_may_be_named_anywhere(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FACEGATE_CONFIG", raising=False)
    Path("a.toml").write_text('data_dir = "of a.toml"\n')
    assert "of a.toml" in CliRunner().invoke(app, words).stdout
    assert "FACEGATE_CONFIG" not in os.environ


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--place", "x", "do", "a"], ("x", "a", False)),
        (["do", "--flag", "--place=x", "a"], ("x", "a", True)),
        (["do", "a", "--place", "x"], ("x", "a", False)),
        (["do", "--", "--place"], ("here", "--place", False)),
    ],
)
def test_options_of_a_group_stand_anywhere_before_two_dashes(
    words: list[str], found: tuple[str, str, bool]
) -> None:
    seen: list[tuple[str, str, bool]] = []
    group = typer.Typer(cls=SharingGroup)

    @group.callback()
    def share(context: typer.Context, place: Annotated[str, typer.Option()] = "here") -> None:
        context.obj = place

    @group.command("do")
    def act(
        context: typer.Context, name: str, *, flag: Annotated[bool, typer.Option("--flag")] = False
    ) -> None:
        seen.append((context.obj, name, flag))

    assert CliRunner().invoke(group, words).exit_code == 0
    assert seen == [found]


def test_a_shared_option_without_its_value_is_an_error() -> None:
    assert "requires an argument" in CliRunner().invoke(app, ["config", "show", "--config"]).stderr

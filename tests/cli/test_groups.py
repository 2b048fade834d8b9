"""The commands: imported when they run, listed in one screen, with options that their groups share."""

import io
import json
import os
import re
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
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from cli.errors import FAILED, FileUnusable, errors_reported
from cli.groups import SharingGroup
from cli.main import COMMANDS, app, loopback_spared
from cli.shown import counted, printable, shown_name
from server.configuration.loading import load_settings, shown_settings
from vision.errors import PackNotFound

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


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FACEGATE_LISTENERS__DEVICE__PORT", "1234")
    file = tmp_path / "facegate.toml"
    file.touch(0o600)
    file.write_text('[storage]\ndatabase_url = "postgresql+asyncpg://me:hunter2@db/x"\n')
    return file


def test_show_names_the_source_of_each_value(file: Path) -> None:
    shown = json.loads(CliRunner().invoke(app, ["config", "show", "--config", str(file), "--json"]).stdout)
    assert shown["listeners.device.port"] == {"value": 1234, "origin": "environment"}
    assert shown["storage.database_url"] == {"value": "postgresql+asyncpg://me:***@db/x", "origin": "file"}
    assert shown["listeners.service.port"]["origin"] == "default"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_form_shows_a_password(file: Path, form: list[str]) -> None:
    answer = CliRunner().invoke(app, ["config", "show", "--config", str(file), *form])
    assert answer.exit_code == 0
    assert "listeners.device.port" in answer.stdout
    assert "hunter2" not in answer.output


@pytest.mark.parametrize("columns", ["20", "80"])
def test_the_table_cuts_nothing(file: Path, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    settings = load_settings(file)
    in_a_pipe = CliRunner().invoke(app, ["config", "show", "--config", str(file)]).stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    on_a_terminal = CliRunner().invoke(app, ["config", "show", "--config", str(file)]).stdout
    assert "…" not in in_a_pipe + on_a_terminal
    rows = [re.split("[│┃]", re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in on_a_terminal.splitlines()]
    names = "".join(row[1].strip() for row in rows if len(row) > 1)
    for key, value in shown_settings(settings.settings).items():
        assert key in in_a_pipe
        assert value is None or str(value) in in_a_pipe
        assert key in names


def test_problems_go_to_standard_error(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("pak = 1\n")
    answer = CliRunner().invoke(app, ["config", "show", "--config", str(file)])
    assert answer.exit_code == 2
    assert "did you mean pack?" in answer.stderr


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


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("selfie ä 照.jpg", "selfie ä 照.jpg"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\nb\rc\x07", r"a\nb\rc\x07"),
        ("a\x9b31m", r"a\x9b31m"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("bad\udcff", r"bad\udcff"),
    ],
)
def test_control_characters_are_escaped(name: str, expected: str) -> None:
    assert printable(name) == expected
    assert shown_name(Path(name)) == expected


@given(st.text())
def test_any_text_becomes_printable(text: str) -> None:
    assert printable(text).isprintable()
    printable(text).encode("utf-8")


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [
        (0, "check", "0 checks"),
        (1, "entry", "1 entry"),
        (1_204, "entry", "1,204 entries"),
        (2, "API key", "2 API keys"),
        (2.0, "processor", "2 processors"),
        (1.5, "processor", "1.5 processors"),
    ],
)
def test_things_are_counted_in_words(number: float, noun: str, expected: str) -> None:
    assert counted(number, noun) == expected


@pytest.mark.parametrize(
    "environment",
    [
        {"http_proxy": "http://p:1"},
        {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "bank.example"},
        {"grpc_proxy": "http://p:1", "no_proxy": "bank.example", "no_grpc_proxy": ""},
        {"ALL_PROXY": "http://p:1", "no_proxy": "bank.example", "NO_PROXY": "other.example"},
    ],
)
def test_no_proxy_gets_what_is_for_this_machine(environment: dict[str, str]) -> None:
    spared = loopback_spared(environment)
    assert {"no_proxy", "NO_PROXY"} <= set(spared)
    for name, value in spared.items():
        hosts = value.split(",")
        assert {"localhost", "127.0.0.1", "127.0.0.0/8", "::1"} <= set(hosts)
        assert set(filter(None, [environment.get(name)])) <= set(hosts)
        assert "" not in hosts
    assert bool("bank.example" in spared["no_proxy"]) is ("bank.example" in environment.values())


def test_an_environment_without_proxies_and_one_that_uses_none_stay() -> None:
    assert loopback_spared({"no_proxy": "bank.example", "http_proxy": ""}) == {}
    assert loopback_spared({"http_proxy": "http://p:1", "no_proxy": "*"}) == {
        "no_proxy": "*",
        "NO_PROXY": "*",
    }


_PRINTED = """
import json, sys
sys.path.insert(0, sys.argv.pop())
import cli.main
name = json.dumps("Zo\u00eb \U0001f600", ensure_ascii=False)
cli.main.app = lambda: print("\N{CHECK MARK} met \N{MIDDLE DOT} " + name)
cli.main.main()
"""


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", '+ met - "Zo\\u00eb \\ud83d\\ude00"'),
        ("latin-1", '+ met · "Zoë \\ud83d\\ude00"'),
        ("utf-8", '✓ met · "Zoë 😀"'),
    ],
)
def test_output_fits_the_encoding_of_the_terminal(encoding: str, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PRINTED, str(Path(__file__).parents[2])],
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode(encoding).strip() == expected


@pytest.mark.parametrize(
    "command", [("--help",), ("image", "check", "--help"), ("analyze", "--help"), ("demo", "--help")]
)
def test_help_is_shown_in_any_encoding(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "facegate_app", *command, "--help"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()

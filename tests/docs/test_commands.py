"""The commands in the pages exist, with their options."""

import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from inspect import cleandoc
from pathlib import Path

import pytest
import typer
import typer.main
from typer._click.core import Command, Context
from typer._click.exceptions import BadOptionUsage, BadParameter, NoArgsIsHelpError, UsageError
from typer.core import TyperGroup

from cli.main import app
from tests.docs.commands import commands, program_of, simple_commands
from tests.docs.pages import REPOSITORY, CodeBlock, code_blocks, code_spans, pages

_NAMES = [str(page.relative_to(REPOSITORY)) for page in pages()]


@cache
def _facegate() -> TyperGroup:
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    return command


def _parse(arguments: list[str]) -> None:
    """Parses as ``facegate`` does, without running a command.

    Raises:
        UsageError: The command or option does not exist, or a value is invalid.
    """
    command: Command = _facegate()
    context: Context | None = None
    name, rest = "facegate", arguments
    while True:
        with command.make_context(name, list(rest), parent=context) as context:
            if not isinstance(command, TyperGroup):
                return
            chosen, found, rest = command.resolve_command(context, _left(context))
            assert found is not None
            assert chosen is not None
            command, name = found, chosen


def _left(context: Context) -> list[str]:
    return [*context._protected_args, *context.args]


def _shown(page: Path) -> Iterator[tuple[CodeBlock, str, list[str]]]:
    for block in code_blocks(page):
        for words in commands(block):
            yield block, *program_of(words)


def _problem(arguments: list[str], *, whole: bool) -> str | None:
    """The error of ``facegate``; ``whole`` is false if values may be missing, as in running text."""
    try:
        _parse(arguments)
    except NoArgsIsHelpError:
        return None if not whole else "arguments are missing"
    except (BadParameter, BadOptionUsage) as error:
        return error.format_message() if whole else None
    except UsageError as error:
        return error.format_message()
    except typer.Exit:
        return None
    return None


@pytest.mark.parametrize("name", _NAMES)
def test_commands_in_blocks_are_right(name: str) -> None:
    problems = [
        f"line {block.line}: facegate {' '.join(arguments)}: {problem}"
        for block, program, arguments in _shown(REPOSITORY / name)
        if program == "facegate" and (problem := _problem(arguments, whole=True))
    ]
    assert problems == []


def _examples(command: Command) -> Iterator[str]:
    """The commands that a help shows: paragraphs, which may be wrapped."""
    for paragraph in re.split(r"\n\s*\n", cleandoc(command.help or "")):
        text = " ".join(paragraph.split()).removeprefix("Examples: ")
        if text.startswith("facegate "):
            yield text


@cache
def _leaves() -> dict[str, Command]:
    found: dict[str, Command] = {}
    waiting: list[tuple[str, Command]] = [("facegate", _facegate())]
    while waiting:
        name, command = waiting.pop()
        if isinstance(command, TyperGroup):
            waiting += [(f"{name} {word}", sub) for word, sub in command.commands.items()]
        else:
            found[name] = command
    return found


@pytest.mark.parametrize("name", sorted(_leaves()))
def test_the_examples_of_a_help_are_right(name: str) -> None:
    problems = [
        f"{example}: {problem}"
        for example in _examples(_leaves()[name])
        for words in simple_commands(example)
        if program_of(words)[0] == "facegate"
        and (problem := _problem(program_of(words)[1], whole=True)) is not None
    ]
    assert problems == []


def test_examples_of_helps_are_found() -> None:
    assert sum(len(list(_examples(command))) for command in _leaves().values()) > 60


@pytest.mark.parametrize("name", [name for name in sorted(_leaves()) if name.startswith("facegate checks ")])
def test_a_help_of_checks_shows_how_to_reach_a_server(name: str) -> None:
    assert any(
        all(option in example for option in ("--service", "--ca", "--api-key-file"))
        for example in _examples(_leaves()[name])
    )


@pytest.mark.parametrize("name", _NAMES)
def test_commands_in_the_text_exist(name: str) -> None:
    problems = [
        f"{span}: {problem}"
        for span in code_spans(REPOSITORY / name)
        if span.startswith("facegate ")
        for _, arguments in (program_of(next(simple_commands(span))),)
        if (problem := _problem(arguments, whole=False))
    ]
    assert problems == []


@pytest.mark.parametrize("name", _NAMES)
def test_targets_of_make_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    page = REPOSITORY / name
    shown = [arguments for _, program, arguments in _shown(page) if program == "make"]
    shown += [span.split()[1:] for span in code_spans(page) if re.match(r"make [a-z]", span)]
    named = {word for arguments in shown for word in arguments[:1] if re.fullmatch(r"[a-z-]+", word)}
    assert named <= targets


@pytest.mark.parametrize("name", _NAMES)
def test_modules_that_are_run_exist(name: str) -> None:
    page = REPOSITORY / name
    shown = [arguments for _, program, arguments in _shown(page) if program.startswith("python")]
    shown += [span.split()[1:] for span in code_spans(page) if re.match(r"python3? -m ", span)]
    modules = [
        arguments[1]
        for arguments in shown
        if arguments[:1] == ["-m"] and re.fullmatch(r"[\w.]+", arguments[1])
    ]
    assert [module for module in modules if find_spec(module) is None] == []


def test_commands_are_found() -> None:
    found = [arguments for page in pages() for _, program, arguments in _shown(page) if program == "facegate"]
    assert len(found) > 40


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["serve", "--config", "facegate.toml"], None),
        (["serve", "--confg", "facegate.toml"], "No such option: --confg"),
        (["swerve"], "No such command 'swerve'"),
        (["keys", "rotate"], "Missing argument"),
        (["keys", "rotate", "password"], "Invalid value"),
    ],
)
def test_invalid_commands_are_found(arguments: list[str], problem: str | None) -> None:
    found = _problem(arguments, whole=True)
    assert found is None if problem is None else found is not None and problem in found


def test_commands_are_taken_out_of_a_block() -> None:
    text = (
        "$ A=1 .venv/bin/facegate models \\\n    pull open  # a comment\noutput\n"
        "$ facegate keys new-api-key a --expires-days 180 2>key >>entries | tee entry && make demo\n"
    )
    block = CodeBlock(page=REPOSITORY / "README.md", line=1, language="console", text=text)
    assert [program_of(words) for words in commands(block)] == [
        ("facegate", ["models", "pull", "open"]),
        ("facegate", ["keys", "new-api-key", "a", "--expires-days", "180"]),
        ("tee", ["entry"]),
        ("make", ["demo"]),
    ]

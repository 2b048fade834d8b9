"""The commands, names and links of the pages exist."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from configparser import RawConfigParser
from functools import cache
from importlib.util import find_spec
from inspect import cleandoc
from pathlib import Path
from pkgutil import resolve_name
from urllib.parse import unquote

import pytest
import typer
import typer.main
from facegate.v1 import feedback_pb2, result_pb2, scan_pb2
from google.protobuf.descriptor import EnumDescriptor
from typer._click.core import Command, Context
from typer._click.exceptions import BadOptionUsage, BadParameter, NoArgsIsHelpError, UsageError
from typer.core import TyperGroup
from typer.testing import CliRunner

from cli.main import app
from docs.make_audit import PAGE as AUDIT
from docs.make_audit import audit_page
from docs.make_reference import REFERENCE, policies_page, reference_fields, settings_page
from docs.make_texts import documented_values, made_files
from docs.make_timers import PAGE as TIMERS
from docs.make_timers import timers_page
from facegate_protocol.texts import REFUSALS, ScanEffect
from server.access.api_keys import load_api_keys
from server.configuration.settings import Settings
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder
from server.policies import Policy
from server.scan.endings import TAMPERING
from server.storage.tables import metadata
from tests.docs.pages import (
    REPOSITORY,
    CodeBlock,
    anchors,
    code_blocks,
    code_spans,
    commands,
    links,
    pages,
    program_of,
    prose,
    simple_commands,
)

# The commands in the pages exist, with their options.

_NAMES = [str(page.relative_to(REPOSITORY)) for page in pages()]


@cache
def _facegate() -> TyperGroup:
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    return command


def _parse(arguments: list[str]) -> None:
    """Parse as ``facegate`` does, without running a command.

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


_OTHER_TEXTS = (
    "*.py",
    "*.toml",
    "*.json",
    "*.yaml",
    "*.tpl",
    "*.txt",
    "*.sh",
    "*.ts",
    "*.kt",
    "*.proto",
    "*.cfg",
    "*.conf",
)
_NAMED_COMMAND = re.compile(r"(?:`|\$ |with: )(facegate [a-z][^`\n\"]*)")


def _shipped_texts() -> Iterator[tuple[str, str]]:
    """The commands that files other than pages name, and where."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *_OTHER_TEXTS],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.rstrip("\0").split("\0"):
        if name.startswith("tests/"):
            continue
        # Lines of a source that are one text.
        text = re.sub(r'"\n\s*f?"', "", (REPOSITORY / name).read_text(encoding="utf-8"))
        yield from ((name, command) for command in _NAMED_COMMAND.findall(text))


def test_commands_in_other_texts_exist() -> None:
    named = [*_shipped_texts()]
    assert len(named) > 150
    problems = [
        f"{name}: {command}: {problem}"
        for name, command in named
        for _, arguments in (program_of(next(simple_commands(command))),)
        if (problem := _problem(arguments, whole=False))
    ]
    assert problems == []


def test_curl_takes_no_proxy_to_this_machine() -> None:
    # It would hand keys and links to the proxy of the environment, which could answer in the server's place.
    texts = [path.read_text() for path in (*pages(), REPOSITORY / "cli" / "result.py")]
    called = [part for text in texts for part in re.findall(r"curl [^`$#]*//(?:127|localhost)[^`$#]*", text)]
    assert len(called) > 4
    assert [part for part in called if "--noproxy '*'" not in part] == []


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


# Every dotted name of the project's own code that a docstring or a comment mentions exists.

_ROOTS = {
    **{
        room: REPOSITORY / room
        for room in (
            "attempt",
            "cli",
            "device_integrity",
            "formats",
            "lab",
            "liveness",
            "matcher",
            "server",
            "vision",
        )
    },
    "facegate_client": REPOSITORY / "clients/python/facegate_client",
    "facegate_protocol": REPOSITORY / "protos" / "facegate_protocol",
}
_NAME = re.compile(rf"`((?:{'|'.join(_ROOTS)})(?:\.\w+)+)`")
_SETTINGS = (REPOSITORY / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")


def _exists(name: str) -> bool:
    """Return whether a dotted name is that of a module, or of something in its module."""
    room, *parts = name.split(".")
    place = _ROOTS[room]
    while parts and ((place / parts[0]).is_dir() or (place / f"{parts[0]}.py").is_file()):
        place = place / parts.pop(0)
    module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    code = module.read_text(encoding="utf-8")
    return not parts or re.search(rf"\b{parts[0]}\b", code) is not None


def test_the_dotted_names_in_the_code_exist() -> None:
    missing = [
        f"{file.relative_to(REPOSITORY)}: {name}"
        for root in _ROOTS.values()
        for file in sorted(root.rglob("*.py"))
        for name in _NAME.findall(file.read_text(encoding="utf-8"))
        if not _exists(name) and f"[{name.rpartition('.')[0]}]" not in _SETTINGS
    ]
    assert missing == []


# Every relative link of the pages has a target.


def _broken(page: Path) -> list[str]:
    found = []
    for link in links(page):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.is_relative_to(REPOSITORY) or not target.exists():
            found.append(f"{link}: no such file")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            found.append(f"{link}: no such heading")
    return found


@pytest.mark.parametrize("name", _NAMES)
def test_links_resolve(name: str) -> None:
    assert _broken(REPOSITORY / name) == []


_PAGE_NAME = re.compile(r"(?<![\w/])docs/(?:\w+/)*\w+\.md(?:#[\w-]+)?")


def test_the_pages_that_code_sends_readers_to_exist() -> None:
    files = [file for root in _ROOTS.values() for file in root.rglob("*.py")]
    for pattern in (
        "protos/**/*.proto",
        "vision/**/*.toml",
        "deploy/**/*.toml",
        "helm/**/*.yaml",
        "web/*/README.md",
    ):
        files += REPOSITORY.glob(pattern)
    named = {name for file in files for name in _PAGE_NAME.findall(file.read_text(encoding="utf-8"))}
    assert len(named) > 20
    assert [name for name in sorted(named) if not _is_there(name)] == []


def _is_there(name: str) -> bool:
    page, _, anchor = name.partition("#")
    return (REPOSITORY / page).is_file() and (not anchor or anchor in anchors(REPOSITORY / page))


def test_links_are_found() -> None:
    assert sum(len(links(page)) for page in pages()) > 150


def test_anchors_are_those_of_the_host(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# `[a.b]` and *c*: D\n\n```sh\n# no heading\n```\n\n## Same\n\n## Same\n")
    assert anchors(page) == {"ab-and-c-d", "same", "same-1"}


def test_every_page_is_on_the_map() -> None:
    docs = REPOSITORY / "docs"
    linked = {(docs / link.partition("#")[0]).resolve() for link in links(docs / "README.md")}
    listed = {*docs.glob("*.md"), *docs.glob("reference/*.md")}
    assert listed - linked == {docs / "README.md"}
    assert (docs / "adr" / "README.md") in linked


def _files_named(page: str) -> set[str]:
    return {
        path
        for span in code_spans(REPOSITORY / page)
        for path in re.findall(r"(?:^|(?<= ))(?:[\w-]+/)*[\w.-]+\.\w+", span.partition("::")[0])
    }


def test_the_files_that_contributors_are_sent_to_exist() -> None:
    named = {path for path in _files_named("CONTRIBUTING.md") if "/" in path}
    assert len(named) > 40
    assert [path for path in sorted(named) if not (REPOSITORY / path).is_file()] == []


def test_the_tests_of_attacks_exist() -> None:
    named = {path for path in _files_named("docs/threat_model.md") if path.endswith(".py")}
    assert len(named) > 40
    for path in named:
        assert any((folder / path).is_file() for folder in (REPOSITORY, REPOSITORY / "tests" / "server")), (
            path
        )


def test_the_pages_name_no_path_of_a_machine() -> None:
    assert [name for name in _NAMES if "/work/" in prose(REPOSITORY / name)] == []


# The operator's guide: its settings are valid, and its commands for a server's data run in its order.

_PAGE = REPOSITORY / "docs" / "operating.md"
_RUN = {("config", "show"), ("policy", "show"), ("db", "upgrade"), ("db", "forget-devices")}
_RUN |= {("keys", "new-api-key"), ("keys", "rotate"), ("keys", "retire")}
"""Commands that need no server, no network and no models."""

_GRADLE = REPOSITORY / "clients" / "kotlin" / "sample" / "app"
_TOML = [block for page in pages() for block in code_blocks(page) if block.language == "toml"]


@pytest.mark.parametrize("block", _TOML, ids=lambda block: f"{block.page.name}, line {block.line}")
def test_settings_and_policies_of_pages_are_valid(block: CodeBlock) -> None:
    shown = tomllib.loads(block.text.replace("0123...", 64 * "0"))
    if shown.keys() <= Settings.model_fields.keys():
        Settings(**shown)
    else:
        least = {"name": "example", "version": 1, "description": "An example.", "mode": "EXPRESS"}
        Policy.model_validate(least | {"match": {"max_fmr": 1e-4}} | shown)


@pytest.mark.parametrize(
    "block",
    [block for block in code_blocks(REPOSITORY / "clients/kotlin/README.md") if block.language == "kotlin"],
    ids=lambda block: f"line {block.line}",
)
def test_the_kotlin_of_the_readme_is_code_that_is_compiled(block: CodeBlock) -> None:
    """``make sdk`` compiles and tests it, except what is for Gradle."""
    sources = [*(REPOSITORY / "clients/kotlin").glob("*/src/test/**/*.kt"), *_GRADLE.glob("*.kts")]
    assert any(_flat(block.text) in _flat(path.read_text(encoding="utf-8")) for path in sources)


def _flat(code: str) -> str:
    return "".join(line.lstrip() for line in code.splitlines(keepends=True))


def test_the_unit_runs_the_server_and_leaves_it_time_to_stop() -> None:
    folder = REPOSITORY / "deploy" / "systemd"
    settings = Settings(**tomllib.loads((folder / "facegate.toml").read_text()))
    unit = RawConfigParser()
    unit.read(folder / "facegate.service")
    program, arguments = program_of(unit["Service"]["ExecStart"].split())
    assert program == "facegate"
    assert _problem(arguments, whole=True) is None
    assert int(unit["Service"]["TimeoutStopSec"]) > settings.drain_seconds


def test_its_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path))
    # As the first start of a server leaves them.
    KeyFolder(KeyFiles(tmp_path / "keys"))
    ran = set()
    for block in code_blocks(_PAGE):
        for program, arguments in map(program_of, commands(block)):
            if program == "facegate" and tuple(arguments[:2]) in _RUN:
                here = [word.replace("/etc/facegate", str(tmp_path)) for word in arguments]
                done = CliRunner().invoke(app, here)
                # Of the person in the page, this deployment has nothing.
                expected = 1 if arguments[1] == "forget-devices" else 0
                assert done.exit_code == expected, (arguments, done.output)
                ran.add(tuple(arguments[:2]))
    assert ran == _RUN
    # The file that the page's command made is one that the server accepts.
    (key,) = load_api_keys(tmp_path / "api_keys.toml").keys
    assert key.caller.name == "onboarding-backend"


# What ``docs.make_texts`` writes matches the texts, the contract and the server.

_ROOMS = ("attempt", "formats", "server", "matcher", "vision")
_OF_ANALYSES = {"code"}
"""In the metadata of every error of AnalysisService."""


def _sources() -> Iterator[str]:
    for room in _ROOMS:
        for path in (REPOSITORY / room).rglob("*.py"):
            yield path.read_text()


def _refusals() -> Iterator[tuple[str, set[str]]]:
    """Reason and literal keys of the details of every refusal in the server's code."""
    for source in _sources():
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id == "invalid_field":
                yield "INVALID_FIELD", {"field", *(word.arg for word in node.keywords if word.arg)}
                continue
            if node.func.id not in {"Refusal", "AnalysisRefused"} or not isinstance(
                node.args[0], ast.Attribute
            ):
                continue
            details = next((word.value for word in node.keywords if word.arg == "details"), None)
            keys = details.keys if isinstance(details, ast.Dict) else []
            yield node.args[0].attr, {str(key.value) for key in keys if isinstance(key, ast.Constant)}


def test_the_files_are_up_to_date() -> None:
    stale = [path.name for path, content in made_files().items() if path.read_text("utf-8") != content]
    assert stale == [], "run: make reference"


@pytest.mark.parametrize(
    ("file", "prefix", "enum"),
    [
        ("result.proto", "FAILURE_REASON_", result_pb2.FailureReason.DESCRIPTOR),
        ("result.proto", "OUTCOME_", result_pb2.AttemptSummary.Outcome.DESCRIPTOR),
        ("result.proto", "OUTCOME_", result_pb2.DeviceCheck.Outcome.DESCRIPTOR),
        ("feedback.proto", "FEEDBACK_CODE_", feedback_pb2.FeedbackCode.DESCRIPTOR),
        ("scan.proto", "SCAN_STATUS_", scan_pb2.ScanStatus.DESCRIPTOR),
    ],
)
def test_no_value_is_left_out(file: str, prefix: str, enum: EnumDescriptor) -> None:
    name = enum.full_name.removeprefix("facegate.v1.")
    listed = [prefix + value.name for value in documented_values(file, name)]
    assert listed == [value.name for value in enum.values if value.number]


def test_every_key_of_a_refusal_is_documented() -> None:
    found = list(_refusals())
    assert len(found) > 80
    for reason, keys in found:
        assert keys - _OF_ANALYSES <= set(REFUSALS[reason].metadata), reason


def test_every_documented_key_is_in_the_code() -> None:
    words = {word for source in _sources() for word in re.findall(r"\w+", source)}
    for reason, advice in REFUSALS.items():
        for key in advice.metadata:
            snake = re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", key)
            assert {key, snake} & words, (reason, key)


def test_the_server_decides_against_a_check_for_the_same_reasons() -> None:
    decided = {reason for reason, advice in REFUSALS.items() if advice.scan is ScanEffect.DECIDED}
    assert decided == {reason.value for reason in TAMPERING}


# The reference pages match the schemas and the code.


@pytest.mark.parametrize(
    ("page", "made"),
    [
        (REFERENCE / "settings.md", settings_page),
        (REFERENCE / "policies.md", policies_page),
        (AUDIT, audit_page),
        (TIMERS, timers_page),
    ],
    ids=["settings", "policies", "audit", "timers"],
)
def test_a_reference_page_is_up_to_date(page: Path, made: Callable[[], str]) -> None:
    assert page.read_text() == made(), "run: make reference"


@pytest.mark.parametrize("model", [Settings, Policy])
def test_every_field_has_a_description(model: type[Settings] | type[Policy]) -> None:
    assert [field for field in reference_fields(model) if not field.description] == []


# docs/architecture.md names existing functions.


_ARCHITECTURE = REPOSITORY / "docs" / "architecture.md"
_ROOMS_OF_FRAMES = ("attempt", "device_integrity", "formats", "liveness", "matcher", "server", "vision")
_NAME_ON_PAGE = re.compile(rf"(?<![\w.])(?:{'|'.join(_ROOMS_OF_FRAMES)})(?:\.\w+)+")
_ARCHITECTURE_TEXT = _ARCHITECTURE.read_text(encoding="utf-8")
_NAMED = sorted(set(_NAME_ON_PAGE.findall(_ARCHITECTURE_TEXT)))


@pytest.mark.parametrize("name", _NAMED)
def test_every_name_on_the_page_exists(name: str) -> None:
    assert resolve_name(name)


def test_the_page_names_the_functions_on_the_path_of_a_frame() -> None:
    assert len(_NAMED) > 30


# docs/evidence.md has every datum.


_EVIDENCE = REPOSITORY / "docs" / "evidence.md"


def _rows(heading: str) -> list[list[str]]:
    section = _EVIDENCE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_table_of_the_database_is_in_the_table_of_data() -> None:
    named = set(re.findall(r"`([a-z_]+)`", " ".join(cell for row in _rows("Personal data") for cell in row)))
    assert set(metadata.tables) - named == set()

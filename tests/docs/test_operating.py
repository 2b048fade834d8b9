"""The operator's guide: its settings are valid, and its commands for a server's data run in its order."""

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from server.access.api_keys import load_api_keys
from server.configuration.settings import Settings
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder
from tests.docs.commands import commands, program_of
from tests.docs.pages import REPOSITORY, CodeBlock, code_blocks

_PAGE = REPOSITORY / "docs" / "operating.md"
_RUN = {("config", "show"), ("policy", "show"), ("db", "upgrade"), ("db", "forget-devices")}
_RUN |= {("keys", "new-api-key"), ("keys", "rotate"), ("keys", "retire")}
"""Commands that need no server, no network and no models."""

_TOML = [block for block in code_blocks(_PAGE) if block.language == "toml"]


@pytest.mark.parametrize("block", _TOML, ids=lambda block: f"line {block.line}")
def test_its_settings_are_valid(block: CodeBlock) -> None:
    Settings(**tomllib.loads(block.text))


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

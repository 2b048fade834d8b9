"""``facegate keys``."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.keys import app
from server.api_keys import load_api_keys
from server.callers import Role, Scope
from server.sandbox import LONGEST_TENANT

runner = CliRunner()


def test_a_new_api_key_works_with_the_entry_that_is_printed(tmp_path: Path) -> None:
    result = runner.invoke(app, ["new-api-key", "backend", "--tenant", "bank", "--role", "compliance"])
    assert result.exit_code == 0
    key = next(line for line in result.stderr.splitlines() if "shown only once" in line).rpartition(" ")[2]
    file = tmp_path / "api_keys.toml"
    file.touch(0o600)
    file.write_text(result.stdout)
    entry = load_api_keys(file).find(key)
    assert entry is not None
    caller = entry.caller
    assert (caller.name, caller.tenant, caller.roles) == ("backend", "bank", frozenset({Role.COMPLIANCE}))
    assert entry.expires is None
    assert key not in result.stdout


def test_a_sandbox_key_is_marked_in_its_entry(tmp_path: Path) -> None:
    result = runner.invoke(app, ["new-api-key", "tests", "--sandbox"])
    assert result.exit_code == 0
    file = tmp_path / "api_keys.toml"
    file.touch(0o600)
    file.write_text(result.stdout)
    (entry,) = load_api_keys(file).keys
    assert entry.caller.sandbox


def test_a_key_may_expire_and_be_narrowed(tmp_path: Path) -> None:
    words = ["--expires-days", "7", "--scope", "checks.read", "--scope", "analysis"]
    result = runner.invoke(app, ["new-api-key", "board", *words])
    assert result.exit_code == 0
    file = tmp_path / "api_keys.toml"
    file.touch(0o600)
    file.write_text(result.stdout)
    (entry,) = load_api_keys(file).keys
    assert entry.caller.scopes == {Scope.READ_CHECKS, Scope.ANALYZE}
    assert entry.expires is not None
    assert timedelta(days=6.9) < entry.expires - datetime.now(UTC) <= timedelta(days=7)


@pytest.mark.parametrize("words", [["--role", "compliance"], ["--tenant", "t" * (LONGEST_TENANT + 1)]])
def test_an_entry_that_no_server_takes_is_not_made(words: list[str]) -> None:
    result = runner.invoke(app, ["new-api-key", "tests", "--sandbox", *words])
    assert result.exit_code == 2
    assert "sha256" not in result.stdout


def test_rotation_adds_the_next_key(tmp_path: Path) -> None:
    config = tmp_path / "facegate.toml"
    config.write_text(f'data_dir = "{tmp_path}/data"\n')
    for number in (1, 2):
        result = runner.invoke(app, ["rotate", "result", "--config", str(config)])
        assert result.exit_code == 0
        assert (tmp_path / f"data/keys/result-{number:04d}.pem").is_file()


def test_rotation_says_what_is_wrong_with_the_settings(tmp_path: Path) -> None:
    config = tmp_path / "facegate.toml"
    config.write_text("nonsense = 1\n")
    result = runner.invoke(app, ["rotate", "token", "--config", str(config)])
    assert result.exit_code == 2
    assert "nonsense" in result.stderr


def test_a_retired_key_leaves_its_public_half(tmp_path: Path) -> None:
    config = tmp_path / "facegate.toml"
    config.write_text(f'data_dir = "{tmp_path}/data"\n')
    for _ in range(2):
        assert runner.invoke(app, ["rotate", "result", "--config", str(config)]).exit_code == 0
    assert runner.invoke(app, ["retire", "2", "--config", str(config)]).exit_code == 2
    assert runner.invoke(app, ["retire", "1", "--config", str(config)]).exit_code == 0
    keys = sorted(path.name for path in (tmp_path / "data/keys").iterdir())
    assert keys == ["result-0001.pub", "result-0002.pem"]

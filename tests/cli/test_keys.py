"""``facegate keys``."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.keys import app
from server.api_keys import Role, load_api_keys
from server.sandbox import LONGEST_TENANT

runner = CliRunner()


def test_a_new_api_key_works_with_the_entry_that_is_printed(tmp_path: Path) -> None:
    result = runner.invoke(app, ["new-api-key", "backend", "--tenant", "bank", "--role", "compliance"])
    assert result.exit_code == 0
    key = next(line for line in result.stderr.splitlines() if "shown only now" in line).rpartition(" ")[2]
    file = tmp_path / "api_keys.toml"
    file.write_text(result.stdout)
    file.chmod(0o600)
    entry = load_api_keys(file).find(key)
    assert entry is not None
    assert (entry.name, entry.tenant, entry.role) == ("backend", "bank", Role.COMPLIANCE)
    assert key not in result.stdout


def test_a_sandbox_key_is_marked_in_its_entry(tmp_path: Path) -> None:
    result = runner.invoke(app, ["new-api-key", "tests", "--sandbox"])
    assert result.exit_code == 0
    file = tmp_path / "api_keys.toml"
    file.write_text(result.stdout)
    ((_, entry),) = load_api_keys(file).entries
    assert entry.sandbox


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

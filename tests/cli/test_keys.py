"""``facegate keys``."""

import asyncio
import base64
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.connection import read_api_key
from cli.main import app
from server.access.api_keys import load_api_keys
from server.access.callers import Role, Scope
from server.base.sandbox import LONGEST_TENANT
from server.keyring.key_encryption import is_encrypted
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder
from server.running.webhooks import read_webhook_secret
from tests.server.databases import make_tables

runner = CliRunner()


def test_a_new_api_key_works_with_the_entry_that_is_printed(tmp_path: Path) -> None:
    result = runner.invoke(
        app, ["keys", "new-api-key", "backend", "--tenant", "bank", "--role", "compliance_reader"]
    )
    assert result.exit_code == 0
    key = next(line for line in result.stderr.splitlines() if "shown only once" in line).rpartition(" ")[2]
    file = tmp_path / "api_keys.toml"
    file.touch(0o600)
    file.write_text(result.stdout)
    entry = load_api_keys(file).find(key)
    assert entry is not None
    caller = entry.caller
    assert (caller.name, caller.tenant, caller.roles) == (
        "backend",
        "bank",
        frozenset({Role.COMPLIANCE_READER}),
    )
    assert entry.expires is None
    assert key not in result.stdout


def test_an_entry_is_added_to_a_file_that_the_server_reads(tmp_path: Path) -> None:
    """Whatever the umask: a file that `>>` makes can be read by others, and is refused."""
    file = tmp_path / "api_keys.toml"
    before = os.umask(0)
    try:
        results = [
            runner.invoke(app, ["keys", "new-api-key", name, "--file", str(file)]) for name in ("one", "two")
        ]
    finally:
        os.umask(before)
    assert [result.exit_code for result in results] == [0, 0]
    assert [result.stdout for result in results] == ["", ""]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    keys = load_api_keys(file)
    assert [key.caller.name for key in keys.keys] == ["one", "two"]
    shown = [result.stderr.splitlines()[0].rpartition(" ")[2] for result in results]
    assert all(keys.find(key) is not None for key in shown)


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        ("key = []\n", 0o600, "not TOML"),
        ("nonsense = 1\n", 0o600, "nonsense"),
        ("", 0o644, "chmod 600"),
    ],
)
def test_a_file_that_the_server_would_refuse_stays_as_it_is(
    tmp_path: Path, content: str, mode: int, told: str
) -> None:
    file = tmp_path / "api_keys.toml"
    file.write_text(content)
    file.chmod(mode)
    result = runner.invoke(app, ["keys", "new-api-key", "one", "--file", str(file)])
    assert result.exit_code == 2
    assert told in result.stderr
    # No key is shown that has no entry.
    assert "fg1_" not in result.output
    assert file.read_text() == content


def test_a_second_key_of_a_name_is_added_by_hand_alone(tmp_path: Path) -> None:
    """So that a caller's key is replaced with an overlap knowingly, never by a name that was taken."""
    file, own = tmp_path / "api_keys.toml", tmp_path / "next-key.txt"
    words = ["keys", "new-api-key", "backend", "--out", str(own)]
    assert runner.invoke(app, ["keys", "new-api-key", "backend", "--file", str(file)]).exit_code == 0
    content = file.read_text()
    result = runner.invoke(app, [*words, "--file", str(file)])
    assert result.exit_code == 2
    assert "has an entry of the name backend" in result.stderr
    assert file.read_text() == content
    assert not own.exists()
    # As `>>` of the example does.
    file.write_text(content + runner.invoke(app, words).stdout)
    assert [key.caller.name for key in load_api_keys(file).keys] == ["backend", "backend"]


def test_a_key_goes_into_a_private_file_alone(tmp_path: Path) -> None:
    entries, own = tmp_path / "api_keys.toml", tmp_path / "api-key.txt"
    words = ["keys", "new-api-key", "one", "--file", str(entries), "--out", str(own)]
    before = os.umask(0)
    try:
        result = runner.invoke(app, words)
    finally:
        os.umask(before)
    assert result.exit_code == 0, result.output
    assert "fg1_" not in result.output
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    key = read_api_key(own)
    assert key is not None
    found = load_api_keys(entries).find(key.value)
    assert found is not None
    assert found.caller.name == "one"


def test_a_key_replaces_no_file_and_needs_its_entry(tmp_path: Path) -> None:
    entries, own = tmp_path / "api_keys.toml", tmp_path / "api-key.txt"
    words = ["keys", "new-api-key", "one", "--file", str(entries), "--out", str(own)]
    own.write_text("of another caller\n")
    result = runner.invoke(app, words)
    assert result.exit_code == 2
    assert "already exists" in result.stderr
    assert own.read_text() == "of another caller\n"
    assert not entries.exists()
    own.unlink()
    entries.write_text("nonsense = 1\n")
    entries.chmod(0o600)
    assert runner.invoke(app, words).exit_code == 2
    assert not own.exists()


def test_a_sandbox_key_is_marked_in_its_entry(tmp_path: Path) -> None:
    result = runner.invoke(app, ["keys", "new-api-key", "tests", "--sandbox"])
    assert result.exit_code == 0
    file = tmp_path / "api_keys.toml"
    file.touch(0o600)
    file.write_text(result.stdout)
    (entry,) = load_api_keys(file).keys
    assert entry.caller.sandbox


def test_a_key_may_expire_and_be_narrowed(tmp_path: Path) -> None:
    words = ["--expires-days", "7", "--scope", "checks.read", "--scope", "analysis"]
    result = runner.invoke(app, ["keys", "new-api-key", "board", *words])
    assert result.exit_code == 0
    file = tmp_path / "api_keys.toml"
    file.touch(0o600)
    file.write_text(result.stdout)
    (entry,) = load_api_keys(file).keys
    assert entry.caller.scopes == {Scope.READ_CHECKS, Scope.ANALYZE}
    assert entry.expires is not None
    assert timedelta(days=6.9) < entry.expires - datetime.now(UTC) <= timedelta(days=7)


@pytest.mark.parametrize("words", [["--role", "compliance_reader"], ["--tenant", "t" * (LONGEST_TENANT + 1)]])
def test_an_entry_that_no_server_takes_is_not_made(words: list[str]) -> None:
    result = runner.invoke(app, ["keys", "new-api-key", "tests", "--sandbox", *words])
    assert result.exit_code == 2
    assert "sha256" not in result.stdout


def test_rotation_adds_the_next_key(tmp_path: Path) -> None:
    config = tmp_path / "facegate.toml"
    config.write_text(f'data_dir = "{tmp_path}/data"\n')
    for number in (1, 2):
        result = runner.invoke(app, ["keys", "rotate", "result", "--config", str(config)])
        assert result.exit_code == 0
        assert (tmp_path / f"data/keys/result-{number:04d}.pem").is_file()
        assert "(`keys_read` in their log), and use it from their next start.\n" in result.stdout
    result = runner.invoke(app, ["keys", "rotate", "evidence", "--config", str(config)])
    assert "from their next start, or once the older one is retired" in result.stdout


def test_rotation_reports_invalid_settings(tmp_path: Path) -> None:
    config = tmp_path / "facegate.toml"
    config.write_text("nonsense = 1\n")
    result = runner.invoke(app, ["keys", "rotate", "token", "--config", str(config)])
    assert result.exit_code == 2
    assert "nonsense" in result.stderr


def test_a_retired_key_leaves_its_public_half(tmp_path: Path) -> None:
    config = tmp_path / "facegate.toml"
    config.write_text(f'data_dir = "{tmp_path}/data"\n')
    for _ in range(2):
        assert runner.invoke(app, ["keys", "rotate", "result", "--config", str(config)]).exit_code == 0
    assert runner.invoke(app, ["keys", "retire", "2", "--config", str(config)]).exit_code == 2
    assert runner.invoke(app, ["keys", "retire", "1", "--config", str(config)]).exit_code == 0
    keys = sorted(path.name for path in (tmp_path / "data/keys").iterdir())
    assert keys == ["result-0001.pub", "result-0002.pem"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings with a key-encryption key in a file and a tenant with keys of its own."""
    kek = tmp_path / "kek"
    kek.touch(0o600)
    kek.write_bytes(base64.b64encode(os.urandom(32)))
    path = tmp_path / "facegate.toml"
    path.touch(0o600)
    path.write_text(f"""
        data_dir = "{tmp_path / "data"}"
        [[keys.encryption]]
        kind = "file"
        path = "{kek}"
        [keys.tenants.bank]
    """)
    asyncio.run(make_tables(f"sqlite:///{tmp_path / 'data' / 'facegate.db'}"))
    return path


def run(*words: str, config: Path) -> Result:
    return runner.invoke(app, ["keys", *words, "--config", str(config)])


def test_an_evidence_key_is_replaced_in_four_steps(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "keys"
    KeyFolder(KeyFiles(folder))
    assert run("rotate", "evidence", config=config).exit_code == 0
    assert run("retire", "1", "--purpose", "evidence", config=config).exit_code == 0
    rewrapped = run("rewrap", config=config)
    assert (rewrapped.exit_code, rewrapped.stdout) == (0, "Rewrapped 0 data keys.\n")
    too_early = run("destroy", "1", config=config)
    assert too_early.exit_code == 2
    assert (folder / "evidence-0001.retired").exists()
    assert is_encrypted((folder / "evidence-0002.key").read_bytes())


def test_existing_files_are_encrypted(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "keys"
    KeyFolder(KeyFiles(folder))
    result = run("encrypt", config=config)
    assert result.exit_code == 0
    assert all(is_encrypted(path.read_bytes()) for path in folder.iterdir() if path.is_file())
    assert "Encrypted 0 key files" in run("encrypt", config=config).stdout


def test_nothing_is_encrypted_without_a_key(tmp_path: Path) -> None:
    path = tmp_path / "facegate.toml"
    path.touch(0o600)
    path.write_text(f'data_dir = "{tmp_path / "data"}"')
    result = run("encrypt", config=path)
    assert result.exit_code == 2
    assert "keys.encryption" in result.stderr


def test_a_tenants_keys_are_destroyed_after_a_question(config: Path, tmp_path: Path) -> None:
    own = tmp_path / "data" / "keys" / "tenants" / "bank" / "evidence-0001.key"
    assert run("rotate", "evidence", "--tenant", "bank", config=config).exit_code == 0
    asked = runner.invoke(app, ["keys", "destroy", "--tenant", "bank", "--config", str(config)], input="n\n")
    assert asked.exit_code == 1
    assert own.exists()
    assert run("destroy", "--tenant", "bank", "--yes", config=config).exit_code == 0
    assert not own.exists()
    assert run("destroy", config=config).exit_code == 2
    assert run("destroy", "--tenant", "shop", "--yes", config=config).exit_code == 2


def test_two_users_destroy_a_key_if_the_settings_demand_it(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(config.read_text() + '\n[compliance]\ntwo_people = ["destroy_key"]\n')
    own = tmp_path / "data" / "keys" / "tenants" / "bank" / "evidence-0001.key"
    assert run("rotate", "evidence", "--tenant", "bank", config=config).exit_code == 0
    for user, status in (("anna", 3), ("anna", 3), ("bert", 0)):
        assert own.exists()
        monkeypatch.setenv("LOGNAME", user)
        assert run("destroy", "--tenant", "bank", "--yes", config=config).exit_code == status
    assert not own.exists()


def test_a_new_webhook_secret_is_one_that_a_server_reads(tmp_path: Path) -> None:
    file = tmp_path / "hook.whsec"
    made = runner.invoke(app, ["keys", "new-webhook-secret", str(file)])
    assert made.exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    read_webhook_secret(file)
    secret = file.read_text()
    assert secret.strip() not in made.output
    again = runner.invoke(app, ["keys", "new-webhook-secret", str(file)])
    assert (again.exit_code, "already exists" in again.output) == (2, True)
    assert file.read_text() == secret

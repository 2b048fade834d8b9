import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.db import app
from server.audit import AuditEntry
from server.configuration.loading import load_settings
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder
from server.storage.audit_reader import AuditReader
from server.storage.database import open_database
from server.storage.devices import DeviceRepository
from server.storage.repository import CheckRepository
from tests.server.storage.samples import enrolled_key, new_check

_RUN = CliRunner()


def test_upgrade_may_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path))
    for _ in range(2):
        assert "at revision" in _RUN.invoke(app, ["upgrade"]).stdout


def _enrol(folder: Path, subject: str) -> None:
    url = load_settings(None).settings.database_url
    key_of = KeyFolder(KeyFiles(folder / "keys")).keys.memory

    async def enrol() -> None:
        database = open_database(url)
        check = await CheckRepository(database).create(new_check(), None)
        key = enrolled_key(
            check.check_id,
            key_id=subject.encode(),
            subject_hash=key_of.subject_hash("default", subject),
        )
        await DeviceRepository(database).enrol(key)
        await database.close()

    asyncio.run(enrol())


def test_only_the_devices_of_the_named_person_are_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path))
    assert _RUN.invoke(app, ["upgrade"]).exit_code == 0
    for subject in ("anna", "bert"):
        _enrol(tmp_path, subject)
    other_tenant = _RUN.invoke(app, ["forget-devices", "--subject", "anna", "--tenant", "branch"])
    assert (other_tenant.exit_code, "tenant branch" in other_tenant.stderr) == (1, True)
    first = _RUN.invoke(app, ["forget-devices", "--subject", "anna"])
    assert (first.exit_code, "Erased: 1 " in first.stdout) == (0, True)
    assert _RUN.invoke(app, ["forget-devices", "--subject", "anna"]).exit_code == 1
    words = ["forget-devices", "--subject", "bert", "--reason", "request 12"]
    assert "Erased: 1 " in _RUN.invoke(app, words).stdout
    entries = asyncio.run(_entries("default"))
    assert {entry.action for entry in entries} == {"devices.forgotten"}
    anna, again, bert = (entry.pseudonym for entry in entries)
    assert anna == again != bert
    assert (entries[-1].role, entries[-1].purpose) == ("shell", "request 12")
    assert len(asyncio.run(_entries("branch"))) == 1


async def _entries(tenant: str) -> tuple[AuditEntry, ...]:
    database = open_database(load_settings(None).settings.database_url)
    entries = await AuditReader(database).entries(tenant)
    await database.close()
    return entries


def test_nothing_is_forgotten_without_an_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path))
    assert _RUN.invoke(app, ["upgrade"]).exit_code == 0
    _enrol(tmp_path, "anna")
    (tmp_path / "keys").rename(tmp_path / "elsewhere")
    no_keys = _RUN.invoke(app, ["forget-devices", "--subject", "anna"])
    assert (no_keys.exit_code, "key folder" in no_keys.stderr) == (2, True)
    (tmp_path / "elsewhere").rename(tmp_path / "keys")
    long = _RUN.invoke(app, ["forget-devices", "--subject", "anna", "--reason", "x" * 257])
    assert (long.exit_code, "purpose" in long.stderr) == (2, True)
    assert "Erased: 1 " in _RUN.invoke(app, ["forget-devices", "--subject", "anna"]).stdout


def test_a_database_of_another_revision_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path))
    answer = _RUN.invoke(app, ["forget-devices", "--subject", "anna"])
    assert answer.exit_code == 2
    assert "facegate db upgrade" in answer.stderr


def test_an_empty_subject_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_DATA_DIR", str(tmp_path))
    answer = _RUN.invoke(app, ["forget-devices", "--subject", ""])
    assert answer.exit_code == 2
    assert "--subject is empty" in answer.stderr


def test_a_database_that_cannot_be_reached_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_STORAGE__DATABASE_URL", "nosuch+driver://me:hunter2@host/db")
    for command in (["upgrade"], ["forget-devices", "--subject", "anna"]):
        answer = _RUN.invoke(app, command)
        assert answer.exit_code == 2
        assert "nosuch" in answer.stderr
        assert "hunter2" not in answer.output

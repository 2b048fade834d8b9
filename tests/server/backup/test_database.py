import json
import os
import sqlite3
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server.backup import (
    BackupDamaged,
    BackupError,
    TargetNotEmpty,
    dump_database,
    manifest_of,
    restore_database,
)
from server.storage.schema import needed_revision
from tests.server.backup.tables import DUMPED, all_rows, filled
from tests.server.databases import make_tables

_NOW = datetime(2031, 4, 1, 8, 0, tzinfo=UTC)


def silent(_table: str, _count: int) -> None:
    """Shows no progress."""


async def dumped(url: str, out: Path) -> Path:
    await dump_database(url, out, now=_NOW, progress=silent)
    return out


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(
    request: pytest.FixtureRequest,
    sqlite_url: str,
    postgres_url: str,
    other_postgres_url: str,
    tmp_path: Path,
) -> tuple[str, str]:
    """The URL of a database, and that of an empty one of the same kind."""
    if request.param == "sqlite":
        return sqlite_url, f"sqlite:///{tmp_path / 'new.db'}"
    return postgres_url, other_postgres_url


async def test_every_row_of_every_table_comes_back(urls: tuple[str, str], tmp_path: Path) -> None:
    old, new = urls
    await filled(old)
    out = tmp_path / "dump"
    summary = await dump_database(old, out, now=_NOW, progress=silent)
    assert summary.rows == dict.fromkeys([table.name for table in DUMPED], 3)
    restored = await restore_database(out, new, progress=silent)
    assert restored == summary
    assert restored.revision == needed_revision()
    assert await all_rows(new) == await all_rows(old)
    with pytest.raises(TargetNotEmpty):
        await restore_database(out, new, progress=silent)


async def test_a_copy_is_for_its_kind_of_database(sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    await filled(sqlite_url)
    out = await dumped(sqlite_url, tmp_path / "dump")
    with pytest.raises(BackupDamaged, match="restore it into a database of sqlite"):
        await restore_database(out, postgres_url, progress=silent)


async def test_no_program_of_postgresql_is_asked_that_is_older_than_the_server(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_tables(postgres_url)
    old = tmp_path / "bin" / "pg_dump"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    with pytest.raises(BackupError, match="pg_dump has version 9, the server has version"):
        await dumped(postgres_url, tmp_path / "dump")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="pg_dump is not installed"):
        await dumped(postgres_url, tmp_path / "dump")
    assert not (tmp_path / "dump").exists()


async def test_an_empty_database_is_dumped_and_restored(sqlite_url: str, tmp_path: Path) -> None:
    await make_tables(sqlite_url)
    out = await dumped(sqlite_url, tmp_path / "dump")
    summary = await restore_database(out, f"sqlite:///{tmp_path / 'new.db'}", progress=silent)
    assert set(summary.rows.values()) == {0}


async def test_only_the_owner_can_read_a_dump(sqlite_url: str, tmp_path: Path) -> None:
    await filled(sqlite_url)
    out = await dumped(sqlite_url, tmp_path / "dump")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert stat.S_IMODE(manifest_of(out).stat().st_mode) == 0o600
    assert not out.with_name("dump.part").exists()


async def test_a_dump_shows_one_moment(sqlite_url: str, tmp_path: Path) -> None:
    await filled(sqlite_url)
    before = await all_rows(sqlite_url)
    last = DUMPED[-1]

    def write_meanwhile(_table: str, _count: int) -> None:
        with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as other:
            other.execute(f"DELETE FROM {last.name}")  # noqa: S608 - a name of ours

    out = tmp_path / "dump"
    await dump_database(sqlite_url, out, now=_NOW, progress=write_meanwhile)
    assert (await all_rows(sqlite_url))[last.name] == []
    new = f"sqlite:///{tmp_path / 'new.db'}"
    await restore_database(out, new, progress=silent)
    assert await all_rows(new) == before


async def test_an_existing_file_is_not_overwritten(sqlite_url: str, tmp_path: Path) -> None:
    await filled(sqlite_url)
    out = tmp_path / "dump"
    out.write_bytes(b"yesterday")
    with pytest.raises(BackupError, match="exists already"):
        await dumped(sqlite_url, out)
    assert out.read_bytes() == b"yesterday"


async def test_a_database_with_rows_is_not_overwritten(sqlite_url: str, tmp_path: Path) -> None:
    await filled(sqlite_url)
    before = await all_rows(sqlite_url)
    out = await dumped(sqlite_url, tmp_path / "dump")
    with pytest.raises(TargetNotEmpty):
        await restore_database(out, sqlite_url, progress=silent)
    assert await all_rows(sqlite_url) == before


async def test_another_revision_is_named(sqlite_url: str, tmp_path: Path) -> None:
    await filled(sqlite_url)
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as other:
        other.execute("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(BackupError, match="facegate db upgrade"):
        await dumped(sqlite_url, tmp_path / "dump")


def _rows_of_another(manifest: dict[str, Any]) -> dict[str, Any]:
    return manifest | {"rows": manifest["rows"] | {"checks": 2}}


def _of_another_revision(manifest: dict[str, Any]) -> dict[str, Any]:
    return manifest | {"revision": "0000"}


def _of_another_format(manifest: dict[str, Any]) -> dict[str, Any]:
    return manifest | {"format": "x"}


def _without_hash(manifest: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in manifest.items() if name != "sha256"}


@pytest.mark.parametrize(
    "change", [_rows_of_another, _of_another_revision, _of_another_format, _without_hash]
)
async def test_a_manifest_that_does_not_fit_is_refused(
    change: Callable[[dict[str, Any]], dict[str, Any]], sqlite_url: str, tmp_path: Path
) -> None:
    await filled(sqlite_url)
    out = await dumped(sqlite_url, tmp_path / "dump")
    manifest = manifest_of(out)
    manifest.write_text(json.dumps(change(json.loads(manifest.read_text()))))
    new = f"sqlite:///{tmp_path / 'new.db'}"
    with pytest.raises(BackupDamaged):
        await restore_database(out, new, progress=silent)
    if (tmp_path / "new.db").exists():
        assert not any((await all_rows(new)).values())


async def test_cut_and_altered_bytes_are_refused(sqlite_url: str, tmp_path: Path) -> None:
    await filled(sqlite_url)
    out = await dumped(sqlite_url, tmp_path / "dump")
    whole = out.read_bytes()
    for changed in (b"", b"no dump", whole[:200], whole[:-1], whole[:300] + b"\x00\xff" + whole[302:]):
        out.write_bytes(changed)
        with pytest.raises(BackupDamaged):
            await restore_database(out, f"sqlite:///{tmp_path / 'new.db'}", progress=silent)
    assert not (tmp_path / "new.db").exists()
    with pytest.raises(BackupError, match="cannot be read"):
        await restore_database(tmp_path / "none", f"sqlite:///{tmp_path / 'new.db'}", progress=silent)

import gzip
import sqlite3
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server.backup import BackupDamaged, BackupError, TargetNotEmpty, dump_database, restore_database
from server.storage.schema import needed_revision
from tests.server.backup.tables import DUMPED, all_rows, filled
from tests.server.databases import make_tables

_NOW = datetime(2031, 4, 1, 8, 0, tzinfo=UTC)


def silent(_table: str, _count: int) -> None:
    """Shows no progress."""


async def dumped(url: str, out: Path) -> Path:
    await dump_database(url, out, now=_NOW, progress=silent)
    return out


@pytest.mark.parametrize("to_postgres", [True, False])
async def test_every_row_of_every_table_comes_back_in_either_database(
    to_postgres: bool, sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    old, new = (sqlite_url, postgres_url) if to_postgres else (postgres_url, sqlite_url)
    await filled(old)
    out = tmp_path / "dump.jsonl.gz"
    summary = await dump_database(old, out, now=_NOW, progress=silent)
    assert summary.rows == dict.fromkeys([table.name for table in DUMPED], 3)
    restored = await restore_database(out, new, progress=silent)
    assert restored == summary
    assert restored.revision == needed_revision()
    assert await all_rows(new) == await all_rows(old)


async def test_an_empty_database_is_dumped_and_restored(sqlite_url: str, tmp_path: Path) -> None:
    await make_tables(sqlite_url)
    out = await dumped(sqlite_url, tmp_path / "dump")
    summary = await restore_database(out, f"sqlite:///{tmp_path / 'new.db'}", progress=silent)
    assert set(summary.rows.values()) == {0}


async def test_only_the_owner_can_read_a_dump(sqlite_url: str, tmp_path: Path) -> None:
    await filled(sqlite_url)
    out = await dumped(sqlite_url, tmp_path / "dump")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
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


def _without_last_row(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-2], lines[-1]]


def _with_altered_row(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b"AAD/", b"AAD+", 1), *lines[2:]]


def _with_doubled_row(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1], *lines[1:]]


def _with_swapped_rows(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def _cut(lines: list[bytes]) -> list[bytes]:
    return lines[:-1]


def _of_another_revision(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(needed_revision().encode(), b"0000"), *lines[1:]]


def _of_an_unknown_table(lines: list[bytes]) -> list[bytes]:
    return [lines[0], b'["nothing"]\n', *lines[1:]]


@pytest.mark.parametrize(
    "change",
    [
        _without_last_row,
        _with_altered_row,
        _with_doubled_row,
        _with_swapped_rows,
        _cut,
        _of_another_revision,
        _of_an_unknown_table,
    ],
)
async def test_a_changed_dump_is_refused_before_anything_is_written(
    change: object, sqlite_url: str, tmp_path: Path
) -> None:
    assert callable(change)
    await filled(sqlite_url)
    out = await dumped(sqlite_url, tmp_path / "dump")
    lines = gzip.decompress(out.read_bytes()).splitlines(keepends=True)
    changed = change(lines)
    assert changed != lines
    out.write_bytes(gzip.compress(b"".join(changed)))
    new = tmp_path / "new.db"
    with pytest.raises(BackupDamaged):
        await restore_database(out, f"sqlite:///{new}", progress=silent)
    assert not new.exists()


async def test_cut_and_altered_bytes_are_refused(sqlite_url: str, tmp_path: Path) -> None:
    await filled(sqlite_url)
    whole = (await dumped(sqlite_url, tmp_path / "dump")).read_bytes()
    out = tmp_path / "other"
    for changed in (b"", b"no dump", whole[:200], whole[:-1], whole[:300] + b"\x00\xff" + whole[302:]):
        out.write_bytes(changed)
        with pytest.raises(BackupDamaged):
            await restore_database(out, f"sqlite:///{tmp_path / 'new.db'}", progress=silent)
    assert not (tmp_path / "new.db").exists()
    with pytest.raises(BackupError, match="cannot be read"):
        await restore_database(tmp_path / "none", f"sqlite:///{tmp_path / 'new.db'}", progress=silent)

"""A deployment is backed up in three parts, and restored."""

import base64
import json
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Uuid,
    insert,
    select,
)

from facegate_client import ApiKey, verify_archive
from server.audit import SERVER_TENANT, CheckpointKeys
from server.backup import (
    BackupDamaged,
    BackupError,
    CopySummary,
    TargetNotEmpty,
    copy_objects,
    dump_database,
    manifest_of,
    pack_keys,
    restore_database,
    unpack_keys,
)
from server.configuration.settings import Settings
from server.keyring.key_files import KeyFiles
from server.keyring.keys import read_audit_keys
from server.storage.audit_reader import AuditReader
from server.storage.database import open_database
from server.storage.objects import ObjectStore, open_object_store
from server.storage.schema import needed_revision
from server.storage.tables import Json, UtcTime, Word, Words, metadata, schema_floor
from tests.server.compliance.office import Office, open_office
from tests.server.databases import PostgresServer, make_tables
from tests.server.live import settings_for
from tests.server.private_files import private
from tests.server.storage.samples import object_exists


@pytest_asyncio.fixture
async def postgres_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """The URL of an empty database for one test."""
    url = await postgres.new_database()
    yield url
    await postgres.drop_database(url)


@pytest_asyncio.fixture
async def other_postgres_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """The URL of another empty database."""
    url = await postgres.new_database()
    yield url
    await postgres.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'checks.db'}"


# Rows in every table, whatever its columns, and all rows of a database to compare.

_START = datetime(2026, 5, 4, 12, 30, 15, 123456, tzinfo=UTC)


def as_stored(table: Table) -> Table:
    """Return the table without the types that convert words: what is stored, be it altered or not."""
    columns = (
        Column(
            column.name,
            column.type.impl if isinstance(column.type, Word | Words | Json) else column.type,
            primary_key=column.primary_key,
            nullable=column.nullable,
        )
        for column in table.columns
    )
    return Table(table.name, MetaData(), *columns)


DUMPED = [as_stored(table) for table in metadata.sorted_tables if table is not schema_floor]
"""The tables of a dump: the upgrade of the target makes the row of the other one."""


async def filled(url: str, rows: int = 3) -> None:
    """Make the tables of a database, and some rows in each; every second value that may be null is."""
    await make_tables(url)
    database = open_database(url)
    try:
        await database.write(_fill, rows)
    finally:
        await database.close()


async def all_rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of every table in the order of its primary key."""
    database = open_database(url)
    try:
        return await database.read(_rows)
    finally:
        await database.close()


def _fill(connection: Connection, rows: int) -> None:
    for table in DUMPED:
        connection.execute(
            insert(table),
            [{column.name: _value(column, number) for column in table.columns} for number in range(rows)],
        )


def _rows(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table.name: [
            tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))
        ]
        for table in DUMPED
    }


def _value(column: Column[Any], number: int) -> Any:
    """Return the value of a row. Rows of the same number refer to each other, because names do not count."""
    if column.nullable and number % 2:
        return None
    match column.type:
        case LargeBinary():
            return bytes([number, 0, 255]) * 11
        case UtcTime():
            return _START + timedelta(seconds=number)
        case Uuid():
            return UUID(int=number + 1)
        case Boolean():
            return number % 2 == 0
        case Integer():
            return number
        case String():
            return f"é\n{number}"
    raise AssertionError(f"no value for {column!r}")


_NOW = datetime(2031, 4, 1, 8, 0, tzinfo=UTC)


def silent(*_: object) -> None:
    """Show no progress."""


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
    assert {stat.S_IMODE(path.stat().st_mode) for path in (out, manifest_of(out))} == {0o600}
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


async def test_a_dump_after_a_killed_one_leaves_only_its_two_files(sqlite_url: str, tmp_path: Path) -> None:
    await filled(sqlite_url)
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / ".copy.0123456789abcdef").write_bytes(b"half a database")
    left = [one.name for one in folder.iterdir()]

    def look(name: str, _count: int) -> None:
        if name == "pages":
            left.extend(one.name for one in folder.iterdir())

    await dump_database(sqlite_url, folder / "copy", now=_NOW, progress=look)
    assert not any("-journal" in name for name in left)
    assert {one.name for one in folder.iterdir()} == {"copy", "copy.manifest.json"}


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


async def test_another_revision_is_named(sqlite_url: str, tmp_path: Path) -> None:
    await filled(sqlite_url)
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as other:
        other.execute("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(BackupError, match="facegate db upgrade"):
        await dumped(sqlite_url, tmp_path / "dump")


@pytest.mark.parametrize(
    "change", [{"rows": {"checks": 2}}, {"revision": "0000"}, {"format": "x"}, {"sha256": None}]
)
async def test_a_manifest_that_does_not_fit_is_refused(
    change: dict[str, Any], sqlite_url: str, tmp_path: Path
) -> None:
    await filled(sqlite_url)
    out = await dumped(sqlite_url, tmp_path / "dump")
    manifest = manifest_of(out)
    kept = json.loads(manifest.read_text())
    if "rows" in change:
        change = {"rows": kept["rows"] | change["rows"]}
    kept = {name: value for name, value in (kept | change).items() if value is not None}
    manifest.write_text(json.dumps(kept))
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


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return private(tmp_path / "backup.key", base64.b64encode(os.urandom(32)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    (folder / "tenants" / "bank").mkdir(parents=True)
    private(folder / "evidence-0001.key", b"secret of the server")
    private(folder / "tenants" / "bank" / "evidence-0001.key", b"secret of the bank")
    private(folder / ".evidence-0002.key.part", b"left by a crash")
    return folder


def test_keys_come_back_and_nothing_is_in_clear(folder: Path, key_file: Path, tmp_path: Path) -> None:
    out, new = tmp_path / "out.json", tmp_path / "new"
    assert pack_keys(folder, out, key_file=key_file) == 2
    assert b"secret" not in out.read_bytes()
    assert b"evidence" not in out.read_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert unpack_keys(out, new, key_file=key_file) == 2
    assert (new / "evidence-0001.key").read_bytes() == b"secret of the server"
    restored = new / "tenants" / "bank" / "evidence-0001.key"
    assert restored.read_bytes() == b"secret of the bank"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (new, *new.rglob("*")) if path.is_dir()} == {0o700}
    assert stat.S_IMODE(restored.stat().st_mode) == 0o600


def test_another_key_or_an_altered_file_is_refused(folder: Path, key_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    pack_keys(folder, out, key_file=key_file)
    other = private(tmp_path / "other.key", base64.b64encode(os.urandom(32)))
    with pytest.raises(BackupDamaged):
        unpack_keys(out, tmp_path / "new", key_file=other)
    whole = out.read_bytes()
    packed = json.loads(whole)
    altered = bytearray(base64.b64decode(packed["keys"]))
    altered[40] ^= 1
    changed = json.dumps(packed | {"keys": base64.b64encode(altered).decode()}).encode()
    for content in (changed, whole[:-40], b"", b"[]", json.dumps(packed | {"format": "x"}).encode()):
        out.write_bytes(content)
        with pytest.raises(BackupDamaged):
            unpack_keys(out, tmp_path / "new", key_file=key_file)
    assert not (tmp_path / "new").exists()


def test_nothing_is_overwritten(folder: Path, key_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    pack_keys(folder, out, key_file=key_file)
    with pytest.raises(TargetNotEmpty):
        pack_keys(folder, out, key_file=key_file)
    # Repeated after an interruption: what is there already stays, and what is missing comes.
    (folder / "tenants" / "bank" / "evidence-0001.key").unlink()
    assert unpack_keys(out, folder, key_file=key_file) == 2
    assert (folder / "tenants" / "bank" / "evidence-0001.key").read_bytes() == b"secret of the bank"
    for other in (folder / "evidence-0001.key", folder / "evidence-0002.key"):
        private(other, b"another secret")
        with pytest.raises(TargetNotEmpty):
            unpack_keys(out, folder, key_file=key_file)
        assert other.read_bytes() == b"another secret"


def test_a_key_that_is_none_is_refused(folder: Path, tmp_path: Path) -> None:
    for content in (b"", b"short", base64.b64encode(bytes(31))):
        key_file = private(tmp_path / "backup.key", content)
        with pytest.raises(BackupError, match="openssl rand"):
            pack_keys(folder, tmp_path / "out", key_file=key_file)
    with pytest.raises(BackupError, match="cannot be read"):
        pack_keys(folder, tmp_path / "out", key_file=tmp_path / "none")


def test_a_folder_without_keys_is_refused(key_file: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BackupError, match="no key files"):
        pack_keys(tmp_path / "empty", tmp_path / "out", key_file=key_file)


@pytest.fixture
def stores(tmp_path: Path) -> tuple[ObjectStore, ObjectStore]:
    return open_object_store(str(tmp_path / "source")), open_object_store(str(tmp_path / "target"))


async def test_every_object_is_copied_once(stores: tuple[ObjectStore, ObjectStore]) -> None:
    source, target = stores
    for number in range(20):
        await source.put(f"evidence/{number}", bytes([number]))
    await source.put("other/1", b"not evidence")
    assert await copy_objects(source, target, progress=silent) == CopySummary(20, 0, 0, 0)
    assert await target.get("evidence/7") == b"\x07"
    assert not await object_exists(target, "other/1")
    await source.put("evidence/20", b"new")
    assert await copy_objects(source, target, progress=silent) == CopySummary(1, 20, 0, 0)


async def test_erased_objects_stay_in_the_backup_unless_it_is_pruned(
    stores: tuple[ObjectStore, ObjectStore],
) -> None:
    source, target = stores
    await source.put("evidence/1", b"1")
    await source.put("evidence/2", b"2")
    await copy_objects(source, target, progress=silent)
    await source.delete("evidence/1")
    assert await copy_objects(source, target, progress=silent) == CopySummary(0, 1, 0, 0)
    assert await copy_objects(source, target, prune=True, progress=silent) == CopySummary(0, 1, 0, 1)
    assert not await object_exists(target, "evidence/1")


async def test_an_object_that_is_erased_meanwhile_is_left_out(
    stores: tuple[ObjectStore, ObjectStore],
) -> None:
    source, target = stores
    for number in range(16):
        await source.put(f"evidence/{number:02}", b"x")

    class Erasing:
        """The source, from which an object disappears after it was listed."""

        def __getattr__(self, name: str) -> object:
            return getattr(source, name)

        async def get(self, key: str) -> bytes:
            if key == "evidence/09":
                await source.delete(key)
            return await source.get(key)

    erasing: ObjectStore = Erasing()  # type: ignore[assignment] # it passes on what it lacks
    assert await copy_objects(erasing, target, progress=silent) == CopySummary(15, 0, 1, 0)


async def test_a_copy_that_differs_is_an_error(
    stores: tuple[ObjectStore, ObjectStore], tmp_path: Path
) -> None:
    source, target = stores
    await source.put("evidence/1", b"1")

    class Corrupting:
        """A target that stores other bytes."""

        def __getattr__(self, name: str) -> object:
            return getattr(target, name)

        async def put(self, key: str, data: bytes) -> None:
            await target.put(key, data + b"!")

    corrupting: ObjectStore = Corrupting()  # type: ignore[assignment] # it passes on what it lacks
    with pytest.raises(BackupDamaged, match="evidence/1"):
        await copy_objects(source, corrupting, progress=silent)


# A deployment is backed up in three parts, and restored into an empty one on other storage.


async def result_of(office: Office, check_id: str) -> service_pb2.FinishCheckResponse:
    return await office.live.service.FinishCheck(
        service_pb2.FinishCheckRequest(check_id=check_id, audit_image_limit=4),
        metadata=ApiKey(office.keys["backend"]).metadata,
    )


async def archive_of(office: Office, check_id: str) -> bytes:
    parts = [part async for part in office.of("reader").export_evidence(check_id, purpose="restored")]
    return b"".join(parts)


async def expect_whole_audit_log(settings: Settings) -> None:
    keys = CheckpointKeys(read_audit_keys(KeyFiles(settings.key_folder)))
    database = open_database(settings.database_url)
    try:
        for tenant in ("bank", SERVER_TENANT):
            report = await AuditReader(database).verify(tenant, keys=keys)
            assert report.whole
            assert report.entries > 0
    finally:
        await database.close()


@pytest.mark.slow
async def test_results_records_images_and_the_audit_log_come_back(tmp_path: Path, key_file: Path) -> None:
    old, new = settings_for(tmp_path / "old"), settings_for(tmp_path / "new")
    async with open_office(tmp_path / "old") as office:
        scanned, cancelled = await office.check("customer-1", scanned=True), await office.check("customer-2")
        before = {check_id: await result_of(office, check_id) for check_id in (scanned, cancelled)}
        record = await office.of("reader").get_evidence(scanned)
        # The server runs while it is backed up: first the database, then the objects.
        dump = tmp_path / "database.backup"
        await dump_database(old.database_url, dump, now=datetime.now(UTC), progress=silent)
        copied = await copy_objects(
            open_object_store(old.objects_url),
            open_object_store(str(tmp_path / "copies")),
            progress=silent,
        )
        assert copied.copied >= 2
        pack_keys(old.key_folder, tmp_path / "keys.json", key_file=key_file)

    await restore_database(dump, new.database_url, progress=silent)
    await copy_objects(
        open_object_store(str(tmp_path / "copies")), open_object_store(new.objects_url), progress=silent
    )
    unpack_keys(tmp_path / "keys.json", new.key_folder, key_file=key_file)

    async with open_office(tmp_path / "new") as office:
        for check_id, known in before.items():
            again = await result_of(office, check_id)
            assert again.result == known.result
            assert again.evidence_frame == known.evidence_frame
            assert list(again.audit_images) == list(known.audit_images)
            verified = verify_archive(await archive_of(office, check_id), office.jwks, tenant="bank")
            assert verified.result == known.result
        restored = await office.of("reader").get_evidence(scanned)
        # The server signs each answer anew.
        restored.result_jws = record.result_jws
        restored.record_jws = record.record_jws
        assert restored == record
        found = await office.of("reader").list_checks(
            evidence_pb2.ListChecksRequest(subject_reference="customer-1")
        )
        assert [check.check_id for check in found.checks] == [scanned]
    await expect_whole_audit_log(new)

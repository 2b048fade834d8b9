"""Copies of the database, each with a manifest beside it that proves it.

A copy of SQLite is a database file, made by its online backup. A copy of PostgreSQL is an archive of
``pg_dump`` in its custom format, of the data of our tables, which ``pg_restore`` restores. The manifest
states the kind of the database, the revision of the schema, the number of rows in each table and the SHA-256
of the copy, so that a cut or altered copy is not restored. Values that are sealed in the database stay
sealed. A copy is restored into a database of its kind only.
"""

import asyncio
import json
import os
import re
import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, func, make_url, select, text

from formats.private_files import appearing, sync_folder, write_atomically
from server.backup.files import BackupDamaged, BackupError, TargetNotEmpty
from server.storage.database import Database, open_database
from server.storage.engine import is_sqlite
from server.storage.schema import current_revision, needed_revision, upgrade
from server.storage.tables import metadata, schema_floor

_FORMAT: Final = "facegate-database/2"
# The upgrade of the target makes the row of the other table.
_TABLES: Final = tuple(table for table in metadata.sorted_tables if table is not schema_floor)
_BATCH: Final = 500
_PAGES: Final = 2000
_MAX_MANIFEST: Final = 65_536
Progress = Callable[[str, int], None]
"""Gets the name of a table, or ``pages``, and how many of its rows, or of them, were handled so far."""


@dataclass(frozen=True, slots=True)
class DumpSummary:
    """The contents of a copy.

    Attributes:
        database: ``sqlite`` or ``postgresql``.
        time: When the copy was made, UTC.
        rows: The number of rows by table.
        sha256: SHA-256 of the copy, hexadecimal.
    """

    database: str
    revision: str
    time: datetime
    rows: dict[str, int]
    sha256: str


def manifest_of(copy: Path) -> Path:
    """Return the file beside a copy that proves it."""
    return copy.with_name(f"{copy.name}.manifest.json")


async def dump_database(url: str, out: Path, *, now: datetime, progress: Progress) -> DumpSummary:
    """Copy a database, as of one moment, while servers use it, and write the manifest.

    Args:
        url: See ``server.storage.database.open_database``.
        out: The file, which must not exist; only its owner can read it. It appears when it is complete.
        now: The time for the manifest, UTC.
        progress: Is called now and then, perhaps on another thread.

    Raises:
        BackupError: The file exists or cannot be written, the schema is not the one of this version, or
            ``pg_dump`` is missing, does not fit the server or fails.
        StorageUnavailable: The database does not answer.
    """
    database = open_database(url, patient=True)
    try:
        await _expect_revision(database)
        return await database.read(_dump, url, out, now=now, progress=progress)
    finally:
        await database.close()


def _dump(connection: Connection, url: str, out: Path, *, now: datetime, progress: Progress) -> DumpSummary:
    kind = connection.dialect.name
    try:
        if out.exists():
            raise BackupError(f"{out}: it exists already; name another file")
        with appearing(out) as file:
            if kind == "sqlite":
                _copy_sqlite(connection, Path(file.name), progress)
            else:
                _dump_postgresql(connection, url, Path(file.name))
            summary = DumpSummary(
                database=kind,
                revision=needed_revision(),
                time=now,
                rows=_counts(connection),
                sha256=file_digest(file, "sha256").hexdigest(),
            )
            stated = {"format": _FORMAT, **asdict(summary), "time": now.isoformat()}
            write_atomically(manifest_of(out), json.dumps(stated, indent=2).encode() + b"\n", over=True)
        sync_folder(out.parent)
    except OSError as error:
        raise BackupError(f"{out}: cannot be written: {error.strerror or error}") from error
    return summary


def _copy_sqlite(connection: Connection, part: Path, progress: Progress) -> None:
    source: Any = connection.connection.driver_connection
    # The first statement of a transaction determines the moment that it sees.
    _counts(connection)
    with closing(sqlite3.connect(part)) as target:
        # No journal beside it, which a killed process would leave.
        target.execute("PRAGMA journal_mode=MEMORY")
        source.backup(target, pages=_PAGES, progress=lambda _, left, whole: progress("pages", whole - left))
        # One file, without a log beside it.
        target.execute("PRAGMA journal_mode=DELETE")


def _dump_postgresql(connection: Connection, url: str, part: Path) -> None:
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
    _expect_version(connection, "pg_dump")
    tables = [f"--table={table.name}" for table in _TABLES]
    _call(
        "pg_dump",
        "--format=custom",
        "--data-only",
        f"--snapshot={snapshot}",
        *tables,
        f"--file={part}",
        url=url,
    )


async def restore_database(source: Path, url: str, *, progress: Progress) -> DumpSummary:
    """Restore a copy into an empty database, in one transaction; make its tables first.

    Args:
        source: The file that ``dump_database`` wrote, beside its manifest.
        url: The database, of the same kind as the copied one.
        progress: Is called after each batch of rows, perhaps on another thread.

    Raises:
        BackupDamaged: The copy is incomplete, altered, of another version or of another kind of database.
        TargetNotEmpty: The database has rows.
        BackupError: The copy cannot be read, or ``pg_restore`` is missing, does not fit the server or fails.
        StorageUnavailable: The database does not answer, or refuses a row; it stays empty.
    """
    # The whole file is verified before the first row is written.
    summary = await asyncio.to_thread(_verified, source, url)
    await upgrade(url)
    database = open_database(url, patient=True)
    try:
        await database.write(_restore, source, url, summary, progress=progress)
    finally:
        await database.close()
    return summary


def _restore(
    connection: Connection, source: Path, url: str, summary: DumpSummary, *, progress: Progress
) -> None:
    for name, count in _counts(connection).items():
        if count:
            raise TargetNotEmpty(f"the database has rows in {name}; restore into an empty one")
    if summary.database == "sqlite":
        _insert_rows(connection, source, progress)
    else:
        _expect_version(connection, "pg_restore")
        database = make_url(url).database or ""
        _call(
            "pg_restore", "--data-only", "--single-transaction", "--exit-on-error", f"--dbname={database}",
            str(source), url=url,
        )  # fmt: skip
    if _counts(connection) != summary.rows:
        raise BackupDamaged(f"{source}: the restored database has other rows than the manifest states")


def _insert_rows(connection: Connection, source: Path, progress: Progress) -> None:
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as copy:
        for table in _TABLES:
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            marks = ", ".join("?" for _ in table.columns)
            found = copy.execute(f'SELECT {names} FROM "{table.name}"')  # noqa: S608 -- names of ours
            count = 0
            while some := found.fetchmany(_BATCH):
                connection.exec_driver_sql(
                    f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})',  # noqa: S608 -- likewise
                    some,
                )
                count += len(some)
                progress(table.name, count)


def _counts(connection: Connection) -> dict[str, int]:
    return {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in _TABLES}


def _verified(source: Path, url: str) -> DumpSummary:
    stated = _manifest(source)
    revision, needed = stated.revision, needed_revision()
    if revision != needed:
        raise BackupDamaged(
            f"{source}: its schema has revision {revision}, this version needs {needed}; restore it with "
            "the version that made it, and run facegate db upgrade afterwards"
        )
    kind = "sqlite" if is_sqlite(url) else "postgresql"
    if stated.database != kind:
        raise BackupDamaged(
            f"{source}: it is a copy of {stated.database}, and the database is {kind}; restore it into a "
            f"database of {stated.database}"
        )
    try:
        with source.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BackupError(f"{source}: cannot be read: {error.strerror or error}") from error
    if digest != stated.sha256:
        raise BackupDamaged(f"{source}: it is cut off or was altered; use another backup")
    return stated


def _manifest(source: Path) -> DumpSummary:
    path = manifest_of(source)
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_MANIFEST)
    except OSError as error:
        raise BackupError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        stated: dict[str, Any] = json.loads(content)
        if stated.pop("format") != _FORMAT:
            raise BackupDamaged(f"{source}: it is not a copy that this version reads ({_FORMAT})")
        stated["time"] = datetime.fromisoformat(stated["time"])
        return DumpSummary(**stated)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BackupDamaged(f"{path}: it is no manifest of a copy") from error


def _expect_version(connection: Connection, program: str) -> None:
    """Verify that a program of PostgreSQL is not older than the server, whose data it could not handle."""
    server = int(connection.scalar(text("SHOW server_version_num")) or 0) // 10_000
    found = re.search(r"\b(\d+)\.", _call(program, "--version"))
    ours = int(found[1]) if found else 0
    if ours < server:
        raise BackupError(
            f"{program} has version {ours}, the server has version {server}: install the client programs of "
            f"PostgreSQL {server}"
        )


def _call(program: str, *arguments: str, url: str | None = None) -> str:
    """Run a program of PostgreSQL, and return its output. The password is not in its arguments."""
    try:
        done = subprocess.run(  # noqa: S603 -- a program of PostgreSQL, by name
            [program, *arguments],
            env={**os.environ, **({} if url is None else _libpq(url))},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise BackupError(f"{program} is not installed: install the client programs of PostgreSQL") from error
    if done.returncode != 0:
        raise BackupError(f"{program} failed: {done.stderr.strip()[:500]}")
    return done.stdout


def _libpq(url: str) -> Mapping[str, str]:
    """Return where and as whom the programs connect, as the variables of libpq."""
    parsed = make_url(url)
    options = parsed.query
    found = {
        "PGHOST": parsed.host or options.get("host"),
        "PGPORT": parsed.port or options.get("port"),
        "PGUSER": parsed.username,
        "PGPASSWORD": parsed.password,
        "PGDATABASE": parsed.database,
        "PGSSLMODE": options.get("ssl"),
    }
    return {name: str(value) for name, value in found.items() if value}


async def _expect_revision(database: Database) -> None:
    current, needed = await current_revision(database), needed_revision()
    if current != needed:
        raise BackupError(
            f"the database is at revision {current or 'none'}, this version dumps {needed}: "
            "run facegate db upgrade"
        )

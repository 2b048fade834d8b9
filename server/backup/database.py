"""A dump of the database in a form that SQLite and PostgreSQL share: gzipped lines of JSON.

The first line is a header with the format and the revision of the schema. A line for each row follows, tables
in an order in which every row refers only to earlier ones. The last line states the number of rows and the
SHA-256 of all lines before it, so that a cut or altered dump is not restored. Values that are sealed in the
database stay sealed.
"""

import asyncio
import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, insert, select, text

from server.backup.errors import BackupDamaged, BackupError, TargetNotEmpty
from server.backup.rows import as_stored, line_of, row_of
from server.base.private_files import make_private_file
from server.storage.database import Database, open_database
from server.storage.schema import current_revision, needed_revision, upgrade
from server.storage.tables import metadata, schema_floor

__all__ = ["DumpSummary", "dump_database", "restore_database"]

_FORMAT: Final = "facegate-database/1"
# The upgrade of the target makes the row of the other table.
_TABLES: Final = {
    table.name: as_stored(table) for table in metadata.sorted_tables if table is not schema_floor
}
_BATCH: Final = 500
_MAX_LINE: Final = 64 * 1024 * 1024
Progress = Callable[[str, int], None]
"""Gets the name of a table and how many of its rows were handled so far."""


@dataclass(frozen=True, slots=True)
class DumpSummary:
    """The contents of a dump.

    Attributes:
        revision: The revision of the schema.
        time: When the dump was made, as its header states; UTC.
        rows: The number of rows by table.
    """

    revision: str
    time: datetime
    rows: dict[str, int]


async def dump_database(url: str, out: Path, *, now: datetime, progress: Progress) -> DumpSummary:
    """Writes all rows of a database, as of one moment, while servers use it.

    Args:
        url: See ``server.storage.database.open_database``.
        out: The file, which must not exist; only its owner can read it. It appears when it is complete.
        now: The time for the header, UTC.
        progress: Is called after each batch of rows, perhaps on another thread.

    Raises:
        BackupError: The file exists or cannot be written, or the schema is not the one of this version.
        StorageUnavailable: The database does not answer.
    """
    database = open_database(url, patient=True)
    try:
        await _expect_revision(database)
        return await database.read(_dump, out, now=now, progress=progress)
    finally:
        await database.close()


def _dump(connection: Connection, out: Path, *, now: datetime, progress: Progress) -> DumpSummary:
    if connection.dialect.name == "postgresql":
        # One snapshot for all tables; on SQLite, every transaction has that.
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    revision = needed_revision()
    counts: dict[str, int] = {}
    digest = sha256()
    part = out.with_name(f"{out.name}.part")
    try:
        if out.exists():
            raise BackupError(f"{out}: it exists already; name another file")
        part.unlink(missing_ok=True)
        make_private_file(part)
        with part.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6) as file:

            def write(line: bytes) -> None:
                digest.update(line)
                file.write(line)

            header = {"format": _FORMAT, "revision": revision, "time": now.isoformat()}
            write(json.dumps(header).encode() + b"\n")
            for table in _TABLES.values():
                query = select(table).order_by(*table.primary_key.columns)
                found = connection.execution_options(yield_per=_BATCH).execute(query).mappings()
                counts[table.name] = 0
                for batch in found.partitions(_BATCH):
                    for row in batch:
                        write(line_of(table, dict(row)))
                    counts[table.name] += len(batch)
                    progress(table.name, counts[table.name])
            last = {"rows": counts, "sha256": digest.hexdigest()}
            file.write(json.dumps(last).encode() + b"\n")
            file.close()
            raw.flush()
            os.fsync(raw.fileno())
        part.rename(out)
    except OSError as error:
        raise BackupError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return DumpSummary(revision=revision, time=now, rows=counts)


async def restore_database(source: Path, url: str, *, progress: Progress) -> DumpSummary:
    """Restores a dump into an empty database, in one transaction; makes its tables first.

    Args:
        source: The file that ``dump_database`` wrote.
        url: The database, which may be of another kind than the dumped one.
        progress: Is called after each batch of rows, perhaps on another thread.

    Raises:
        BackupDamaged: The file is incomplete, altered, or of another version.
        TargetNotEmpty: The database has rows.
        BackupError: The file cannot be read.
        StorageUnavailable: The database does not answer, or refuses a row; it stays empty.
    """
    # The whole file is verified before the first row is written.
    summary = await asyncio.to_thread(_verified, source)
    await upgrade(url)
    database = open_database(url, patient=True)
    try:
        await database.write(_restore, source, progress=progress)
    finally:
        await database.close()
    return summary


def _restore(connection: Connection, source: Path, *, progress: Progress) -> None:
    for table in _TABLES.values():
        if connection.execute(select(table).limit(1)).first() is not None:
            raise TargetNotEmpty(f"the database has rows in {table.name}; restore into an empty one")
    with _opened(source) as file:
        restored: dict[str, int] = {}
        # The rows of a table follow each other.
        for name, lines in groupby(_rows(file), key=lambda line: str(line[0])):
            table = _TABLES[name]
            while some := [row_of(table, line[1:]) for line in islice(lines, _BATCH)]:
                connection.execute(insert(table), some)
                restored[name] = restored.get(name, 0) + len(some)
                progress(name, restored[name])


def _verified(source: Path) -> DumpSummary:
    digest, counts = sha256(), dict.fromkeys(_TABLES, 0)
    with _opened(source) as file:
        first = file.readline(_MAX_LINE)
        header = _object(first)
        if header.get("format") != _FORMAT:
            raise BackupDamaged(f"{source}: it is not a dump that this version reads ({_FORMAT})")
        revision, needed = header.get("revision"), needed_revision()
        if revision != needed:
            raise BackupDamaged(
                f"{source}: its schema has revision {revision}, this version needs {needed}; restore it with "
                "the version that made it, and run facegate db upgrade afterwards"
            )
        line = first
        try:
            while following := file.readline(_MAX_LINE):
                digest.update(line)
                if line is not first:
                    name, *values = json.loads(line)
                    row_of(_TABLES[name], values)
                    counts[name] += 1
                line = following
        except (ValueError, KeyError, TypeError) as error:
            raise BackupDamaged(f"{source}: a line is not a row") from error
    last = _object(line)
    if last.get("rows") != counts or last.get("sha256") != digest.hexdigest():
        raise BackupDamaged(f"{source}: it is cut off or was altered; use another backup")
    return DumpSummary(revision=needed, time=datetime.fromisoformat(str(header["time"])), rows=counts)


@contextmanager
def _opened(source: Path) -> Iterator[gzip.GzipFile]:
    """Opens a dump, and reports damage and errors of reading as ``BackupError``."""
    try:
        with gzip.open(source, "rb") as file:
            yield file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BackupDamaged(f"{source}: it is cut off or was altered; use another backup") from error
    except OSError as error:
        raise BackupError(f"{source}: cannot be read: {error.strerror or error}") from error


def _rows(file: gzip.GzipFile) -> Iterator[list[Any]]:
    """Returns the lines that are rows: neither the first nor the last."""
    while line := file.readline(_MAX_LINE):
        value = json.loads(line)
        if isinstance(value, list):
            yield value


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise BackupDamaged("its first or last line is not JSON: it is cut off, or no dump") from error
    if not isinstance(value, dict):
        raise BackupDamaged("its first or last line is a row: it is cut off, or no dump")
    return value


async def _expect_revision(database: Database) -> None:
    current, needed = await current_revision(database), needed_revision()
    if current != needed:
        raise BackupError(
            f"the database is at revision {current or 'none'}, this version dumps {needed}: "
            "run facegate db upgrade"
        )

"""Rows in every table, whatever its columns, and all rows of a database to compare."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

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

from server.storage.database import open_database
from server.storage.tables import UtcTime, Word, Words, metadata, schema_floor
from tests.server.databases import make_tables

__all__ = ["DUMPED", "all_rows", "filled"]

_START = datetime(2026, 5, 4, 12, 30, 15, 123456, tzinfo=UTC)


def as_stored(table: Table) -> Table:
    """Returns the table without the types that convert words: what is stored, be it altered or not."""
    columns = (
        Column(
            column.name,
            column.type.impl if isinstance(column.type, Word | Words) else column.type,
            primary_key=column.primary_key,
            nullable=column.nullable,
        )
        for column in table.columns
    )
    return Table(table.name, MetaData(), *columns)


DUMPED = [as_stored(table) for table in metadata.sorted_tables if table is not schema_floor]
"""The tables of a dump: the upgrade of the target makes the row of the other one."""


async def filled(url: str, rows: int = 3) -> None:
    """Makes the tables of a database, and some rows in each; every second value that may be null is."""
    await make_tables(url)
    database = open_database(url)
    try:
        await database.write(_fill, rows)
    finally:
        await database.close()


async def all_rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Returns the rows of every table in the order of its primary key."""
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
    """Returns the value of a row. Rows of the same number refer to each other, because names do not count."""
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

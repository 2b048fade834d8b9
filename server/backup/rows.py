"""A row of any table as one line of JSON, and back."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, Integer, LargeBinary, MetaData, String, Table, Uuid
from sqlalchemy.types import TypeEngine

from server.backup.errors import BackupDamaged
from server.storage.tables import UtcTime, Word, Words

__all__ = ["as_stored", "line_of", "row_of"]


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


def line_of(table: Table, row: Mapping[str, Any]) -> bytes:
    """Returns a row as a line of JSON: the table's name and the values in the order of its columns."""
    values = [_encoded(row[column.name]) for column in table.columns]
    return json.dumps([table.name, *values], separators=(",", ":")).encode() + b"\n"


def row_of(table: Table, values: list[Any]) -> dict[str, Any]:
    """Returns the values of a line as a row.

    Raises:
        BackupDamaged: A value has not the type of its column, or values are missing.
    """
    if len(values) != len(table.columns):
        raise BackupDamaged(f"a row of {table.name} has {len(values)} values instead of {len(table.columns)}")
    try:
        return {
            column.name: _decoded(column, value) for column, value in zip(table.columns, values, strict=True)
        }
    except (ValueError, TypeError, binascii.Error) as error:
        raise BackupDamaged(f"a row of {table.name} has a value of another type") from error


def _encoded(value: Any) -> Any:
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.isoformat()
        case UUID():
            return value.hex
        case _:
            return value


def _decoded(column: Column[Any], value: Any) -> Any:
    if value is None:
        if not column.nullable:
            raise ValueError("it may not be null")
        return None
    kind: TypeEngine[Any] = column.type
    match kind:
        case LargeBinary():
            return base64.b64decode(value, validate=True)
        case UtcTime():
            return datetime.fromisoformat(value)
        case Uuid():
            return UUID(hex=value)
        case Boolean():
            expected: type = bool
        case Integer():
            expected = int
        case String():
            expected = str
        case _:  # pragma: no cover - a test walks all columns
            raise TypeError(f"no rule for {kind!r}")
    if type(value) is not expected:
        raise TypeError("it has another type")
    return value

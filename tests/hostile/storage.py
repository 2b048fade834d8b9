"""The state that a server keeps, read from outside: rows, files and temporary files."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_DATABASE = "facegate.db"
_WITNESS = "objects/audit-witness/"


@dataclass(frozen=True, slots=True)
class Kept:
    """The state that a server keeps at a moment.

    Attributes:
        files: Files of the data folder, without the database's own and the witness of the audit log.
    """

    rows: Mapping[str, int]
    files: frozenset[str]
    temporary: frozenset[str]


@dataclass(frozen=True, slots=True)
class Storage:
    """The places in which a server keeps state."""

    data: Path
    temporary: Path

    def kept(self) -> Kept:
        """The current state."""
        return Kept(
            rows=self._rows(),
            files=frozenset(name for name in _files(self.data) if not name.startswith((_DATABASE, _WITNESS))),
            temporary=frozenset(_files(self.temporary)),
        )

    def bytes(self) -> int:
        """Bytes of all files, the database's included."""
        return sum(path.stat().st_size for path in self.data.rglob("*") if path.is_file())

    def _rows(self) -> dict[str, int]:
        with sqlite3.connect(f"file:{self.data / _DATABASE}?mode=ro", uri=True) as database:
            tables = [
                row[0]
                for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                # Refused calls are entries of the audit log: a bounded number a minute.
                if not row[0].startswith("audit_")
            ]
            counts = {
                table: database.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]  # noqa: S608 - of the schema
                for table in tables
            }
        database.close()
        return counts


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}

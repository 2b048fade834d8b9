"""SQLite databases with all tables, copied instead of migrated: the migrations take 0.07 s of CPU."""

import asyncio
import functools
import tempfile
from pathlib import Path

from server.storage.engine import database_file
from server.storage.schema import upgrade

__all__ = ["make_tables"]


async def make_tables(url: str) -> None:
    """Creates the tables, as ``upgrade`` does; a SQLite file that does not exist becomes a copy.

    Args:
        url: See ``server.storage.database.open_database``.
    """
    await asyncio.to_thread(_copy_unless_there, database_file(url))
    await upgrade(url)


def _copy_unless_there(file: Path | None) -> None:
    if file is not None and not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_bytes(_migrated())


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "checks.db")
        asyncio.run(upgrade(f"sqlite:///{file}"))
        return file.read_bytes()

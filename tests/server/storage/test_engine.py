import stat
from pathlib import Path

import pytest

from server.storage.engine import database_file, is_sqlite, open_engine
from server.storage.errors import StorageUnavailable


async def test_every_connection_has_the_pragmas(url: str) -> None:
    engine = open_engine(url)
    async with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            values = {}
            for pragma in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout"):
                raw = await connection.get_raw_connection()
                cursor = await raw.driver_connection.execute(f"PRAGMA {pragma}")  # type: ignore[union-attr] # the driver's own connection is untyped
                values[pragma] = (await cursor.fetchone())[0]
                await cursor.close()
            assert values == {
                "journal_mode": "wal",
                "synchronous": 2,
                "foreign_keys": 1,
                "secure_delete": 1,
                "busy_timeout": 10_000,
            }
    await engine.dispose()


async def test_the_folder_is_made_for_the_owner_only(url: str) -> None:
    engine = open_engine(url)
    file = database_file(url)
    assert file is not None
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    await engine.dispose()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("not a url", "not one"),
        ("sqlite+aiosqlite://", "needs a file"),
        ("sqlite+aiosqlite:///:memory:", "needs a file"),
        ("nosuch+driver://user:hunter2@host/db", "nosuch"),
    ],
)
def test_an_unusable_url_is_refused_without_its_password(url: str, said: str) -> None:
    with pytest.raises(StorageUnavailable, match=said) as caught:
        open_engine(url)
    assert "hunter2" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageUnavailable, match="folder"):
        open_engine(f"sqlite+aiosqlite:///{tmp_path / 'file' / 'x' / 'a.db'}")


def test_other_databases_have_no_file() -> None:
    assert database_file("postgresql+asyncpg://host/db") is None
    assert not is_sqlite("postgresql+asyncpg://host/db")

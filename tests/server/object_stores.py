"""Object stores for tests: a real S3 server, and one that hangs."""

import asyncio
import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from obstore.store import S3Store

# A real S3 server in a separate process: moto's, reached over HTTP like any S3.

_START_SECONDS = 90.0
_ADDRESS = re.compile(r"Running on http://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, slots=True)
class S3:
    """A running S3."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which obstore reaches it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "facegate",
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
            "AWS_REGION": "eu-central-1",
        }

    def make_bucket(self, name: str) -> S3Store:
        """Make a bucket, and give access to all of it."""
        connection = http.client.HTTPConnection(self.endpoint.removeprefix("http://"), timeout=60)
        try:
            connection.request("PUT", f"/{name}")
            assert connection.getresponse().status == 200
        finally:
            connection.close()
        return S3Store(
            name,
            config={
                "endpoint": self.endpoint,
                "region": "eu-central-1",
                "access_key_id": "facegate",
                "secret_access_key": "not-a-secret",
            },
            client_options={"allow_http": True},
        )


@contextmanager
def running_s3(folder: Path) -> Iterator[S3]:
    """Run an S3 until the block ends; its log lies in ``folder``."""
    log = folder / "s3.log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, stdout=output, stderr=output, env=os.environ | {"PYTHONUNBUFFERED": "1"}
        ) as process,
    ):
        try:
            yield S3(f"http://127.0.0.1:{_port(process, log)}")
        finally:
            process.terminate()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        found = _ADDRESS.search(log.read_text())
        if found:
            return int(found[1])
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"S3 did not start: {log.read_text()}")


# An object store that hangs: it accepts connections and never answers.


@dataclass(frozen=True, slots=True)
class SilentStore:
    """A store that hangs.

    Attributes:
        environment: The environment variables with which obstore reaches it as an S3.
        asked: The received requests, which begin with their method and path.
    """

    environment: dict[str, str]
    asked: list[bytes]


@asynccontextmanager
async def silent_store() -> AsyncIterator[SilentStore]:
    """Listen until the block ends."""
    connections: list[asyncio.StreamWriter] = []
    asked: list[bytes] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        try:
            while data := await reader.read(65536):
                asked.append(data.partition(b"\r\n")[0])
        finally:
            # Also one that comes after the others were closed.
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield SilentStore(
            environment={
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ALLOW_HTTP": "true",
                "AWS_ACCESS_KEY_ID": "facegate",
                "AWS_SECRET_ACCESS_KEY": "not-a-secret",
                "AWS_REGION": "eu-central-1",
            },
            asked=asked,
        )
    finally:
        server.close()
        for writer in connections:
            writer.close()

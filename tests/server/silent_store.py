"""An object store that hangs: it accepts connections and never answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

__all__ = ["SilentStore", "silent_store"]


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
    """Listens until the block ends."""
    connections: list[asyncio.StreamWriter] = []
    asked: list[bytes] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while data := await reader.read(65536):
            asked.append(data.partition(b"\r\n")[0])

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

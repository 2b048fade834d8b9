"""The options that every command of ``facegate checks`` has, and the connection that they describe."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from cli.errors import CommandError
from cli.verify.inputs import certificate_explained, read_api_key, read_tls
from cli.words import describe_lost_connection, describe_refusal
from facegate_client import CallRefusedError, ClientError, Compliance, ConnectionFailedError, open_channel
from server.configuration.settings import ServiceListener

__all__ = [
    "ApiKeyOption",
    "CaOption",
    "CertOption",
    "Connection",
    "KeyOption",
    "PurposeOption",
    "ServiceOption",
    "call_server",
]

_Answer = TypeVar("_Answer")

FAILED: Final = 2

ServiceOption = Annotated[str, typer.Option("--service", help="host:port of the service listener.")]
ApiKeyOption = Annotated[
    Path | None,
    typer.Option(
        "--api-key-file", envvar="FACEGATE_API_KEY_FILE", help="File with an API key of a compliance role."
    ),
]
CaOption = Annotated[
    Path | None,
    typer.Option(
        "--ca", help="PEM of the authorities to trust; by default the system's, and plaintext on loopback."
    ),
]
CertOption = Annotated[Path | None, typer.Option("--cert", help="PEM of your certificate (mTLS).")]
KeyOption = Annotated[Path | None, typer.Option("--key", help="PEM of its private key.")]
PurposeOption = Annotated[
    str,
    typer.Option(
        "--purpose",
        help="Why, for the audit log. At most 256 bytes without personal data, such as the number of a case.",
        show_default=False,
    ),
]

SERVICE: Final = f"127.0.0.1:{ServiceListener.model_fields['port'].default}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connection to the service listener.

    Attributes:
        service: ``host:port``.
        api_key_file: File with the API key; ``None`` with mutual TLS.
        ca: PEM file of the trusted authorities; ``None`` for the system's, or for plaintext on loopback.
        cert: PEM file of the caller's certificate; ``None`` without mutual TLS.
        key: PEM file of its private key; ``None`` without mutual TLS.
    """

    service: str
    api_key_file: Path | None
    ca: Path | None
    cert: Path | None
    key: Path | None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Compliance]:
        """Opens the connection.

        Raises:
            ClientError: A file cannot be read, or plaintext was requested beyond loopback.
        """
        api_key = read_api_key(self.api_key_file)
        files = {"ca": self.ca, "certificate": self.cert, "key": self.key}
        tls = read_tls(self.service, **files)
        async with (
            certificate_explained(self.service, **files),
            open_channel(self.service, tls=tls) as channel,
        ):
            yield Compliance(channel=channel, api_key=api_key)


def call_server(connection: Connection, work: Callable[[Compliance], Awaitable[_Answer]]) -> _Answer:
    """Makes calls, and returns the answer; reports an error and what to do, and ends the command.

    Args:
        connection: The connection.
        work: Makes the calls.
    """

    async def run() -> _Answer:
        async with connection.open() as compliance:
            return await work(compliance)

    try:
        return asyncio.run(run())
    except CallRefusedError as error:
        _fail(describe_refusal(error.refusal))
    except ConnectionFailedError as error:
        _fail(describe_lost_connection(error))
    except (ClientError, CommandError) as error:
        _fail(str(error))


def _fail(text: str) -> NoReturn:
    Console(stderr=True).print(escape(text), style="red", highlight=False, soft_wrap=True)
    raise typer.Exit(FAILED)

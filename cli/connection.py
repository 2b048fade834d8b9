"""Reads tickets, keys and certificates before the first call, and opens the connection that they describe."""

import asyncio
import base64
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeVar

import grpc
import typer
from cryptography import x509

from cli.errors import CommandError, fail
from cli.groups import SharingGroup
from cli.words import describe_lost_connection, describe_refusal
from facegate_client import (
    ApiKey,
    CallRefusedError,
    ClientError,
    ConnectionFailedError,
    CredentialsError,
    KeySet,
    ScanTicket,
    SourceError,
    TlsSettings,
    fetch_key_set,
    is_loopback,
    load_key_set,
    open_channel,
)
from facegate_client.channel import open_tls
from server.configuration.settings import ServiceListener

_TOKEN: Final = re.compile(r"[!-~]{1,512}")
_PROBE_SECONDS: Final = 5.0
_KEY_BYTES: Final = 32
_HEX_DIGITS: Final = 2 * _KEY_BYTES


def read_file(path: Path, what: str) -> bytes:
    """Return the content of a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{what} at {path} cannot be read: {error.strerror}") from error


async def read_key_set(jwks: str | None) -> KeySet | None:
    """Return the server's result keys from a file or an address."""
    if jwks is None:
        return None
    if jwks.startswith(("http://", "https://")):
        return await fetch_key_set(jwks)
    return load_key_set(read_file(Path(jwks), "the JWKS"))


def read_api_key(path: Path | None) -> ApiKey | None:
    """Return the orchestrator's API key."""
    if path is None:
        return None
    return ApiKey(read_file(path, "the API key").decode("utf-8-sig", "replace").strip())


def read_ticket(file: Path) -> ScanTicket:
    """Return what the orchestrator hands to the device: two fields of UploadTrustedImage's response, JSON.

    The fingerprint to pin has 32 bytes: as 64 hex digits, or in Base64 as in protobuf's JSON.
    """
    try:
        said = json.loads(read_file(file, "the ticket"))
    except (ValueError, RecursionError):
        said = None
    given = said if isinstance(said, dict) else {}
    token = str(given.get("scan_token", given.get("scanToken", "")))
    pinned = str(given.get("challenge_key_sha256", given.get("challengeKeySha256", "")))
    if not _TOKEN.fullmatch(token):
        raise CredentialsError(
            f"{file} must be JSON with the scan_token of UploadTrustedImage, and its challenge_key_sha256"
        )
    try:
        if len(pinned) == _HEX_DIGITS:
            key = bytes.fromhex(pinned)
        else:
            key = base64.b64decode(pinned.replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise CredentialsError(
            f"{file}: challenge_key_sha256 must be the 32 bytes that UploadTrustedImage returned, as 64 hex "
            "digits or in Base64"
        )
    return ScanTicket(token=token, challenge_key_sha256=key)


def _refuses_certificate(error: BaseException | None) -> bool:
    if isinstance(error, ssl.SSLError):
        # Other servers, such as proxies, send an alert: CERTIFICATE_REQUIRED, UNKNOWN_CA, BAD_CERTIFICATE.
        return "ALERT" in (error.reason or "") and "CERT" in (error.reason or "")
    return isinstance(error, ConnectionResetError)


def read_tls(
    target: str, *, ca: Path | None, certificate: Path | None = None, key: Path | None = None
) -> TlsSettings | None:
    """Return TLS settings if options request TLS or the target is another computer; else None."""
    if ca is None and certificate is None and key is None and is_loopback(target):
        return None
    return TlsSettings(
        root_certificates=None if ca is None else _certificates(ca, "the authorities"),
        client_certificate=None if certificate is None else _certificates(certificate, "the certificate"),
        client_key=None if key is None else read_file(key, "the private key"),
    )


def _certificates(path: Path, what: str) -> bytes:
    content = read_file(path, what)
    try:
        x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise CredentialsError(f"{what}: {path} contains no certificate in PEM") from error
    return content


_Answer = TypeVar("_Answer")
_Client = TypeVar("_Client")

ApiKeyOption = Annotated[
    Path | None,
    typer.Option("--api-key-file", envvar="FACEGATE_API_KEY_FILE", help="File with the API key."),
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
    """The service listener of a server, and the files of the credentials, as the options name them."""

    service: str
    api_key_file: Path | None
    ca: Path | None
    cert: Path | None
    key: Path | None

    @asynccontextmanager
    async def _certificate_explained(self) -> AsyncIterator[None]:
        """Say of a connection that fails in the block whether the server refuses the client certificate.

        A gRPC server sends no alert then: after the handshake of TLS 1.3, which the caller believes to be
        complete, it ends the connection. So this makes one more handshake, and waits for the server's first
        byte.
        """
        try:
            yield
        except ConnectionFailedError as error:
            plain = (self.ca, self.cert, self.key) == (None, None, None) and is_loopback(self.service)
            if plain or not await self._ends_after_handshake():
                raise
            shown = "gets no client certificate" if self.cert is None else "refuses the client certificate"
            raise ConnectionFailedError(f"{error}: the server {shown}") from error

    async def _ends_after_handshake(self) -> bool:
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.cert is not None and self.key is not None:
                context.load_cert_chain(self.cert, self.key)
            context.set_alpn_protocols(["h2"])
            async with asyncio.timeout(_PROBE_SECONDS):
                reader, writer = await open_tls(self.service, context, timeout_s=_PROBE_SECONDS)
                try:
                    # A server of HTTP/2 sends its settings first.
                    return not await reader.read(1)
                finally:
                    # Nothing waits here for the server's end of TLS.
                    writer.transport.abort()
        except ConnectionFailedError as error:
            return _refuses_certificate(error.__cause__)
        except (OSError, ValueError) as error:
            return _refuses_certificate(error)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[grpc.aio.Channel, ApiKey | None]]:
        """Open a channel. Raise ClientError if a file cannot be read, or for plaintext beyond loopback."""
        api_key = read_api_key(self.api_key_file)
        tls = read_tls(self.service, ca=self.ca, certificate=self.cert, key=self.key)
        async with self._certificate_explained(), open_channel(self.service, tls=tls) as channel:
            yield channel, api_key


def call_server(
    context: typer.Context, client: Callable[..., _Client], work: Callable[[_Client], Awaitable[_Answer]]
) -> _Answer:
    """Make the calls of ``work`` with a client of a service, and return its answer."""
    connection: Connection = context.obj

    async def run() -> _Answer:
        async with connection.open() as (channel, api_key):
            return await work(client(channel=channel, api_key=api_key))

    with calls_reported(connection.service):
        return asyncio.run(run())


def remote_group(
    text: str, *, service: str | None = SERVICE, about: str = "host:port of the service listener."
) -> typer.Typer:
    """Return a group of commands that call a server, with the options of the connection.

    Its commands find the connection in ``context.obj``; ``None`` without a ``--service``.
    """
    default = service
    group = typer.Typer(cls=SharingGroup, help=text, no_args_is_help=True)

    @group.callback(help=f"{text}\n\nThe options of the connection may also stand behind the command.")
    def connect(
        context: typer.Context,
        *,
        service: Annotated[str | None, typer.Option(help=about)] = default,
        api_key_file: ApiKeyOption = None,
        ca: CaOption = None,
        cert: CertOption = None,
        key: KeyOption = None,
    ) -> None:
        context.obj = None
        if (address := service or default) is not None:
            context.obj = Connection(service=address, api_key_file=api_key_file, ca=ca, cert=cert, key=key)

    return group


@contextmanager
def calls_reported(service: str | None = None) -> Iterator[None]:
    """Report an error of a call or of an input, and what to do, and end the command.

    Args:
        service: ``host:port`` of the server; the advice depends on whether it is on this machine.
    """
    on_loopback = False
    try:
        on_loopback = service is not None and is_loopback(service)
        yield
    except (ClientError, CommandError) as error:
        match error:
            case CallRefusedError():
                text = describe_refusal(error.refusal, on_loopback=on_loopback)
            case ConnectionFailedError():
                text = describe_lost_connection(error, on_loopback=on_loopback)
            case _:
                text = str(error)
        fail(text)

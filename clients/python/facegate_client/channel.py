"""Channels to the two listeners: plaintext on loopback, TLS or mutual TLS elsewhere."""

import asyncio
import ipaddress
import re
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from facegate_client.errors import ConnectionFailedError, CredentialsError
from facegate_client.proxies import GrpcProxy, is_this_machine, proxy_to
from facegate_protocol import fingerprint

_KEEPALIVE_MS: Final = 20_000
_KEEPALIVE_TIMEOUT_MS: Final = 10_000
_MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
# Despite its name, gRPC's "min_reconnect_backoff_ms" is the time limit of one attempt to connect, up to the
# server's first HTTP/2 frame. It equals the time that a device waits for a Challenge: a phone far from its
# server needs a second for TCP and TLS, and a short limit would lock it out permanently.
_CONNECT_MS: Final = 10_000
_FIRST_BACKOFF_MS: Final = 250
_MAX_BACKOFF_MS: Final = 5_000
_HOST: Final = re.compile(r"[^/\s\x00-\x1f\x7f]+")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_MAX_PORT: Final = 65535
_MAX_ANSWER_BYTES: Final = 16 * 1024
"""Room for a proxy's answer to CONNECT: status line and headers."""
_MAX_STATUS_SHOWN: Final = 100
_TUNNELLED: Final = re.compile(r"HTTP/1\.[01] 2[0-9]{2}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """The certificates for TLS and mutual TLS.

    Attributes:
        root_certificates: PEM of the trusted authorities; by default the system's.
        client_certificate: PEM chain of the client's own certificate, for mutual TLS.
        client_key: PEM of its private key.
        server_name: The name expected in the server's certificate, if it is not the target's host.
    """

    root_certificates: bytes | None = None
    client_certificate: bytes | None = None
    client_key: bytes | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.client_certificate is None) != (self.client_key is None):
            raise CredentialsError("give a client certificate and its key together, or neither")


@dataclass(frozen=True, slots=True, repr=False)
class ApiKey:
    """An API key of the orchestrator; its ``repr`` does not show it.

    Attributes:
        value: The key, printable ASCII without blanks.
    """

    value: str

    def __post_init__(self) -> None:
        if (
            not self.value
            or not self.value.isascii()
            or not all(33 <= ord(char) < 127 for char in self.value)
        ):
            raise CredentialsError("an API key must be printable ASCII without blanks, and not empty")

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata with the key, for each call."""
        return (("authorization", f"Bearer {self.value}"),)


def is_loopback(target: str) -> bool:
    """Return whether ``target``, a ``host:port``, is this computer."""
    host, _ = _host_and_port(target)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def open_channel(target: str, *, tls: TlsSettings | None = None) -> grpc.aio.Channel:
    """Open a channel. Call it in a running event loop; the caller closes the channel.

    gRPC compression is off, because images are compressed already. Keepalive pings are sent every 20 seconds
    while a call runs, so that a dead connection is noticed within 30 seconds. Connecting, with TLS, may take
    10 seconds.

    Args:
        target: ``host:port`` of a listener.
        tls: The certificates; ``None`` for plaintext, which is only for loopback.

    Raises:
        CredentialsError: Plaintext was requested beyond loopback, or the target is not ``host:port``.
    """
    options: list[tuple[str, str | int]] = [
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.initial_reconnect_backoff_ms", _FIRST_BACKOFF_MS),
        ("grpc.min_reconnect_backoff_ms", _CONNECT_MS),
        ("grpc.max_reconnect_backoff_ms", _MAX_BACKOFF_MS),
        # The transport's own retries, which the application does not see, would break the transcript.
        ("grpc.enable_retries", 0),
    ]
    if is_this_machine(_host_and_port(target.removeprefix("dns:///"))[0]):
        # gRPC would send a proxy of the environment what must not leave this machine, plaintext most of all.
        options.append(("grpc.enable_http_proxy", 0))
    if tls is None:
        if not is_loopback(target):
            raise CredentialsError(
                f"{target}: plaintext is for loopback only, such as 127.0.0.1 or localhost; give TLS settings"
            )
        return grpc.aio.insecure_channel(target, options=options)
    if tls.server_name:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    credentials = grpc.ssl_channel_credentials(
        root_certificates=tls.root_certificates,
        private_key=tls.client_key,
        certificate_chain=tls.client_certificate,
    )
    return grpc.aio.secure_channel(target, credentials, options=options)


def certificate_spki_sha256(certificate: bytes) -> bytes:
    """Return the SHA-256 of the SubjectPublicKeyInfo of a certificate, 32 bytes.

    Args:
        certificate: One certificate, PEM or DER.

    Raises:
        CredentialsError: The certificate cannot be read.
    """
    try:
        if certificate.lstrip().startswith(b"-----BEGIN"):
            loaded = x509.load_pem_x509_certificate(certificate)
        else:
            loaded = x509.load_der_x509_certificate(certificate)
        spki = loaded.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except ValueError as error:
        raise CredentialsError("the certificate cannot be read") from error
    return fingerprint(spki)


async def server_spki_sha256(target: str, tls: TlsSettings | None, *, timeout_s: float = 10.0) -> bytes:
    """Return the SHA-256 of the key in the server's TLS certificate, which the device reports in ScanStart.

    An SDK reads the key from the connection of its stream. Python's gRPC does not give the peer's
    certificate to a client, so this function opens a second, verified TLS connection. If the
    certificate is pinned, `certificate_spki_sha256` with the pinned file needs no connection.
    It takes the proxy of the environment that gRPC takes.

    Args:
        target: ``host:port`` of the device listener.
        tls: The settings of the channel; ``None`` for plaintext.
        timeout_s: The longest wait, seconds.

    Returns:
        32 bytes; empty with plaintext.

    Raises:
        ConnectionFailedError: The server cannot be reached, or its certificate is not trusted.
        CredentialsError: The settings cannot be used.
    """
    if tls is None:
        return b""
    try:
        context = ssl.create_default_context(
            cadata=tls.root_certificates.decode("ascii") if tls.root_certificates else None
        )
    except (ssl.SSLError, ValueError) as error:
        raise CredentialsError("the root certificates cannot be read as PEM") from error
    context.set_alpn_protocols(["h2"])
    _, writer = await open_tls(target, context, server_name=tls.server_name, timeout_s=timeout_s)
    try:
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
    return certificate_spki_sha256(certificate)


async def open_tls(
    target: str, context: ssl.SSLContext, *, server_name: str | None = None, timeout_s: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a TLS connection, through the proxy of the environment that gRPC takes.

    Args:
        target: ``host:port`` of a listener.
        server_name: The name expected in the server's certificate, if it is not the target's host.
        timeout_s: The longest wait, seconds.

    Raises:
        ConnectionFailedError: The proxy or the server cannot be reached, or TLS fails. The message says
            which; the ``__cause__`` is the error of the socket or of TLS.
        CredentialsError: The target is not ``host:port``.
    """
    host, port = _host_and_port(target)
    proxy = proxy_to(host)
    first = (host, port) if proxy is None else (proxy.host, proxy.port)
    failed = f"no connection to {target if proxy is None else 'the proxy'}"
    try:
        async with asyncio.timeout(timeout_s), AsyncExitStack() as opened:
            connection = await asyncio.to_thread(socket.create_connection, first, timeout_s)
            opened.callback(connection.close)
            connection.setblocking(False)
            if proxy is not None:
                failed = f"the proxy makes no connection to {target}"
                await _tunnel(proxy, target, connection)
            failed = f"no trusted TLS connection to {target}"
            streams = await asyncio.open_connection(
                sock=connection, ssl=context, server_hostname=server_name or host
            )
            opened.pop_all()
    except (OSError, ValueError) as error:
        cause = _cause(error, timeout_s=timeout_s)
        through = "" if proxy is None else proxy.words
        raise ConnectionFailedError(f"{failed}: {cause}{through}") from error
    return streams


async def _tunnel(proxy: GrpcProxy, target: str, connection: socket.socket) -> None:
    """Let a proxy connect with ``target``. Raise ``ConnectionError`` if it does not."""
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    loop, answer = asyncio.get_running_loop(), b""
    try:
        await loop.sock_sendall(connection, "".join(f"{line}\r\n" for line in (*lines, "")).encode())
        while not answer.endswith(b"\r\n\r\n"):
            # What follows the answer is TLS's.
            byte = await loop.sock_recv(connection, 1)
            if not byte:
                raise ConnectionError("it ended the connection")
            if len(answer) == _MAX_ANSWER_BYTES:
                raise ConnectionError("its answer is too long")
            answer += byte
    except ConnectionResetError as error:
        raise ConnectionError("it ended the connection") from error
    status = answer.partition(b"\r\n")[0].decode("latin-1")
    if not _TUNNELLED.match(status):
        shown = "".join(char if char.isprintable() else "?" for char in status[:_MAX_STATUS_SHOWN])
        raise ConnectionError(f"it answered {shown!r}")


def _cause(error: Exception, *, timeout_s: float) -> str:
    match error:
        case TimeoutError():
            return f"no answer in {timeout_s:g} s"
        case socket.gaierror() | UnicodeError():
            return "the name is not found"
        case ssl.SSLCertVerificationError():
            return error.verify_message
        case ssl.SSLError():
            return error.reason or str(error)
        case OSError():
            return error.strerror or str(error)
        case _:
            return str(error)


def _host_and_port(target: str) -> tuple[str, int]:
    host, _, port = target.rpartition(":")
    if not _HOST.fullmatch(host) or not _PORT.fullmatch(port) or int(port) > _MAX_PORT:
        raise CredentialsError(
            f"{target!r} is not host:port: give a name or an IP address and a port, such as "
            "scan.example:8443 or [2001:db8::1]:8443, without a scheme"
        )
    return host.removeprefix("[").removesuffix("]"), int(port)

"""Reads the inputs of `verify` and `scan` before the first call: image, ticket, keys and certificates."""

import asyncio
import base64
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from facegate_client import (
    ApiKey,
    ConnectionFailedError,
    CredentialsError,
    KeySet,
    ScanTicket,
    SourceError,
    TlsSettings,
    fetch_key_set,
    is_loopback,
    load_key_set,
)

__all__ = ["certificate_explained", "read_api_key", "read_file", "read_key_set", "read_ticket", "read_tls"]

_TOKEN: Final = re.compile(r"[!-~]{1,512}")
_PROBE_SECONDS: Final = 5.0
_KEY_BYTES: Final = 32
_HEX_DIGITS: Final = 2 * _KEY_BYTES


def read_file(path: Path, what: str) -> bytes:
    """Returns the content of a file.

    Args:
        path: The file.
        what: Name of its content, for the message.

    Raises:
        SourceError: The file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{what} at {path} cannot be read: {error.strerror}") from error


async def read_key_set(jwks: str | None) -> KeySet | None:
    """Returns the server's result keys from a file or an address.

    Raises:
        ClientError: They cannot be read or reached, or are not keys.
    """
    if jwks is None:
        return None
    if jwks.startswith(("http://", "https://")):
        return await fetch_key_set(jwks)
    return load_key_set(read_file(Path(jwks), "the JWKS"))


def read_api_key(path: Path | None) -> ApiKey | None:
    """Returns the orchestrator's API key.

    Raises:
        SourceError: The file cannot be read.
        CredentialsError: The file contains no API key.
    """
    if path is None:
        return None
    try:
        return ApiKey(read_file(path, "the API key").decode("ascii").strip())
    except UnicodeDecodeError as error:
        raise CredentialsError(f"the API key in {path} is not ASCII") from error


def read_ticket(token_file: Path, challenge_key: str) -> ScanTicket:
    """Returns what the orchestrator hands to the device.

    Args:
        token_file: File with the scan token alone.
        challenge_key: The fingerprint to pin, 32 bytes: as 64 hex digits, or in Base64 as in protobuf's JSON.

    Raises:
        SourceError: The file cannot be read.
        CredentialsError: It contains no token, or the fingerprint is none.
    """
    raw = read_file(token_file, "the scan token")
    try:
        token = raw.decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not _TOKEN.fullmatch(token):
        raise CredentialsError(
            f"{token_file} must contain one scan token and nothing else: scan_token of UploadTrustedImage"
        )
    try:
        if len(challenge_key) == _HEX_DIGITS:
            key = bytes.fromhex(challenge_key)
        else:
            key = base64.b64decode(challenge_key.replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise CredentialsError(
            "--challenge-key must be the 32 bytes of challenge_key_sha256 of UploadTrustedImage, as 64 hex "
            "digits or in Base64"
        )
    return ScanTicket(token=token, challenge_key_sha256=key)


@asynccontextmanager
async def certificate_explained(
    target: str, *, ca: Path | None, certificate: Path | None, key: Path | None
) -> AsyncIterator[None]:
    """Says of a connection that fails in the block whether the server refuses the client certificate.

    A gRPC server sends no alert then: after the handshake of TLS 1.3, which the caller believes to be
    complete, it ends the connection. So this makes one more handshake, and waits for the server's first byte.

    Args:
        target: ``host:port`` of the service listener.
        ca: As for ``read_tls``.
        certificate: As for ``read_tls``.
        key: As for ``read_tls``.

    Raises:
        ConnectionFailedError: The error of the block, with the reason if it is the certificate.
    """
    try:
        yield
    except ConnectionFailedError as error:
        if (ca, certificate, key) == (None, None, None) and is_loopback(target):
            raise
        if not await _ends_after_handshake(target, ca=ca, certificate=certificate, key=key):
            raise
        shown = "gets no client certificate" if certificate is None else "refuses the client certificate"
        raise ConnectionFailedError(f"{error}: the server {shown}") from error


async def _ends_after_handshake(
    target: str, *, ca: Path | None, certificate: Path | None, key: Path | None
) -> bool:
    host, _, port = target.rpartition(":")
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate is not None and key is not None:
            context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(["h2"])
        async with asyncio.timeout(_PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname=host)
            try:
                # A server of HTTP/2 sends its settings first.
                return not await reader.read(1)
            finally:
                writer.close()
    except ssl.SSLError as error:
        # Other servers, such as proxies, send an alert: CERTIFICATE_REQUIRED, UNKNOWN_CA, BAD_CERTIFICATE.
        return "ALERT" in (error.reason or "") and "CERT" in (error.reason or "")
    except ConnectionResetError:
        return True
    except (OSError, ValueError, TimeoutError):
        return False


def read_tls(
    target: str, *, ca: Path | None, certificate: Path | None = None, key: Path | None = None
) -> TlsSettings | None:
    """Returns TLS settings if options request TLS or the target is another computer; else None.

    Args:
        target: ``host:port``.
        ca: PEM of the authorities to trust; the system's if ``None``.
        certificate: PEM of the caller's own certificate, for mutual TLS.
        key: PEM of its private key.

    Raises:
        SourceError: A file cannot be read.
        CredentialsError: Only one of certificate and key is given.
    """
    if ca is None and certificate is None and key is None and is_loopback(target):
        return None
    return TlsSettings(
        root_certificates=None if ca is None else read_file(ca, "the authorities"),
        client_certificate=None if certificate is None else read_file(certificate, "the certificate"),
        client_key=None if key is None else read_file(key, "the private key"),
    )

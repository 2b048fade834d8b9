"""RFC 3161 time stamps on checkpoints of the audit log: requested from an authority, and verified offline.

A time stamp proves that a checkpoint existed at a time, even if the audit key is stolen later. The authority
gets only a hash of the checkpoint's JWS.

::

    TimestampFailed     the authority did not answer, or its answer is no valid time stamp
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import aiohttp
from cryptography import x509

from formats.extras import missing_extra
from server.base.errors import ConfigurationError
from server.base.private_files import PrivateFileError, read_trusted_file
from server.configuration.tables import AuditSettings

try:
    import rfc3161_client
except ImportError:  # pragma: no cover - an extra, which the tests install
    rfc3161_client = None  # type: ignore[assignment]


_MAX_ROOT_BYTES: Final = 1_048_576
_MAX_RESPONSE_BYTES: Final = 65_536
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_QUERY: Final = "application/timestamp-query"


class TimestampFailed(Exception):
    """The authority did not answer, or its answer is no valid time stamp of the message."""


class TimestampRoots:
    """The root certificates of a time-stamping authority."""

    def __init__(self, path: Path) -> None:
        """Read the certificates.

        Args:
            path: PEM file with one or several certificates.

        Raises:
            ConfigurationError: The file cannot be read, holds no certificate, or the extra ``timestamps`` is
                not installed.
        """
        if rfc3161_client is None:
            raise ConfigurationError(missing_extra("audit.timestamp_url", "timestamps"))
        try:
            self._roots = x509.load_pem_x509_certificates(read_trusted_file(path, max_bytes=_MAX_ROOT_BYTES))
        except (OSError, PrivateFileError, ValueError) as error:
            raise ConfigurationError(
                f"{path}: it is no readable PEM file of certificates (audit.timestamp_roots)"
            ) from error

    def verify(self, timestamp: bytes, message: bytes, *, nonce: int | None = None) -> datetime:
        """Return the time that a time stamp proves, UTC.

        Args:
            timestamp: A time-stamp response (DER).
            nonce: The nonce of the request; ``None`` if it is not known any more.

        Raises:
            TimestampFailed: The response is malformed, refuses, is of another message, or is not signed by an
                authority of the roots.
        """
        verifier = rfc3161_client.VerifierBuilder(roots=list(self._roots), nonce=nonce).build()
        try:
            response = rfc3161_client.decode_timestamp_response(timestamp)
            verifier.verify_message(response, message)
            return response.tst_info.gen_time.astimezone(UTC)
        except (rfc3161_client.VerificationError, ValueError) as error:
            raise TimestampFailed(f"it is no valid time stamp: {error}") from error


@dataclass(frozen=True, slots=True)
class TimestampAuthority:
    """Requests time stamps.

    Attributes:
        url: Its URL, for POST over HTTP (RFC 3161, 3.4).
        roots: Its root certificates, with which each answer is verified.
    """

    url: str
    roots: TimestampRoots

    async def stamp(self, message: bytes) -> bytes:
        """Return the time-stamp response over ``message`` (DER), verified.

        Raises:
            TimestampFailed: The authority does not answer within 10 seconds, or not with a valid time stamp.
        """
        request = rfc3161_client.TimestampRequestBuilder().data(message).build()
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.post(
                    self.url,
                    data=request.as_bytes(),
                    headers={"Content-Type": _QUERY},
                    allow_redirects=False,
                ) as answer,
            ):
                if answer.status != 200:
                    raise TimestampFailed(f"the authority answered with the HTTP status {answer.status}")
                timestamp = b""
                async for chunk in answer.content.iter_any():
                    timestamp += chunk
                    if len(timestamp) > _MAX_RESPONSE_BYTES:
                        raise TimestampFailed("the answer of the authority is too long")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TimestampFailed(f"the authority does not answer: {type(error).__name__}") from error
        await asyncio.to_thread(self.roots.verify, timestamp, message, nonce=request.nonce)
        return timestamp


def open_authority(settings: AuditSettings) -> TimestampAuthority | None:
    """Return the authority of the settings; ``None`` if none is set.

    Raises:
        ConfigurationError: See ``TimestampRoots``.
    """
    if settings.timestamp_url is None or settings.timestamp_roots is None:
        return None
    return TimestampAuthority(settings.timestamp_url, TimestampRoots(settings.timestamp_roots))

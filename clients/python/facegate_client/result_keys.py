"""Fetches the public keys of results from the admin listener."""

import asyncio
import io
import ssl
from http.client import HTTPException, HTTPResponse, IncompleteRead
from socket import socket
from typing import Final, cast
from urllib.parse import SplitResult, urlsplit

from facegate_client.errors import ConnectionFailedError
from facegate_client.result_signature import KeySet, load_key_set

_MAX_BYTES: Final = 64 * 1024
_MAX_HEAD_BYTES: Final = 16 * 1024
"""Room for the status line, the headers and the chunk headers."""
_CHUNK_BYTES: Final = 16 * 1024


async def fetch_key_set(url: str, *, timeout_s: float = 5.0) -> KeySet:
    """Fetch a JWKS.

    An orchestrator calls this once over a trusted connection and stores the keys, because anyone who can
    change the response can then sign results. So no redirect is followed, and no proxy of the environment is
    used.

    Args:
        url: The http or https address, such as ``https://admin.example/.well-known/jwks.json``.
        timeout_s: The longest wait, seconds.

    Raises:
        ConnectionFailedError: The JWKS cannot be fetched or is larger than 64 KiB; the message has the cause.
        ServerNotTrustedError: The answer is not a JWKS.
    """
    try:
        async with asyncio.timeout(timeout_s):
            answer = await _answer(_address(url))
        content = None if answer is None else _body(answer)
    except (TimeoutError, OSError, HTTPException, ValueError) as error:
        cause = _cause(error, timeout_s=timeout_s)
        raise ConnectionFailedError(f"the JWKS at {url} cannot be fetched: {cause}") from error
    if content is None or len(content) > _MAX_BYTES:
        raise ConnectionFailedError(f"the JWKS at {url} is larger than {_MAX_BYTES} bytes")
    return load_key_set(content)


def _cause(error: Exception, *, timeout_s: float) -> str:
    """Return the cause of a failed fetch in words."""
    match error:
        case TimeoutError():
            return f"no complete answer arrived within {timeout_s:g} s"
        case ssl.SSLCertVerificationError():
            return f"the server's TLS certificate is not trusted ({error.verify_message})"
        case ssl.SSLError():
            return f"TLS failed ({error.reason or error})"
        case ConnectionRefusedError():
            return "the server refuses the connection"
        case IncompleteRead():
            return "the answer is cut off"
        case HTTPException() if type(error) is not HTTPException:
            return "the answer is not valid HTTP"
        case OSError():
            return f"the connection failed ({error.strerror or error})"
        case _:
            return str(error)


def _address(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the address is not http or https")
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise ValueError("a character of the address is not escaped")
    return parts


async def _answer(address: SplitResult) -> bytes | None:
    """Return all bytes until the server closes the connection; ``None`` if there are too many."""
    secure = address.scheme == "https"
    port = address.port or (443 if secure else 80)
    context = ssl.create_default_context() if secure else None
    reader, writer = await asyncio.open_connection(address.hostname, port, ssl=context)
    try:
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        host = address.netloc.rpartition("@")[2]
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n"
            "Accept-Encoding: identity\r\nConnection: close\r\n\r\n".encode("ascii")
        )
        received = bytearray()
        while more := await reader.read(_CHUNK_BYTES):
            received += more
            if len(received) > _MAX_BYTES + _MAX_HEAD_BYTES:
                return None
        return bytes(received)
    finally:
        writer.transport.abort()


def _body(answer: bytes) -> bytes:
    """Return the content of a whole answer.

    Raises:
        HTTPException: The answer is cut off, is not HTTP, or has a status other than 200.
    """
    response = HTTPResponse(cast("socket", _Received(answer)), method="GET")
    response.begin()
    if response.status != 200:
        raise HTTPException(f"the status is {response.status}")
    return response.read()


class _Received:
    """A complete answer in the form of the socket that ``http.client`` reads."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._content)

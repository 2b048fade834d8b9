"""The PROXY protocol, with which a proxy that passes TLS through says who called, before TLS.

Versions 1 (text) and 2 (binary) of https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Final, cast

import structlog

from server.base.errors import Reason
from server.edge.forwarded import TrustedProxies, unmapped
from server.telemetry.metrics import Metrics

_HEADER_SECONDS: Final = 3.0
"""From the connection to the end of its header, which a proxy sends at once."""
_FIRST_BYTES: Final = 12
"""The signature of version 2; no header of version 1 is shorter."""
_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_MOST_TEXT: Final = 107
"""Bytes of a header of version 1, with the end of its line."""
_MOST_REST: Final = 4_096
"""Bytes of a header of version 2 after its length: the addresses, and TLVs, which are not read."""
_TEXT: Final = re.compile(rb"PROXY TCP([46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (\d{1,5}) (\d{1,5})\r\n")
_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_ADDRESS_BYTES: Final = {0x0: 0, 0x1: 12, 0x2: 36, 0x3: 216}
"""Bytes of the addresses and ports of a family: none, IPv4, IPv6, Unix."""
_log = structlog.get_logger(__name__)

Receive = Callable[[int], Awaitable[bytes]]
"""Receives at most so many bytes, at least one; empty at the end."""
Begin = Callable[[socket.socket, str | None], Awaitable[object]]
"""Goes on with a connection after its header, and what ``read_caller`` returned; closes it if it fails."""


class NoHeader(Exception):
    """A connection does not begin with a header of the PROXY protocol."""


async def read_caller(receive: Receive) -> str | None:
    """Read a header, and no byte after it.

    Returns:
        The address of the caller; ``None`` if the proxy calls for itself, or for one without an IP address.

    Raises:
        NoHeader: It is malformed or too long.
        ConnectionError: The connection ended.
    """
    first = await _exactly(receive, _FIRST_BYTES)
    if first == _SIGNATURE:
        return await _read_binary(receive)
    if not first.startswith(b"PROXY "):
        raise NoHeader("the connection begins with something else")
    line = first
    while not line.endswith(b"\r\n"):
        if len(line) >= _MOST_TEXT:
            raise NoHeader(f"the line is longer than {_MOST_TEXT} bytes")
        line += await _exactly(receive, 1)
    return _caller_of(line)


def _caller_of(line: bytes) -> str | None:
    if _UNKNOWN.fullmatch(line):
        return None
    parts = _TEXT.fullmatch(line)
    if parts is None or max(int(parts[4]), int(parts[5])) > 65_535:
        raise NoHeader("the line is malformed")
    parsed = IPv4Address if parts[1] == b"4" else IPv6Address
    try:
        caller, _ = (parsed(parts[at].decode("ascii")) for at in (2, 3))
    except ValueError:
        raise NoHeader("the line has no such addresses") from None
    return str(unmapped(caller))


async def _read_binary(receive: Receive) -> str | None:
    command, kind, *length = await _exactly(receive, 4)
    size = int.from_bytes(bytes(length))
    if size > _MOST_REST:
        raise NoHeader(f"the header is longer than {_MOST_REST} bytes")
    rest = await _exactly(receive, size)
    if command == _LOCAL:
        return None
    family, transport = divmod(kind, 16)
    if command != _PROXY or transport > 2 or size < _ADDRESS_BYTES.get(family, size + 1):
        raise NoHeader("the header is malformed")
    if kind == _TCP4:
        return str(IPv4Address(rest[:4]))
    return str(unmapped(IPv6Address(rest[:16]))) if kind == _TCP6 else None


async def _exactly(receive: Receive, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = await receive(size - len(received))
        if not part:
            raise ConnectionError
        received += part
    return received


class ProxyProtocol:
    """Takes connections of trusted proxies only, and reads their headers."""

    def __init__(self, proxies: TrustedProxies, *, listener: str, metrics: Metrics) -> None:
        """Set the proxies, and the name of the listener in the log."""
        self._proxies = proxies
        self._listener = listener
        self._metrics = metrics
        self._tasks: set[asyncio.Task[None]] = set()

    def accepting(self, begin: Begin) -> asyncio.Protocol:
        """Return the protocol of one connection, which ``begin`` takes over after the header."""
        return _Accepted(partial(self._take, begin=begin))

    async def close(self) -> None:
        """End the connections that have not begun yet."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, transport: asyncio.Transport, *, begin: Begin) -> None:
        peer = str(transport.get_extra_info("peername")[0])
        if not self._proxies.trusts(peer):
            transport.abort()
            self._refuse(peer, "it is not in listeners.trusted_proxies")
            return
        try:
            # A transport reads more than the header, and TLS begins with the next byte.
            accepted = transport.get_extra_info("socket").dup()
        except OSError:
            # No file handle is left.
            return
        finally:
            transport.abort()
        task = asyncio.get_running_loop().create_task(self._serve(accepted, peer, begin))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, accepted: socket.socket, peer: str, begin: Begin) -> None:
        with ExitStack() as until_begun, suppress(OSError):
            until_begun.callback(accepted.close)
            try:
                async with asyncio.timeout(_HEADER_SECONDS):
                    caller = await read_caller(partial(asyncio.get_running_loop().sock_recv, accepted))
            except (NoHeader, TimeoutError) as error:
                self._refuse(peer, str(error) or f"it sent no header within {_HEADER_SECONDS:g} s")
                return
            until_begun.pop_all()
            await begin(accepted, caller)

    def _refuse(self, peer: str, why: str) -> None:
        _log.info("proxy_header_refused", listener=self._listener, address=peer, why=why)
        self._metrics.calls.call_refused(Reason.PERMISSION_DENIED.value)


class _Accepted(asyncio.Protocol):
    """A new connection, of which nothing was read."""

    def __init__(self, take: Callable[[asyncio.Transport], None]) -> None:
        self._take = take

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._take(cast("asyncio.Transport", transport))

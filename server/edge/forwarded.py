"""The address of a caller behind proxies that the settings trust.

A proxy appends the address from which it was called to a header. What stands to the left of it came with the
request, and may be a lie.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

Network = IPv4Network | IPv6Network
_MOST_HOPS: Final = 32


class TrustedProxies:
    """Finds out who called, from the connection and the headers ``Forwarded`` and ``X-Forwarded-For``."""

    def __init__(self, networks: Sequence[Network]) -> None:
        """Set the networks of the proxies; without any, no header is read."""
        self._networks = tuple(networks)

    def address_of(self, peer: str, *, forwarded: Sequence[str], forwarded_for: Sequence[str]) -> str:
        """Return the rightmost address that is no trusted proxy's.

        A header from anybody else is ignored. If both headers are there and differ, or the next address
        cannot be read, the last proxy stands for the caller.

        Args:
            peer: The other side of the connection.
            forwarded: The values of ``Forwarded`` (RFC 7239), in their order.
            forwarded_for: Those of ``X-Forwarded-For``.
        """
        if not self.trusts(peer):
            return peer
        found = {
            self._last(peer, hops)
            for hops in (
                [hop for value in forwarded for hop in _forwarded_hops(value)],
                [hop.strip() for value in forwarded_for for hop in value.split(",")],
            )
            if hops
        }
        return found.pop() if len(found) == 1 else peer

    def middleware(self, *, is_own: Callable[[web.Request], bool]) -> Middleware:
        """Return a middleware with which ``request.remote`` is the caller.

        Args:
            is_own: Whether a proxy sent a request for itself; its headers are not read.
        """

        @web.middleware
        async def told(request: web.Request, handler: Handler) -> web.StreamResponse:
            if is_own(request):
                return await handler(request)
            peer = request.remote or ""
            address = self.address_of(
                peer,
                forwarded=request.headers.getall("Forwarded", []),
                forwarded_for=request.headers.getall("X-Forwarded-For", []),
            )
            return await handler(request if address == peer else request.clone(remote=address))

        return told

    def _last(self, peer: str, hops: Sequence[str]) -> str:
        caller = peer
        for hop in reversed(hops[-_MOST_HOPS:]):
            address = _parsed(hop)
            if address is None:
                break
            caller = str(address)
            if not self.trusts(caller):
                break
        return caller

    def trusts(self, caller: str) -> bool:
        """Return whether an address is one of a proxy."""
        address = _parsed(caller)
        return address is not None and any(address in network for network in self._networks)


def _forwarded_hops(value: str) -> list[str]:
    """Return the ``for`` of each element; empty for one without."""
    hops = []
    for element in value.split(","):
        pairs = dict(pair.strip().lower().partition("=")[::2] for pair in element.split(";"))
        hops.append(pairs.get("for", "").strip('"'))
    return hops


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, with or without a port; ``None`` if it is none, such as ``unknown``."""
    host = text.partition("]")[0].removeprefix("[")
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return unmapped(address)


def unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return an address, of IPv4 if it is one that a listener for both kinds sees as IPv6."""
    return getattr(address, "ipv4_mapped", None) or address

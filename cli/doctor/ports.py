"""Ports: free for a server, or served by one that is ready."""

import asyncio
import errno
import ipaddress
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import combinations
from typing import Final

import aiohttp

from cli.doctor.finding import Deployment, Finding, failure, fine

__all__ = ["examine_ports"]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)


async def examine_ports(deployment: Deployment) -> list[Finding]:
    """Binds each port for a moment; if one is in use, asks the admin listener whether a server is ready."""
    listeners = deployment.settings.listeners
    places = {
        name: (one.host, one.port)
        for name, one in (
            ("device", listeners.device),
            ("service", listeners.service),
            ("admin", listeners.admin),
            ("web", listeners.web),
        )
        if one is not None and one.port
    }
    found = await asyncio.to_thread(lambda: list(_shared(places)))
    used = []
    for name, (host, port) in places.items():
        refused = await asyncio.to_thread(_bound, host, port)
        if refused is None:
            found.append(fine("PORT_FREE", f"{name}: {host}:{port}"))
        elif refused.errno == errno.EADDRINUSE:
            used.append(name)
        else:
            found.append(
                failure(
                    "PORT_UNUSABLE",
                    f"{name}: {host}:{port}: {refused.strerror or refused}",
                    expected="an address of this machine, and a port that its user may use",
                    remedy=f"correct listeners.{name}",
                )
            )
    if used:
        found.append(await _served(used, listeners.admin.host, listeners.admin.port))
    return found


def _shared(places: Mapping[str, tuple[str, int]]) -> Iterator[Finding]:
    for (first, (host, port)), (second, (other, same)) in combinations(places.items(), 2):
        if port == same and _overlap(host, other):
            yield failure(
                "PORT_TWICE",
                f"{first} and {second}: port {port}",
                expected="a port of its own for each listener",
                remedy=f"change listeners.{second}.port",
            )


def _overlap(first: str, second: str) -> bool:
    one, other = _addresses(first), _addresses(second)
    return bool(one & other) or any(address.is_unspecified for address in one | other)


def _addresses(host: str) -> frozenset[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return frozenset()
    return frozenset(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found)


def _bound(host: str, port: int) -> OSError | None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with closing(socket.socket(family, kind)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


async def _served(used: list[str], host: str, port: int) -> Finding:
    names = ", ".join(used)
    shown = f"[{host}]" if ":" in host else host
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(f"http://{shown}:{port}/readyz") as answer,
        ):
            state = json.loads(await answer.read())
            parts = dict(state["parts"])
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError):
        return failure(
            "PORT_TAKEN",
            f"{names}: in use, and no server answers on the admin port",
            expected="a free port, or one of a running server",
            remedy="stop the process that listens there, or set another port",
        )
    if not state.get("ready"):
        bad = ", ".join(name for name, ready in parts.items() if not ready)
        return failure(
            "SERVER_NOT_READY",
            f"not ready: {bad}",
            expected="/readyz answers 200",
            remedy="read its log: not_ready",
        )
    return fine("SERVER_READY", f"a server serves {names}")

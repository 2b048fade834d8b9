"""Names the proxy of the environment that an address is reached through, for errors and the log.

The libraries for HTTP that are used (aiohttp, requests, urllib, reqwest) take it by the same rules; gRPC has
its own.
"""

import os
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

_FOR_ALL: Final = "all"
_OF_GRPC: Final = ("grpc_proxy", "https_proxy", "http_proxy")
"""The variables that gRPC reads, in its order; the first that is set decides. It reads no capital letters."""
_EXCEPTIONS_OF_GRPC: Final = ("no_grpc_proxy", "no_proxy")


def proxy_named(url: str, *, or_all: bool = False) -> str:
    """Return " through the proxy HOST, which VARIABLE names", without user and password; empty without one.

    Args:
        or_all: Whether the library also takes ``ALL_PROXY``: requests and reqwest do, aiohttp and urllib not.
    """
    parts, proxies = urlsplit(url), getproxies_environment()
    if not parts.hostname or proxy_bypass(parts.hostname):
        return ""
    for kind in (parts.scheme, _FOR_ALL) if or_all else (parts.scheme,):
        if proxy := proxies.get(kind):
            lower = f"{kind}_proxy"
            variable = lower if lower in os.environ else lower.upper()
            return _named(proxy, variable)
    return ""


def grpc_proxy_named(host: str) -> str:
    """Return the same for a channel of gRPC to ``host``, which is not on this machine."""
    exceptions = next((os.environ[name] for name in _EXCEPTIONS_OF_GRPC if name in os.environ), "")
    excepted = (entry.strip().removeprefix(".") for entry in exceptions.split(","))
    variable = next((name for name in _OF_GRPC if name in os.environ), None)
    if variable is None or any(entry and f".{host}".endswith(f".{entry}") for entry in excepted):
        return ""
    proxy = os.environ[variable]
    return _named(proxy, variable) if proxy.lower().startswith("http://") else ""


def _named(proxy: str, variable: str) -> str:
    host = proxy.rpartition("@")[2].rpartition("//")[2].partition("/")[0]
    return f" through the proxy {host}, which {variable} names"

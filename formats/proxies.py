"""Names the proxy of the environment that an address of HTTP is reached through, for errors.

The libraries that are used (aiohttp, requests, urllib) take it by the same rules; gRPC has its own.
"""

import os
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

_FOR_ALL: Final = "all"


def proxy_named(url: str, *, or_all: bool = False) -> str:
    """Return " through the proxy HOST, which VARIABLE names", without user and password; empty without one.

    Args:
        or_all: Whether the library also takes ``ALL_PROXY``: requests does; aiohttp and urllib do not.
    """
    parts, proxies = urlsplit(url), getproxies_environment()
    if not parts.hostname or proxy_bypass(parts.hostname):
        return ""
    for kind in (parts.scheme, _FOR_ALL) if or_all else (parts.scheme,):
        if proxy := proxies.get(kind):
            lower = f"{kind}_proxy"
            variable = lower if lower in os.environ else lower.upper()
            host = proxy.rpartition("@")[2].rpartition("//")[2].partition("/")[0]
            return f" through the proxy {host}, which {variable} names"
    return ""

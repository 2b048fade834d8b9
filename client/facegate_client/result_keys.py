"""Gets the keys that results are signed with from the admin listener."""

from typing import Final

import aiohttp
from joserfc.jwk import KeySet

from facegate_client.errors import ConnectionFailedError
from facegate_client.result_signature import load_key_set

__all__ = ["fetch_key_set"]

_MAX_BYTES: Final = 64 * 1024


async def fetch_key_set(url: str, *, timeout_s: float = 5.0) -> KeySet:
    """Fetches a JWKS.

    An orchestrator does this once over a connection that it trusts and keeps the keys: whoever can
    change the answer can sign results.

    Args:
        url: The http or https address, such as ``https://admin.example/.well-known/jwks.json``.
        timeout_s: How long to wait, seconds.

    Raises:
        ConnectionFailedError: It cannot be fetched, or is larger than 64 KiB.
        ServerNotTrustedError: It is no JWKS.
    """
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            response.raise_for_status()
            content = await response.content.read(_MAX_BYTES + 1)
            while len(content) <= _MAX_BYTES and (more := await response.content.read(_MAX_BYTES + 1)):
                content += more
    except (TimeoutError, aiohttp.ClientError, ValueError) as error:
        raise ConnectionFailedError(f"the JWKS at {url} cannot be fetched") from error
    if len(content) > _MAX_BYTES:
        raise ConnectionFailedError(f"the JWKS at {url} is larger than {_MAX_BYTES} bytes")
    return load_key_set(content)

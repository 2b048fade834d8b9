"""Callers: the file of API keys, and their expiry."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from cli.doctor.finding import Deployment, Finding, failure, fine, warning
from server.access.api_keys import ApiKeysInvalid, load_api_keys

__all__ = ["examine_callers"]

_SOON: Final = timedelta(days=14)


async def examine_callers(deployment: Deployment) -> list[Finding]:
    """Reads the API keys."""
    return await asyncio.to_thread(lambda: list(_examine(deployment)))


def _examine(deployment: Deployment) -> Iterator[Finding]:
    service = deployment.settings.listeners.service
    if service.api_keys_file is None:
        found = (
            f"{len(service.clients)} client certificates"
            if service.clients
            else "loopback only, no credentials"
        )
        yield fine("CALLERS_READ", found)
        return
    try:
        keys = load_api_keys(service.api_keys_file).keys
    except ApiKeysInvalid as error:
        yield failure(
            "API_KEYS_UNUSABLE",
            str(error),
            expected="a private TOML file with [[key]] entries",
            remedy="facegate keys new-api-key prints an entry",
        )
        return
    ends = {key.caller.name: key.expires - deployment.now for key in keys if key.expires is not None}
    ended = sorted(name for name, left in ends.items() if left <= timedelta())
    soon = sorted(name for name, left in ends.items() if timedelta() < left < _SOON)
    remedy = "facegate keys new-api-key, hand the key over, and remove the old entry"
    if keys and len(ended) == len(keys):
        yield failure(
            "API_KEYS_ALL_EXPIRED", ", ".join(ended), expected="a key that callers can use", remedy=remedy
        )
    elif ended or soon:
        yield warning(
            "API_KEYS_EXPIRE",
            "; ".join(
                text
                for text in (
                    f"expired: {', '.join(ended)}" if ended else "",
                    f"within {_SOON.days} days: {', '.join(soon)}" if soon else "",
                )
                if text
            ),
            expected=f"more than {_SOON.days} days",
            remedy=remedy,
        )
    else:
        yield fine("API_KEYS_READ", f"{len(keys)} keys")

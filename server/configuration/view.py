"""Settings for display: flat, with secrets masked."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from server.configuration.settings import Settings

__all__ = ["holds_secret", "mask_url", "shown_settings"]

_MASK = "***"
_URLS = frozenset(
    {
        "audit.timestamp_url",
        "audit.witness_url",
        "storage.database_url",
        "storage.objects_url",
        "trusted_images.source",
        "trusted_images.s3.endpoint",
    }
)
_SECRET_WORD = re.compile(r"pass|pwd|secret|token|key|sas|sig|cred", re.IGNORECASE)


def shown_settings(settings: Settings) -> dict[str, Any]:
    """Returns every setting by its dotted key, in the order of the schema; ``None`` if it is not set.

    An optional table that is not set, such as ``listeners.device.tls``, is one entry.
    """
    flat = dict(_leaves(settings.model_dump(mode="json")))
    return {
        key: mask_url(value) if key in _URLS and isinstance(value, str) else value
        for key, value in flat.items()
    }


def mask_url(url: str) -> str:
    """Returns ``url`` without the password of its user part and the values of secret parameters.

    A text that cannot be parsed is masked entirely.
    """
    try:
        parts = urlsplit(url)
        user, at, place = parts.netloc.rpartition("@")
        if at:
            name, colon, _ = user.partition(":")
            user = f"{name}:{_MASK}" if colon else name
        query = urlencode(
            [
                (name, _MASK if _SECRET_WORD.search(name) else value)
                for name, value in parse_qsl(parts.query, keep_blank_values=True)
            ],
            safe="*/:",
        )
        masked = urlunsplit((parts.scheme, f"{user}{at}{place}", parts.path, query, parts.fragment))
    except ValueError:
        return _MASK
    # urlunsplit drops an empty authority, as in the three slashes of sqlite:///file.
    if url.startswith(f"{parts.scheme}:///") and not masked.startswith(f"{parts.scheme}:///"):
        masked = masked.replace(f"{parts.scheme}:", f"{parts.scheme}://", 1)
    return masked


def holds_secret(url: str) -> bool:
    """Returns whether ``mask_url`` masks a part of ``url``."""
    return mask_url(url).count(_MASK) > url.count(_MASK)


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value

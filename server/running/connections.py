"""How the listeners share the connections that the process may have open.

A server without a free file handle accepts no connection on any listener, not even from its operators.
Therefore each listener has a maximum number of connections, which together leave a reserve for the database,
objects and decoders.
"""

from dataclasses import dataclass

from server.base.errors import ConfigurationError
from server.configuration.settings import LimitSettings

__all__ = ["ADMIN_CONNECTIONS", "ConnectionLimits", "share"]

ADMIN_CONNECTIONS = 64
"""Maximum connections of the admin listener."""
_RESERVE = 256
"""Handles for files that the server itself opens: database, objects, models, decoders, key files."""
_MOST_CONNECTIONS = 20_000
"""Maximum connections of one listener with any number of handles, because a connection also takes memory."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The maximum number of connections of each listener that is not for operators.

    Attributes:
        device: Of the device listener.
        service: Of the service listener.
        web: Of the web listener; 0 without one.
    """

    device: int
    service: int
    web: int


def share(limits: LimitSettings, *, handles: int, web: bool = False) -> ConnectionLimits:
    """Divides the handles between the listeners.

    Args:
        limits: The limits of the server; each scan, call, upload and watch may need a separate connection.
        handles: The number of handles that the process may have open; negative for no limit.
        web: Whether there is a web listener, which gets as many connections as the device listener.

    Raises:
        ConfigurationError: There are too few handles.
    """
    scans, calls = limits.max_scans, limits.max_unary + limits.max_uploads + limits.max_watches
    needed = (4 if web else 2) * scans + calls + ADMIN_CONNECTIONS + _RESERVE
    if handles < 0:
        return ConnectionLimits(_MOST_CONNECTIONS, _MOST_CONNECTIONS, _MOST_CONNECTIONS if web else 0)
    if handles < needed:
        raise ConfigurationError(
            f"the process may have {handles} files open, but the limits of the settings need {needed}: raise "
            "the hard limit (`ulimit -Hn`, LimitNOFILE= of systemd, --ulimit nofile= of Docker), or lower "
            "limits.max_scans, limits.max_unary, limits.max_uploads or limits.max_watches"
        )
    free = handles - ADMIN_CONNECTIONS - _RESERVE
    service = min(_MOST_CONNECTIONS, max(calls, free // 4))
    scanning = min(_MOST_CONNECTIONS, (free - service) // (2 if web else 1))
    return ConnectionLimits(device=scanning, service=service, web=scanning if web else 0)

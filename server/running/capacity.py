"""The number of calls and connections that a server serves at once, and how its tenants share them.

A server without a free file handle accepts no connection on any listener, not even from its operators.
Therefore each listener has a maximum number of connections, which together leave a reserve for the database,
objects and decoders.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from server.base.errors import ConfigurationError
from server.base.sandbox import memory_scopes
from server.configuration.tables import AnalysisSettings, LimitSettings
from server.edge.places import Line, PlaceRules, Places
from server.telemetry.metrics import Metrics

MAX_UNARY: Final = 64
"""Unary calls at once that are neither uploads nor selfies: each reads or writes a row or two."""
MAX_WATCHES: Final = 128
"""Streams of WatchCheck at once: the database is queried for all of them together, twice a second."""
_VIDEOS = 2
"""Videos for each process: one is decoded and analysed while another arrives."""
_SCAN_SECONDS = 8.0
"""How long a scan holds its place, before any was seen."""
_ANALYSIS_RETRY_SECONDS = 4.0
"""The first delay for refused callers, as in the older video API. It doubles with each refusal in a row."""
_EVIDENCE_CALLS = 4
"""Calls of compliance, reviews and webhooks at once: those of people, of which an export holds megabytes."""
WAIT_SECONDS: Final = 4.0
"""How long a unary call, an upload, a selfie or a video waits for a place: less than the callers' deadline of
5 seconds. Scans and watches do not wait."""
_WAITING = 16
_WAITING_OF_PARTY = 8
"""Waiting calls of one kind, in all and of one party. Waiting uploads and selfies keep their messages of up
to 11 MiB in memory: 352 MiB in all, 176 MiB of one party."""
_PARTY_SHARE = 0.75
"""One party may hold most of the places, and another finds some. ``limits.tenants`` divides otherwise."""


class Capacity:
    """The places of each kind of call.

    Attributes:
        scans: ScanFace, after the token was verified.
        calls: Unary calls that are neither uploads nor selfies.
        videos: AnalyzeVideo, from the first message on.
    """

    def __init__(
        self,
        limits: LimitSettings,
        analysis: AnalysisSettings,
        *,
        scans: int,
        max_unary: int = MAX_UNARY,
        max_watches: int = MAX_WATCHES,
        several: Callable[[], bool],
        metrics: Metrics,
    ) -> None:
        """Create the places, all of them free.

        Short calls wait in line. A scan, a watch or a video may hold its place for minutes, so a share of
        their places is kept free if several tenants call. A video also waits in line.

        Args:
            analysis: The limits of AnalysisService.
            scans: The number of scans at once (``Settings.max_scans``).
            several: Returns whether callers of more than one party are configured.
        """
        line = Line(of_party=_WAITING_OF_PARTY, of_all=_WAITING, seconds=WAIT_SECONDS)

        def places(kind: str, most: int, **rules: Any) -> Places:
            quotas = {
                scope: quota.places_of(most)
                for tenant, quota in limits.tenants.items()
                for scope in memory_scopes(tenant)
            }
            return Places(
                kind, PlaceRules(most=most, quotas=quotas, **rules), metrics=metrics, several=several
            )

        shared: dict[str, Any] = {"share": _PARTY_SHARE}
        slow: dict[str, Any] = {"line": line, "retry_seconds": _ANALYSIS_RETRY_SECONDS}
        self.scans = places("scans", scans, typical_seconds=_SCAN_SECONDS, **shared)
        self.calls = places("calls", max_unary, line=line)
        self.uploads = places("uploads", limits.max_uploads, line=line)
        self.watches = places("watches", max_watches, **shared)
        # Apart from the calls of checks, which wait for no export.
        self.evidence = places("evidence", _EVIDENCE_CALLS, line=line, **shared)
        self.selfies = places("selfies", limits.max_uploads, **slow)
        self.videos = places("videos", _VIDEOS * max(1, analysis.video_workers), **slow, **shared)


ADMIN_CONNECTIONS = 64
"""Maximum connections of the admin listener."""
CONSOLE_CONNECTIONS = 128
"""Maximum connections of the console."""
_RESERVE = 256
"""Handles for files that the server itself opens: database, objects, models, decoders, key files."""
_MOST_CONNECTIONS = 20_000
"""Maximum connections of one listener with any number of handles, because a connection also takes memory."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The maximum number of connections of each listener that is not for operators.

    Attributes:
        web: Of the web listener; 0 without one.
    """

    device: int
    service: int
    web: int


def share(
    limits: LimitSettings, *, scans: int, handles: int, web: bool = False, console: bool = False
) -> ConnectionLimits:
    """Divide the handles between the listeners.

    Args:
        limits: The limits of the server; each scan, call, upload and watch may need a separate connection.
        scans: The number of scans at once (``Settings.max_scans``).
        handles: The number of handles that the process may have open; negative for no limit.
        web: Whether there is a web listener, which gets as many connections as the device listener.
        console: Whether there is a console.

    Raises:
        ConfigurationError: There are too few handles.
    """
    calls = MAX_UNARY + limits.max_uploads + MAX_WATCHES
    reserve = ADMIN_CONNECTIONS + _RESERVE + (CONSOLE_CONNECTIONS if console else 0)
    needed = (4 if web else 2) * scans + calls + reserve
    if handles < 0:
        return ConnectionLimits(_MOST_CONNECTIONS, _MOST_CONNECTIONS, _MOST_CONNECTIONS if web else 0)
    if handles < needed:
        raise ConfigurationError(
            f"the process may have {handles} files open, but the limits of the settings need {needed}: raise "
            "the hard limit (`ulimit -Hn`, LimitNOFILE= of systemd, --ulimit nofile= of Docker), or lower "
            "limits.max_scans or limits.max_uploads"
        )
    free = handles - reserve
    service = min(_MOST_CONNECTIONS, max(calls, free // 4))
    scanning = min(_MOST_CONNECTIONS, (free - service) // (2 if web else 1))
    return ConnectionLimits(device=scanning, service=service, web=scanning if web else 0)

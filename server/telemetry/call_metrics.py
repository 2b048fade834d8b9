"""Metrics of calls: refused, waiting and served calls."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge

from server.errors import Reason

__all__ = ["CallMetrics"]


class CallMetrics:
    """Counts calls of every kind."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers the metrics, which a registry accepts only once."""
        self._refusals = Counter(
            "facegate_refusals",
            "Calls that ended with an error, by ErrorInfo reason.",
            ["reason"],
            registry=registry,
        )
        for reason in (Reason.INTERNAL, Reason.NOT_SERVING, Reason.TOKEN_INVALID, Reason.UNAUTHENTICATED):
            # An alert sees the first refusal only if its counter was there before, with 0.
            self._refusals.labels(reason.value)
        self._waiting = Gauge(
            "facegate_streams_waiting",
            "Calls whose first message has not arrived, by the awaited message: the start of a scan "
            "(scan_start), a message of an unknown caller (message), or a known caller's request (request).",
            ["awaited"],
            registry=registry,
        )
        self._sent_away = Counter(
            "facegate_streams_sent_away",
            "Calls that ended because their first message did not arrive, by the awaited message and cause: "
            "too_late, or gave_way to a newer call.",
            ["awaited", "cause"],
            registry=registry,
        )
        self._places = Gauge(
            "facegate_places_in_use",
            "Calls that hold a place, by kind; the settings limit the places of each kind.",
            ["kind"],
            registry=registry,
        )
        self._limits = Gauge(
            "facegate_places_limit",
            "The number of places, by kind.",
            ["kind"],
            registry=registry,
        )
        self._in_line = Gauge(
            "facegate_places_awaited",
            "Calls that wait for a place, by kind.",
            ["kind"],
            registry=registry,
        )
        self._places_refused = Counter(
            "facegate_places_refused",
            "Calls that were refused because they got no place, by kind and cause: none_free, line_full, "
            "too_late, gave_way to another tenant, or tenant_limit if the caller's tenant holds its maximum.",
            ["kind", "cause"],
            registry=registry,
        )
        self._connections_lost = Counter(
            "facegate_connections_lost",
            "Scan streams whose connection was lost before their end.",
            registry=registry,
        )
        self._analyses = Counter(
            "facegate_analyses",
            "Calls of AnalysisService, by kind and outcome: ANSWERED, or the reason why there is no verdict.",
            ["kind", "outcome"],
            registry=registry,
        )

    def call_refused(self, reason: str) -> None:
        """Counts a call that ended with an error."""
        self._refusals.labels(reason).inc()

    @contextmanager
    def waiting(self, awaited: str) -> Iterator[None]:
        """Counts a call as waiting for its first message while this context is open."""
        with self._waiting.labels(awaited).track_inprogress():
            yield

    def sent_away(self, awaited: str, cause: str) -> None:
        """Counts a call that ended without its first message: ``too_late``, or ``gave_way`` to another."""
        self._sent_away.labels(awaited, cause).inc()

    def places(self, kind: str, *, taken: int, waiting: int) -> None:
        """Sets the number of calls of a kind that hold a place, and the number that wait for one."""
        self._places.labels(kind).set(taken)
        self._in_line.labels(kind).set(waiting)

    def place_limit(self, kind: str, most: int) -> None:
        """Sets the number of places of a kind."""
        self._limits.labels(kind).set(most)

    def place_refused(self, kind: str, cause: str) -> None:
        """Counts a call that was refused because it got no place."""
        self._places_refused.labels(kind, cause).inc()

    def connection_lost(self) -> None:
        """Counts a scan stream whose connection was lost."""
        self._connections_lost.inc()

    def count_analysis(self, kind: str, outcome: str) -> None:
        """Counts an analysis of an ``image`` or a ``video``; ``outcome`` never contains its verdict."""
        self._analyses.labels(kind, outcome).inc()

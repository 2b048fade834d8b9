"""What operators measure of calls: those that are refused, wait, or are worked on."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge

__all__ = ["CallMetrics"]


class CallMetrics:
    """Counts calls of every kind."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers the metrics; a registry takes them once."""
        self._refusals = Counter(
            "facegate_refusals",
            "Calls that ended with an error, by ErrorInfo reason.",
            ["reason"],
            registry=registry,
        )
        self._waiting = Gauge(
            "facegate_streams_waiting",
            "Calls whose message has not arrived, by what is awaited: the start of a scan, a message of "
            "anybody, "
            "or the request of a caller that is known.",
            ["awaited"],
            registry=registry,
        )
        self._sent_away = Counter(
            "facegate_streams_sent_away",
            "Calls whose message did not arrive, by what was awaited and why it was not awaited longer: "
            "too_late, "
            "or gave_way to others.",
            ["awaited", "cause"],
            registry=registry,
        )
        self._places = Gauge(
            "facegate_places_in_use",
            "Calls of a kind that are being worked on, of those that the settings allow at once.",
            ["kind"],
            registry=registry,
        )
        self._in_line = Gauge(
            "facegate_places_awaited",
            "Calls of a kind that wait for such a place.",
            ["kind"],
            registry=registry,
        )
        self._places_refused = Counter(
            "facegate_places_refused",
            "Calls that were refused for want of a place, by kind and cause: none_free, line_full, too_late, "
            "gave_way to another tenant, or tenant_limit, where the caller's own tenant has all that it may.",
            ["kind", "cause"],
            registry=registry,
        )
        self._analyses = Counter(
            "facegate_analyses",
            "Calls of AnalysisService, by kind and outcome: ANSWERED, or why there is no verdict.",
            ["kind", "outcome"],
            registry=registry,
        )

    def call_refused(self, reason: str) -> None:
        """A call ended with an error."""
        self._refusals.labels(reason).inc()

    @contextmanager
    def waiting(self, awaited: str) -> Iterator[None]:
        """A call's message is awaited for as long as this context is open."""
        with self._waiting.labels(awaited).track_inprogress():
            yield

    def sent_away(self, awaited: str, cause: str) -> None:
        """A call's message is awaited no longer: it is ``too_late``, or ``gave_way`` to others."""
        self._sent_away.labels(awaited, cause).inc()

    def places(self, kind: str, *, taken: int, waiting: int) -> None:
        """How many calls of a kind are being worked on, and how many wait for that."""
        self._places.labels(kind).set(taken)
        self._in_line.labels(kind).set(waiting)

    def place_refused(self, kind: str, cause: str) -> None:
        """A call was refused for want of a place."""
        self._places_refused.labels(kind, cause).inc()

    def analysed(self, kind: str, outcome: str) -> None:
        """An analysis of an ``image`` or a ``video`` ended; never with its verdict."""
        self._analyses.labels(kind, outcome).inc()

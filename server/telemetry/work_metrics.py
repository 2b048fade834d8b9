"""Metrics of work: the times of waits and of models, and failures of stores and keys."""

from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["WorkMetrics"]

_WAIT_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_MODEL_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0)
_OPERATIONS: Final = {
    "database": ("read", "write"),
    "objects": ("put", "get", "delete", "look up", "list"),
}


class WorkMetrics:
    """Measures workers, models, stores and keys."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers the metrics, which a registry accepts only once."""
        self._worker_waits = Histogram(
            "facegate_worker_wait_seconds",
            "Seconds that work waited for a free thread, by pool: scans or portraits. Work that runs only "
            "when nothing else waits is not counted.",
            ["pool"],
            buckets=_WAIT_SECONDS,
            registry=registry,
        )
        self._place_waits = Histogram(
            "facegate_place_wait_seconds",
            "Seconds that calls waited in line for a place, by kind. Calls that got one at once are not "
            "counted.",
            ["kind"],
            buckets=_WAIT_SECONDS,
            registry=registry,
        )
        self._credit_waits = Histogram(
            "facegate_credit_wait_seconds",
            "Seconds that devices without credit for a further frame waited until the server granted some.",
            buckets=_WAIT_SECONDS,
            registry=registry,
        )
        self._models = Histogram(
            "facegate_model_seconds",
            "Seconds that one call of a model took, by its role in the pack: detector, landmarks, embedder "
            "or pad. Portraits, frames and analyses together.",
            ["role"],
            buckets=_MODEL_SECONDS,
            registry=registry,
        )
        self._memory_short = Gauge(
            "facegate_memory_short",
            "1 while new scans are refused because the server is short of memory, otherwise 0.",
            registry=registry,
        )
        self._storage_errors = Counter(
            "facegate_storage_errors",
            "Failed operations, by store (database or objects) and operation.",
            ["store", "operation"],
            registry=registry,
        )
        self._key_errors = Counter(
            "facegate_key_errors",
            "Uses of a key that this server does not have, by the purpose of the key: challenge or evidence.",
            ["purpose"],
            registry=registry,
        )
        self._quota_use = Gauge(
            "facegate_quota_use_ratio",
            "The largest share, 0 to 1, that a tenant uses of its maximum number of places; by kind.",
            ["kind"],
            registry=registry,
        )
        self._tenant_places = Gauge(
            "facegate_tenant_places_in_use",
            "Places in use, by kind and tenant; only with telemetry.tenant_names.",
            ["kind", "tenant"],
            registry=registry,
        )

        # An alert on an increase sees the first event only if its counter was there before, with 0.
        for store, operations in _OPERATIONS.items():
            for operation in operations:
                self._storage_errors.labels(store, operation)
        for purpose in ("challenge", "evidence"):
            self._key_errors.labels(purpose)

    def worker_waits(self, pool: str) -> Callable[[float], None]:
        """Returns a function that records how long work waited for a thread of a pool, in seconds."""
        return self._worker_waits.labels(pool).observe

    def waited_for_place(self, kind: str, seconds: float) -> None:
        """Records that a call waited in line for a place."""
        self._place_waits.labels(kind).observe(seconds)

    def waited_for_credit(self, seconds: float) -> None:
        """Records that a device waited for credit."""
        self._credit_waits.observe(seconds)

    def model_times(self, role: str) -> Callable[[float], None]:
        """Returns a function that records the time of one call of a model, in seconds."""
        return self._models.labels(role).observe

    def storage_failed(self, store: str, operation: str) -> None:
        """Counts a failed operation of the ``database`` or of the ``objects``."""
        self._storage_errors.labels(store, operation).inc()

    def key_missing(self, purpose: str) -> None:
        """Counts a use of a ``challenge`` or ``evidence`` key that this server does not have."""
        self._key_errors.labels(purpose).inc()

    def quota_used(self, kind: str, share: float) -> None:
        """Sets the largest share of its maximum number of places that a tenant holds."""
        self._quota_use.labels(kind).set(share)

    def tenants_hold(self, kind: str, held: Mapping[str, int]) -> None:
        """Sets the places of tenants; 0 for those that hold none any more."""
        for tenant, places in held.items():
            self._tenant_places.labels(kind, tenant).set(places)

    def memory_changed(self, *, short: bool) -> None:
        """Sets whether new scans are refused for want of memory."""
        self._memory_short.set(short)

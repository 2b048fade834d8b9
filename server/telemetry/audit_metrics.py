"""Metrics of the audit log."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from server.audit import AuditAction

__all__ = ["AuditMetrics"]


class AuditMetrics:
    """Reports the state of the audit log."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers the metrics, which a registry accepts only once."""
        self._entries = Gauge(
            "facegate_audit_entries", "Entries of the audit log, of all tenants.", registry=registry
        )
        self._uncovered = Gauge(
            "facegate_audit_uncovered_seconds",
            "Age of the oldest entry of the audit log that no signed checkpoint covers; 0 if there is none.",
            registry=registry,
        )
        self._checkpoints = Counter(
            "facegate_audit_checkpoints", "Checkpoints that this server signed.", registry=registry
        )
        self._failed = Counter(
            "facegate_audit_appends_failed",
            "Entries that could not be appended to the audit log, by action. The server then refuses the "
            "action. Entries on refused access and changed files record what already happened.",
            ["action"],
            registry=registry,
        )
        for action in AuditAction:
            # An alert on an increase sees the first event only if its counter was there before, with 0.
            self._failed.labels(action.value)
        self._unstamped = Counter(
            "facegate_audit_timestamps_failed",
            "Failed requests for a time stamp on a checkpoint; they are repeated.",
            registry=registry,
        )

        self._stopped = Gauge(
            "facegate_audit_signing_stopped",
            "1 while this server signs no checkpoint because the audit log does not extend what was signed "
            "before: it was changed, or the database is older; otherwise 0.",
            registry=registry,
        )
        self._witness_failed = Counter(
            "facegate_audit_witness_failed",
            "Failures to read or write the witness of the audit log; they are repeated. Without it, no "
            "checkpoint is signed.",
            registry=registry,
        )

    def log_read(self, *, entries: int, uncovered_seconds: float) -> None:
        """Records the state of the log.

        Args:
            entries: The number of entries.
            uncovered_seconds: The age of the oldest entry that no checkpoint covers; 0 if there is none.
        """
        self._entries.set(entries)
        self._uncovered.set(uncovered_seconds)

    def checkpoints_made(self, count: int) -> None:
        """Counts signed checkpoints."""
        self._checkpoints.inc(count)

    def append_failed(self, action: str) -> None:
        """Counts an entry that could not be appended.

        Args:
            action: A value of ``server.audit.AuditAction``.
        """
        self._failed.labels(action).inc()

    def timestamp_failed(self) -> None:
        """Counts a failed request for a time stamp."""
        self._unstamped.inc()

    def signing_stopped(self, *, stopped: bool) -> None:
        """Records whether the log does not extend what was signed before."""
        self._stopped.set(stopped)

    def witness_failed(self) -> None:
        """Counts a failure of the witness."""
        self._witness_failed.inc()

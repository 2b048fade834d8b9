"""The metrics of a server, as Prometheus metrics in a given registry.

No label carries an identifier of a check, a person or a device, and none a tenant's name unless the settings
ask for it. The values of every other label come from a fixed list.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from server.audit import AuditAction
from server.base.errors import Reason
from server.base.process_limits import file_handles
from server.domain.tries import TryKind
from server.telemetry.logging import suppressed_lines
from server.telemetry.stages import Stage, Stages
from server.verdict import CheckStatus
from vision.packs import Pack

_VERDICT_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0)
_WAIT_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_MODEL_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0)
_OPERATIONS: Final = {
    "database": ("read", "write"),
    "objects": ("put", "get", "delete", "look up", "list"),
}


class CheckMetrics:
    """Counts checks, scans and attempts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics, which a registry accepts only once."""
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)
        self._created = counter("facegate_checks_created", "Checks that were created.", ["sandbox"])
        self._refused_images = counter(
            "facegate_trusted_images_refused",
            "Trusted images that were refused, by ErrorInfo reason.",
            ["reason", "sandbox"],
        )
        self._decided = counter(
            "facegate_checks_decided", "Checks that were decided, by status.", ["status", "sandbox"]
        )
        self._reasons = counter(
            "facegate_check_failure_reasons",
            "Reasons of failed checks; a check may have several.",
            ["reason", "sandbox"],
        )
        self._scans = gauge("facegate_scans_in_progress", "Scan streams that hold a lease.")
        self._refused_tries = counter(
            "facegate_tries_refused",
            "Uploads and scans that were refused after too many failed checks, by the limited kind: subject, "
            "portrait or device.",
            ["limited", "sandbox"],
        )
        self._evidence_problems = counter(
            "facegate_evidence_problems",
            "Evidence images that could not be returned, by problem: LOST, ALTERED or UNAVAILABLE.",
            ["problem"],
        )
        self._erased = counter(
            "facegate_checks_erased", "Checks that were erased after their retention ended."
        )
        self._judged = counter(
            "facegate_attempts_judged",
            "Attempts that were judged, by liveness verdict.",
            ["verdict", "sandbox"],
        )
        self._verdict_seconds = histogram(
            "facegate_verdict_seconds",
            "Seconds from the end of an attempt to its stored outcome.",
            ["sandbox"],
            buckets=_VERDICT_SECONDS,
        )
        self._frames = counter("facegate_frames_received", "Frames that devices sent in attempts.")
        self._dropped = counter(
            "facegate_frames_dropped",
            "Images that devices dropped before they sent them, as they report it at the end of an attempt.",
        )
        self._feedback = counter("facegate_feedback", "Feedback that was sent to devices, by code.", ["code"])
        # An alert on an increase sees the first event only if its counter was there before, with 0.
        for sandbox in (_word(False), _word(True)):
            for status in CheckStatus:
                self._decided.labels(status.value, sandbox)
            for limited in TryKind:
                self._refused_tries.labels(limited.value, sandbox)
        for problem in ("LOST", "ALTERED", "UNAVAILABLE"):
            self._evidence_problems.labels(problem)

    def check_created(self, *, sandbox: bool) -> None:
        """Count an accepted trusted image."""
        self._created.labels(_word(sandbox)).inc()

    def image_refused(self, reason: str, *, sandbox: bool) -> None:
        """Count a refused trusted image."""
        self._refused_images.labels(reason, _word(sandbox)).inc()

    def check_decided(self, *, status: str, reasons: Iterable[str], sandbox: bool) -> None:
        """Count a decided check and its reasons."""
        self._decided.labels(status, _word(sandbox)).inc()
        for reason in reasons:
            self._reasons.labels(reason, _word(sandbox)).inc()

    def scan(self) -> AbstractContextManager[None]:
        """Count a scan as in progress while this context is open."""
        return self._scans.track_inprogress()

    def attempt_judged(self, *, verdict: str, seconds: float, sandbox: bool) -> None:
        """Count a judged attempt; ``seconds`` is the time from its end to its stored outcome."""
        self._judged.labels(verdict, _word(sandbox)).inc()
        self._verdict_seconds.labels(_word(sandbox)).observe(seconds)

    def attempt_received(self, *, frames: int, dropped: int) -> None:
        """Count the frames of an attempt that ended, and the images that its device dropped."""
        self._frames.inc(frames)
        self._dropped.inc(dropped)

    def feedback_sent(self, code: str) -> None:
        """Count feedback that was sent to a device."""
        self._feedback.labels(code).inc()

    def try_refused(self, limited: str, *, sandbox: bool) -> None:
        """Count an upload or scan refused after too many failed checks of a subject, portrait or device."""
        self._refused_tries.labels(limited, _word(sandbox)).inc()

    def evidence_problem(self, problem: str) -> None:
        """Count an evidence image that could not be returned.

        Args:
            problem: ``LOST``, ``ALTERED`` or ``UNAVAILABLE``; ``KEY_MISSING`` counts as the last.
        """
        self._evidence_problems.labels("UNAVAILABLE" if problem == "KEY_MISSING" else problem).inc()

    def checks_erased(self, count: int) -> None:
        """Count erased checks."""
        self._erased.inc(count)


class CallMetrics:
    """Counts calls of every kind."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics, which a registry accepts only once."""
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        self._refusals = counter(
            "facegate_refusals", "Calls that ended with an error, by ErrorInfo reason.", ["reason"]
        )
        for reason in (Reason.INTERNAL, Reason.NOT_SERVING, Reason.TOKEN_INVALID, Reason.UNAUTHENTICATED):
            # An alert sees the first refusal only if its counter was there before, with 0.
            self._refusals.labels(reason.value)
        self._waiting = gauge(
            "facegate_streams_waiting",
            "Calls whose first message has not arrived, by the awaited message: the start of a scan "
            "(scan_start), a message of an unknown caller (message), or a known caller's request (request).",
            ["awaited"],
        )
        self._sent_away = counter(
            "facegate_streams_sent_away",
            "Calls that ended because their first message did not arrive, by the awaited message and cause: "
            "too_late, or gave_way to a newer call.",
            ["awaited", "cause"],
        )
        self._places = gauge(
            "facegate_places_in_use",
            "Calls that hold a place, by kind; the settings limit the places of each kind.",
            ["kind"],
        )
        self._limits = gauge("facegate_places_limit", "The number of places, by kind.", ["kind"])
        self._in_line = gauge("facegate_places_awaited", "Calls that wait for a place, by kind.", ["kind"])
        self._places_refused = counter(
            "facegate_places_refused",
            "Calls that were refused because they got no place, by kind and cause: none_free, line_full, "
            "too_late, gave_way to another tenant, or tenant_limit if the caller's tenant holds its maximum.",
            ["kind", "cause"],
        )
        self._connections_lost = counter(
            "facegate_connections_lost", "Scan streams whose connection was lost before their end."
        )
        self._analyses = counter(
            "facegate_analyses",
            "Calls of AnalysisService, by kind and outcome: ANSWERED, or the reason why there is no verdict.",
            ["kind", "outcome"],
        )

    def call_refused(self, reason: str) -> None:
        """Count a call that ended with an error."""
        self._refusals.labels(reason).inc()

    def waiting(self, awaited: str) -> AbstractContextManager[None]:
        """Count a call as waiting for its first message while this context is open."""
        return self._waiting.labels(awaited).track_inprogress()

    def sent_away(self, awaited: str, cause: str) -> None:
        """Count a call that ended without its first message: ``too_late``, or ``gave_way`` to another."""
        self._sent_away.labels(awaited, cause).inc()

    def places(self, kind: str, *, taken: int, waiting: int) -> None:
        """Set the number of calls of a kind that hold a place, and the number that wait for one."""
        self._places.labels(kind).set(taken)
        self._in_line.labels(kind).set(waiting)

    def place_limit(self, kind: str, most: int) -> None:
        """Set the number of places of a kind."""
        self._limits.labels(kind).set(most)

    def place_refused(self, kind: str, cause: str) -> None:
        """Count a call that was refused because it got no place."""
        self._places_refused.labels(kind, cause).inc()

    def connection_lost(self) -> None:
        """Count a scan stream whose connection was lost."""
        self._connections_lost.inc()

    def count_analysis(self, kind: str, outcome: str) -> None:
        """Count an analysis of an ``image`` or a ``video``; ``outcome`` never contains its verdict."""
        self._analyses.labels(kind, outcome).inc()


class WorkMetrics:
    """Measures workers, models, decoder processes, stores and keys."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics, which a registry accepts only once."""
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)
        self._worker_waits = histogram(
            "facegate_worker_wait_seconds",
            "Seconds that work waited for a free thread, by pool: scans or portraits. Work that runs only "
            "when nothing else waits is not counted.",
            ["pool"],
            buckets=_WAIT_SECONDS,
        )
        self._place_waits = histogram(
            "facegate_place_wait_seconds",
            "Seconds that calls waited in line for a place, by kind. Calls that got one at once are not "
            "counted.",
            ["kind"],
            buckets=_WAIT_SECONDS,
        )
        self._credit_waits = histogram(
            "facegate_credit_wait_seconds",
            "Seconds that devices without credit for a further frame waited until the server granted some.",
            buckets=_WAIT_SECONDS,
        )
        self._models = histogram(
            "facegate_model_seconds",
            "Seconds that one call of a model took, by its role in the pack: detector, landmarks, embedder "
            "or pad. Portraits, frames and analyses together.",
            ["role"],
            buckets=_MODEL_SECONDS,
        )
        self._on_gpu = gauge("facegate_models_on_gpu", "1 if the models run on a GPU, 0 if on the CPU.")
        self._isolated = counter(
            "facegate_isolated_decodes",
            "Images that were sent to a decoder process, by outcome: decoded, refused, lost or no_worker.",
            ["outcome"],
        )
        self._decoders_replaced = counter(
            "facegate_decoders_replaced",
            "Decoder processes that were replaced, by cause. The cause `worn` is a planned replacement, "
            "not an error.",
            ["cause"],
        )
        self._memory_short = gauge(
            "facegate_memory_short",
            "1 while new scans are refused because the server is short of memory, otherwise 0.",
        )
        self._storage_errors = counter(
            "facegate_storage_errors",
            "Failed operations, by store (database or objects) and operation.",
            ["store", "operation"],
        )
        self._key_errors = counter(
            "facegate_key_errors",
            "Uses of a key that this server does not have, by the purpose of the key: challenge or evidence.",
            ["purpose"],
        )
        self._quota_use = gauge(
            "facegate_quota_use_ratio",
            "The largest share, 0 to 1, that a tenant uses of its maximum number of places; by kind.",
            ["kind"],
        )
        self._tenant_places = gauge(
            "facegate_tenant_places_in_use",
            "Places in use, by kind and tenant; only with telemetry.tenant_names.",
            ["kind", "tenant"],
        )

        # An alert on an increase sees the first event only if its counter was there before, with 0.
        for store, operations in _OPERATIONS.items():
            for operation in operations:
                self._storage_errors.labels(store, operation)
        for purpose in ("challenge", "evidence"):
            self._key_errors.labels(purpose)

    def worker_waits(self, pool: str) -> Callable[[float], None]:
        """Return a function that records how long work waited for a thread of a pool, in seconds."""
        return self._worker_waits.labels(pool).observe

    def waited_for_place(self, kind: str, seconds: float) -> None:
        """Record that a call waited in line for a place."""
        self._place_waits.labels(kind).observe(seconds)

    def waited_for_credit(self, seconds: float) -> None:
        """Record that a device waited for credit."""
        self._credit_waits.observe(seconds)

    def model_timer(self, role: str) -> Callable[[], AbstractContextManager[object]]:
        """Return a function that makes a context, which records the seconds of one call of a model."""
        return self._models.labels(role).time

    def set_device(self, *, on_gpu: bool) -> None:
        """Set where the models run."""
        self._on_gpu.set(on_gpu)

    def isolated_decode(self, outcome: str) -> None:
        """Count an image for a decoder process: ``decoded``, ``refused``, ``lost`` or ``no_worker``."""
        self._isolated.labels(outcome).inc()

    def decoder_replaced(self, cause: str) -> None:
        """Count a replaced decoder process."""
        self._decoders_replaced.labels(cause).inc()

    def storage_failed(self, store: str, operation: str) -> None:
        """Count a failed operation of the ``database`` or of the ``objects``."""
        self._storage_errors.labels(store, operation).inc()

    def key_missing(self, purpose: str) -> None:
        """Count a use of a ``challenge`` or ``evidence`` key that this server does not have."""
        self._key_errors.labels(purpose).inc()

    def quota_used(self, kind: str, share: float) -> None:
        """Set the largest share of its maximum number of places that a tenant holds."""
        self._quota_use.labels(kind).set(share)

    def tenants_hold(self, kind: str, held: Mapping[str, int]) -> None:
        """Set the places of tenants; 0 for those that hold none any more."""
        for tenant, places in held.items():
            self._tenant_places.labels(kind, tenant).set(places)

    def memory_changed(self, *, short: bool) -> None:
        """Set whether new scans are refused for want of memory."""
        self._memory_short.set(short)


class FileMetrics:
    """Reports the state of keys, certificates and lists: of files, and of the issuer of access tokens."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics, which a registry accepts only once."""
        gauge = partial(Gauge, registry=registry)
        self._api_keys_unusable = gauge(
            "facegate_api_keys_file_unusable",
            "1 while the file of API keys cannot be used and the previous keys stay in force.",
        )
        self._api_key_expiry = gauge(
            "facegate_api_key_seconds_to_expiry",
            "Seconds until the next API key expires, negative if one has expired; NaN if none expires.",
        )
        self._api_key_expiry.set(float("nan"))
        self._issuer_away = gauge(
            "facegate_oidc_issuer_away",
            "1 while an OIDC issuer, of access tokens or of the console's log-in, does not give its keys. "
            "The last ones are used for up to 24 hours.",
        )
        self._keys_unusable = gauge(
            "facegate_keys_unusable",
            "1 while the folder of the server's keys cannot be used and the previous keys stay in force.",
        )
        self._key_age = gauge(
            "facegate_signing_key_age_seconds",
            "Age in seconds of the current signing key, by what it signs: results or audit. NaN if the key's "
            "file does not state when it was made.",
            ["purpose"],
        )
        self._tls_unusable = gauge(
            "facegate_tls_files_unusable",
            "1 while a listener's TLS files cannot be used and the previous ones stay in force.",
            ["listener"],
        )
        self._tls_expiry = gauge(
            "facegate_tls_certificate_seconds_to_expiry",
            "Seconds until a listener's certificate expires.",
            ["listener"],
        )
        self._revocation_age = gauge(
            "facegate_revocation_list_age_seconds",
            "Seconds since the list of revoked attestation certificates was fetched; NaN if there is none.",
        )
        self._revocation_left = gauge(
            "facegate_revocation_list_seconds_left",
            "Seconds until the list of revoked attestation certificates is too old to verify attestations; "
            "NaN if there is none.",
        )
        self._revocation_unusable = gauge(
            "facegate_revocation_list_unusable",
            "1 while the files of the list of revoked attestation certificates cannot be used; the previous "
            "list, if any, stays in force.",
        )
        self.revocation_list_read(usable=True, age=None, max_age=timedelta())

    def keys_read(self, *, usable: bool) -> None:
        """Record that the server's own keys were read.

        Args:
            usable: Whether the keys of the folder can be used.
        """
        self._keys_unusable.set(0 if usable else 1)

    def signing_key_read(self, purpose: str, *, age: float | None) -> None:
        """Record the age of a signing key.

        Args:
            purpose: ``results`` or ``audit``.
            age: Seconds since it was made; ``None`` if that is unknown.
        """
        self._key_age.labels(purpose).set(float("nan") if age is None else age)

    def tls_files_read(self, listener: str, *, usable: bool, seconds_to_expiry: float) -> None:
        """Record that the TLS files of a listener were read.

        Args:
            listener: ``"device"`` or ``"service"``.
            usable: Whether the content of the files is in force.
            seconds_to_expiry: Seconds until the certificate expires.
        """
        self._tls_unusable.labels(listener).set(0 if usable else 1)
        self._tls_expiry.labels(listener).set(seconds_to_expiry)

    def revocation_list_read(self, *, usable: bool, age: timedelta | None, max_age: timedelta) -> None:
        """Record that the list of revoked attestation certificates was read.

        Args:
            usable: Whether the content of the files is in force.
            age: Time since the list was fetched; ``None`` if there is none.
            max_age: The age from which the list is too old.
        """
        missing = float("nan")
        self._revocation_unusable.set(0 if usable else 1)
        self._revocation_age.set(missing if age is None else age.total_seconds())
        self._revocation_left.set(missing if age is None else (max_age - age).total_seconds())

    def api_keys_read(self, *, usable: bool, seconds_to_expiry: float | None) -> None:
        """Record that the file of API keys was read.

        Args:
            usable: Whether the content of the file is in force.
            seconds_to_expiry: Seconds until the next key expires; ``None`` if none expires.
        """
        self._api_keys_unusable.set(0 if usable else 1)
        self._api_key_expiry.set(float("nan") if seconds_to_expiry is None else seconds_to_expiry)

    def issuers_asked(self, *, away: bool) -> None:
        """Set whether an OIDC issuer did not answer when it was last asked."""
        self._issuer_away.set(1 if away else 0)


class AuditMetrics:
    """Reports the state of the audit log."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics, which a registry accepts only once."""
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        self._entries = gauge("facegate_audit_entries", "Entries of the audit log, of all tenants.")
        self._uncovered = gauge(
            "facegate_audit_uncovered_seconds",
            "Age of the oldest entry of the audit log that no signed checkpoint covers; 0 if there is none.",
        )
        self._checkpoints = counter("facegate_audit_checkpoints", "Checkpoints that this server signed.")
        self._failed = counter(
            "facegate_audit_appends_failed",
            "Entries that could not be appended to the audit log, by action. The server then refuses the "
            "action. Entries on refused access and changed files record what already happened.",
            ["action"],
        )
        for action in AuditAction:
            # An alert on an increase sees the first event only if its counter was there before, with 0.
            self._failed.labels(action.value)
        self._unstamped = counter(
            "facegate_audit_timestamps_failed",
            "Failed requests for a time stamp on a checkpoint; they are repeated.",
        )

        self._stopped = gauge(
            "facegate_audit_signing_stopped",
            "1 while this server signs no checkpoint because the audit log does not extend what was signed "
            "before: it was changed, or the database is older; otherwise 0.",
        )
        self._witness_failed = counter(
            "facegate_audit_witness_failed",
            "Failures to read or write the witness of the audit log; they are repeated. Without it, no "
            "checkpoint is signed.",
        )

    def log_read(self, *, entries: int, uncovered_seconds: float) -> None:
        """Record the state of the log.

        Args:
            uncovered_seconds: The age of the oldest entry that no checkpoint covers; 0 if there is none.
        """
        self._entries.set(entries)
        self._uncovered.set(uncovered_seconds)

    def checkpoints_made(self, count: int) -> None:
        """Count signed checkpoints."""
        self._checkpoints.inc(count)

    def append_failed(self, action: str) -> None:
        """Count an entry that could not be appended.

        Args:
            action: A value of ``server.audit.AuditAction``.
        """
        self._failed.labels(action).inc()

    def timestamp_failed(self) -> None:
        """Count a failed request for a time stamp."""
        self._unstamped.inc()

    def signing_stopped(self, *, stopped: bool) -> None:
        """Record whether the log does not extend what was signed before."""
        self._stopped.set(stopped)

    def witness_failed(self) -> None:
        """Count a failure of the witness."""
        self._witness_failed.inc()


class ReviewMetrics:
    """Reviews by people."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics."""
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        self._open = gauge(
            "facegate_reviews_open",
            "Reviews of real checks that nobody has decided and whose deadline has not passed.",
        )
        self._oldest = gauge(
            "facegate_review_oldest_seconds", "Time since the oldest of these reviews began; 0 without any."
        )
        self._expired = counter(
            "facegate_reviews_expired", "Reviews whose deadline passed before they were decided."
        )

    def reviews_read(self, *, waiting: int, oldest_seconds: float) -> None:
        """Set the number of reviews that wait, and the age of the oldest."""
        self._open.set(waiting)
        self._oldest.set(oldest_seconds)

    def reviews_expired(self, count: int) -> None:
        """Count reviews that this server found to have expired."""
        self._expired.inc(count)


class EventMetrics:
    """The delivery of events to webhooks, by endpoint."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics."""
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        self._delivered = counter(
            "facegate_events_delivered", "Events that an endpoint of webhooks took.", ["endpoint"]
        )
        self._failed = counter(
            "facegate_event_attempts_failed",
            "Attempts to deliver an event that failed; they are repeated for three days.",
            ["endpoint"],
        )
        self._dead = counter(
            "facegate_events_dead",
            "Events that were given up, after three days or because the endpoint answered 410.",
            ["endpoint"],
        )
        self._waiting = gauge(
            "facegate_events_waiting",
            "Events that wait for their delivery, also those that will be tried again.",
            ["endpoint"],
        )
        self._oldest = gauge(
            "facegate_event_oldest_seconds",
            "Age of the oldest event that waits for its delivery; 0 without any.",
            ["endpoint"],
        )

    def endpoint_known(self, endpoint: str) -> None:
        """Show an endpoint of the settings, with 0."""
        # An alert on an increase sees the first event only if its counter was there before, with 0.
        for counter in (self._delivered, self._failed, self._dead):
            counter.labels(endpoint)

    def delivered(self, endpoint: str) -> None:
        """Count a delivered event."""
        self._delivered.labels(endpoint).inc()

    def failed(self, endpoint: str) -> None:
        """Count a failed attempt."""
        self._failed.labels(endpoint).inc()

    def died(self, endpoint: str, count: int) -> None:
        """Count events that were given up."""
        self._dead.labels(endpoint).inc(count)

    def outbox_read(self, endpoint: str, *, waiting: int, oldest_seconds: float) -> None:
        """Set the number of events that wait for an endpoint, and the age of the oldest."""
        self._waiting.labels(endpoint).set(waiting)
        self._oldest.labels(endpoint).set(oldest_seconds)


class Metrics:
    """Every metric of a server, in groups.

    Attributes:
        checks: Checks, scans and attempts.
        calls: Refused, waiting and served calls.
        files: Keys, certificates and lists that are read again.
        work: Waits, models, decoders, stores and keys.
        reviews: Reviews by people.
        events: The delivery of events to webhooks.
        stages: The stages of calls, and the spans of their traces.
        tenant_names: Whether metrics may name tenants.
    """

    def __init__(self, registry: CollectorRegistry, *, tenant_names: bool = False) -> None:
        """Register the metrics, which a registry accepts only once."""
        self.registry = registry
        self.tenant_names = tenant_names
        self.checks = CheckMetrics(registry)
        self.calls = CallMetrics(registry)
        self.files = FileMetrics(registry)
        self.audit = AuditMetrics(registry)
        self.reviews = ReviewMetrics(registry)
        self.events = EventMetrics(registry)
        self.work = WorkMetrics(registry)
        self.stages = Stages(registry)
        registry.register(_ProcessFigures())

    def render(self) -> tuple[bytes, str]:
        """Return the metrics in Prometheus' text format, and its media type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


class _ProcessFigures(Collector):
    """Figures of the process, which are read when the metrics are collected."""

    def collect(self) -> Iterator[Metric]:
        """Read the figures."""
        yield CounterMetricFamily(
            "facegate_log_lines_suppressed",
            "Log lines that were not written because callers caused too many of their kind.",
            value=suppressed_lines(),
        )
        handles = file_handles()
        yield GaugeMetricFamily("facegate_file_handles", "Open file handles.", value=handles.used)
        yield GaugeMetricFamily(
            "facegate_file_handles_limit", "Maximum number of open file handles.", value=handles.limit
        )


def _word(sandbox: bool) -> str:
    return "true" if sandbox else "false"


def timed_pack(pack: Pack, metrics: WorkMetrics) -> Pack:
    """Return the pack with models that record their times."""

    def timed(model: Any, method: str, role: str) -> Any:
        return _Observed(model, method, metrics.model_timer(role))

    return replace(
        pack,
        detector=timed(pack.detector, "detect", "detector"),
        landmarker=None if pack.landmarker is None else timed(pack.landmarker, "locate", "landmarks"),
        embedder=timed(pack.embedder, "embed", "embedder"),
        pad_networks=tuple(timed(network, "real_probability", "pad") for network in pack.pad_networks),
    )


def staged_embedder(pack: Pack, stages: Stages) -> Pack:
    """Return the pack with an embedder whose calls are a stage; for portraits, not for frames."""
    embedder: Any = _Observed(pack.embedder, "embed", lambda: stages.stage(Stage.EMBEDDING))
    return replace(pack, embedder=embedder)


class _Observed:
    """A model of which one method runs in a context of its own; everything else is the model's."""

    def __init__(
        self, model: Any, method: str, context: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._model = model
        work = getattr(model, method)

        def observed(*args: Any, **kwargs: Any) -> Any:
            with context():
                return work(*args, **kwargs)

        setattr(self, method, observed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

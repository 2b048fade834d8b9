"""What operators measure, as Prometheus metrics in a registry that is passed in.

No label carries an identifier of a check, a person, a tenant or a device; every label takes its value
from a fixed list.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from server.file_handles import file_handles
from server.telemetry.flood_filter import suppressed_lines

__all__ = ["Metrics"]

_VERDICT_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0)


class Metrics:
    """Every metric of a server."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers the metrics; a registry takes them once."""
        self._registry = registry
        self._api_keys_unusable = Gauge(
            "facegate_api_keys_file_unusable",
            "1 while the file of API keys cannot be used and the keys stay as they were.",
            registry=registry,
        )
        self._api_key_expiry = Gauge(
            "facegate_api_key_seconds_to_expiry",
            "Until the first API key expires, negative once one has; NaN where none does.",
            registry=registry,
        )
        self._api_key_expiry.set(float("nan"))
        self._keys_unusable = Gauge(
            "facegate_keys_unusable",
            "1 while the folder of the server's keys cannot be used and it goes on with those before.",
            registry=registry,
        )
        self._tls_unusable = Gauge(
            "facegate_tls_files_unusable",
            "1 while a listener's TLS files cannot be used and it goes on with those before.",
            ["listener"],
            registry=registry,
        )
        self._tls_expiry = Gauge(
            "facegate_tls_certificate_seconds_to_expiry",
            "Until a listener's certificate expires.",
            ["listener"],
            registry=registry,
        )
        self._revocation_age = Gauge(
            "facegate_revocation_list_age_seconds",
            "Since the list of revoked attestation certificates was fetched; NaN without one.",
            registry=registry,
        )
        self._revocation_left = Gauge(
            "facegate_revocation_list_seconds_left",
            "Until that list is too old to verify attestations with; NaN without one.",
            registry=registry,
        )
        self.revocation_list(age=None, max_age=timedelta())
        self._created = Counter(
            "facegate_checks_created", "Checks that were created.", ["sandbox"], registry=registry
        )
        self._refused_images = Counter(
            "facegate_trusted_images_refused",
            "Trusted images that were refused, by ErrorInfo reason.",
            ["reason", "sandbox"],
            registry=registry,
        )
        self._isolated = Counter(
            "facegate_isolated_decodes",
            "Pictures that were decoded in a process of their own, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self._decoders_replaced = Counter(
            "facegate_decoders_replaced",
            "Decoder processes that were replaced, by cause; worn is no error.",
            ["cause"],
            registry=registry,
        )
        self._decided = Counter(
            "facegate_checks_decided",
            "Checks that were decided, by status.",
            ["status", "sandbox"],
            registry=registry,
        )
        self._reasons = Counter(
            "facegate_check_failure_reasons",
            "Reasons of failed checks; a check may have several.",
            ["reason", "sandbox"],
            registry=registry,
        )
        self._scans = Gauge(
            "facegate_scans_in_progress", "Scan streams that hold a lease now.", registry=registry
        )
        self._attempts = Counter(
            "facegate_attempts_judged",
            "Attempts that were judged, by liveness verdict.",
            ["verdict", "sandbox"],
            registry=registry,
        )
        self._verdict_seconds = Histogram(
            "facegate_verdict_seconds",
            "From the attempt's end to its durable outcome.",
            ["sandbox"],
            buckets=_VERDICT_SECONDS,
            registry=registry,
        )
        self._feedback = Counter(
            "facegate_feedback", "Feedback that was sent to devices, by code.", ["code"], registry=registry
        )
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
        registry.register(_ProcessFigures())
        self._refused_tries = Counter(
            "facegate_tries_refused",
            "Uploads and scans that were refused after too many failed checks, by what is limited.",
            ["limited", "sandbox"],
            registry=registry,
        )
        self._analyses = Counter(
            "facegate_analyses",
            "Calls of AnalysisService, by kind and outcome: ANSWERED, or why there is no verdict.",
            ["kind", "outcome"],
            registry=registry,
        )
        self._evidence_problems = Counter(
            "facegate_evidence_problems",
            "Pictures of the evidence that could not be handed out, by what became of them.",
            ["problem"],
            registry=registry,
        )
        self._erased = Counter(
            "facegate_checks_erased", "Checks whose retention ended and that were erased.", registry=registry
        )

    def keys_read(self, *, usable: bool) -> None:
        """The server's own keys were looked at.

        Args:
            usable: Whether the folder's keys can be used.
        """
        self._keys_unusable.set(0 if usable else 1)

    def tls_files_read(self, listener: str, *, usable: bool, seconds_to_expiry: float) -> None:
        """A listener's TLS files were looked at.

        Args:
            listener: ``"device"`` or ``"service"``.
            usable: Whether what is in force is what the files say.
            seconds_to_expiry: Until the certificate expires.
        """
        self._tls_unusable.labels(listener).set(0 if usable else 1)
        self._tls_expiry.labels(listener).set(seconds_to_expiry)

    def revocation_list(self, *, age: timedelta | None, max_age: timedelta) -> None:
        """The list of revoked attestation certificates was looked at.

        Args:
            age: Since it was fetched; ``None`` without one.
            max_age: From when on it is no pass.
        """
        missing = float("nan")
        self._revocation_age.set(missing if age is None else age.total_seconds())
        self._revocation_left.set(missing if age is None else (max_age - age).total_seconds())

    def api_keys_read(self, *, usable: bool, seconds_to_expiry: float | None) -> None:
        """The file of API keys was looked at.

        Args:
            usable: Whether what is in force is what the file says.
            seconds_to_expiry: Until the first key expires; ``None`` where none does.
        """
        self._api_keys_unusable.set(0 if usable else 1)
        self._api_key_expiry.set(float("nan") if seconds_to_expiry is None else seconds_to_expiry)

    def check_created(self, *, sandbox: bool) -> None:
        """A trusted image was accepted."""
        self._created.labels(_word(sandbox)).inc()

    def image_refused(self, reason: str, *, sandbox: bool) -> None:
        """A trusted image was refused."""
        self._refused_images.labels(reason, _word(sandbox)).inc()

    def isolated_decode(self, outcome: str) -> None:
        """A picture went through a decoder process: ``decoded``, ``refused``, ``lost`` or ``no_worker``."""
        self._isolated.labels(outcome).inc()

    def decoder_replaced(self, cause: str) -> None:
        """A decoder process was replaced."""
        self._decoders_replaced.labels(cause).inc()

    def check_decided(self, *, status: str, reasons: Iterable[str], sandbox: bool) -> None:
        """A check was decided."""
        self._decided.labels(status, _word(sandbox)).inc()
        for reason in reasons:
            self._reasons.labels(reason, _word(sandbox)).inc()

    @contextmanager
    def scan(self) -> Iterator[None]:
        """A scan is in progress for as long as this context is open."""
        with self._scans.track_inprogress():
            yield

    def attempt_judged(self, *, verdict: str, seconds: float, sandbox: bool) -> None:
        """An attempt was judged; ``seconds`` from its end to its durable outcome."""
        self._attempts.labels(verdict, _word(sandbox)).inc()
        self._verdict_seconds.labels(_word(sandbox)).observe(seconds)

    def feedback_sent(self, code: str) -> None:
        """Feedback was sent to a device."""
        self._feedback.labels(code).inc()

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

    def try_refused(self, limited: str, *, sandbox: bool) -> None:
        """An upload or a scan was refused after too many failed checks of a subject, portrait or device."""
        self._refused_tries.labels(limited, _word(sandbox)).inc()

    def analysed(self, kind: str, outcome: str) -> None:
        """An analysis of an ``image`` or a ``video`` ended; never with its verdict."""
        self._analyses.labels(kind, outcome).inc()

    def evidence_problem(self, problem: str) -> None:
        """A picture could not be handed out: ``LOST``, ``ALTERED`` or ``UNAVAILABLE``."""
        self._evidence_problems.labels(problem).inc()

    def checks_erased(self, count: int) -> None:
        """Checks were erased."""
        self._erased.inc(count)

    def render(self) -> tuple[bytes, str]:
        """The metrics in Prometheus' text format, and its media type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _ProcessFigures(Collector):
    """What belongs to the process and is asked when the metrics are."""

    def collect(self) -> Iterator[Metric]:
        """Reads the figures."""
        yield CounterMetricFamily(
            "facegate_log_lines_suppressed",
            "Log lines that were not written because callers caused too many of their kind.",
            value=suppressed_lines(),
        )
        handles = file_handles()
        yield GaugeMetricFamily("facegate_file_handles", "File handles that are open.", value=handles.used)
        yield GaugeMetricFamily(
            "facegate_file_handles_limit", "File handles that may be open.", value=handles.limit
        )


def _word(sandbox: bool) -> str:
    return "true" if sandbox else "false"

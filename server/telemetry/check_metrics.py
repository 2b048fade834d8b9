"""Metrics of checks and scans."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from server.domain.tries import TryKind
from server.verdict import CheckStatus

__all__ = ["CheckMetrics"]

_VERDICT_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0)


class _AttemptMetrics:
    """The metrics of attempts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.judged = Counter(
            "facegate_attempts_judged",
            "Attempts that were judged, by liveness verdict.",
            ["verdict", "sandbox"],
            registry=registry,
        )
        self.seconds = Histogram(
            "facegate_verdict_seconds",
            "Seconds from the end of an attempt to its stored outcome.",
            ["sandbox"],
            buckets=_VERDICT_SECONDS,
            registry=registry,
        )
        self.frames = Counter(
            "facegate_frames_received", "Frames that devices sent in attempts.", registry=registry
        )
        self.dropped = Counter(
            "facegate_frames_dropped",
            "Images that devices dropped before they sent them, as they report it at the end of an attempt.",
            registry=registry,
        )
        self.feedback = Counter(
            "facegate_feedback", "Feedback that was sent to devices, by code.", ["code"], registry=registry
        )


class CheckMetrics:
    """Counts checks, scans and attempts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers the metrics, which a registry accepts only once."""
        self._created = Counter(
            "facegate_checks_created", "Checks that were created.", ["sandbox"], registry=registry
        )
        self._refused_images = Counter(
            "facegate_trusted_images_refused",
            "Trusted images that were refused, by ErrorInfo reason.",
            ["reason", "sandbox"],
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
            "facegate_scans_in_progress", "Scan streams that hold a lease.", registry=registry
        )
        self._refused_tries = Counter(
            "facegate_tries_refused",
            "Uploads and scans that were refused after too many failed checks, by the limited kind: subject, "
            "portrait or device.",
            ["limited", "sandbox"],
            registry=registry,
        )
        self._evidence_problems = Counter(
            "facegate_evidence_problems",
            "Evidence images that could not be returned, by problem: LOST, ALTERED or UNAVAILABLE.",
            ["problem"],
            registry=registry,
        )
        self._erased = Counter(
            "facegate_checks_erased",
            "Checks that were erased after their retention ended.",
            registry=registry,
        )
        self._attempts = _AttemptMetrics(registry)
        # An alert on an increase sees the first event only if its counter was there before, with 0.
        for sandbox in (_word(False), _word(True)):
            for status in CheckStatus:
                self._decided.labels(status.value, sandbox)
            for limited in TryKind:
                self._refused_tries.labels(limited.value, sandbox)
        for problem in ("LOST", "ALTERED", "UNAVAILABLE"):
            self._evidence_problems.labels(problem)

    def check_created(self, *, sandbox: bool) -> None:
        """Counts an accepted trusted image."""
        self._created.labels(_word(sandbox)).inc()

    def image_refused(self, reason: str, *, sandbox: bool) -> None:
        """Counts a refused trusted image."""
        self._refused_images.labels(reason, _word(sandbox)).inc()

    def check_decided(self, *, status: str, reasons: Iterable[str], sandbox: bool) -> None:
        """Counts a decided check and its reasons."""
        self._decided.labels(status, _word(sandbox)).inc()
        for reason in reasons:
            self._reasons.labels(reason, _word(sandbox)).inc()

    @contextmanager
    def scan(self) -> Iterator[None]:
        """Counts a scan as in progress while this context is open."""
        with self._scans.track_inprogress():
            yield

    def attempt_judged(self, *, verdict: str, seconds: float, sandbox: bool) -> None:
        """Counts a judged attempt; ``seconds`` is the time from its end to its stored outcome."""
        self._attempts.judged.labels(verdict, _word(sandbox)).inc()
        self._attempts.seconds.labels(_word(sandbox)).observe(seconds)

    def attempt_received(self, *, frames: int, dropped: int) -> None:
        """Counts the frames of an attempt that ended, and the images that its device dropped."""
        self._attempts.frames.inc(frames)
        self._attempts.dropped.inc(dropped)

    def feedback_sent(self, code: str) -> None:
        """Counts feedback that was sent to a device."""
        self._attempts.feedback.labels(code).inc()

    def try_refused(self, limited: str, *, sandbox: bool) -> None:
        """Counts an upload or scan refused after too many failed checks of a subject, portrait or device."""
        self._refused_tries.labels(limited, _word(sandbox)).inc()

    def evidence_problem(self, problem: str) -> None:
        """Counts an evidence image that could not be returned: ``LOST``, ``ALTERED`` or ``UNAVAILABLE``."""
        self._evidence_problems.labels(problem).inc()

    def checks_erased(self, count: int) -> None:
        """Counts erased checks."""
        self._erased.inc(count)


def _word(sandbox: bool) -> str:
    return "true" if sandbox else "false"

"""Writes docs/metrics.md.

Names, types, labels and descriptions come from ``server.telemetry.metrics``; the alerts are in this module.
Run it after a change::

    python -m tests.server.telemetry.make_metrics_page
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from server.telemetry.metrics import Metrics

PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"

ALERTS: Mapping[str, str] = {
    "facegate_api_keys_file_unusable": "1 for 5 minutes: correct the file; the log says what is wrong.",
    "facegate_api_key_seconds_to_expiry": "Below 14 days: issue the next key.",
    "facegate_keys_unusable": "1 for 5 minutes: correct the folder; the log says what is wrong.",
    "facegate_tls_files_unusable": "1 for 5 minutes: correct the files; the log says what is wrong.",
    "facegate_tls_certificate_seconds_to_expiry": "Below 14 days: renew the certificate.",
    "facegate_revocation_list_seconds_left": (
        "Below 12 hours: see why `facegate attest revocation` does not run."
    ),
    "facegate_decoders_replaced_total": (
        "A rate above the usual of any cause but `worn`: somebody sends hostile pictures."
    ),
    "facegate_checks_decided_total": (
        'Any increase with `status="NOT_DECIDED"`: the server failed; see the log. A sudden change of the '
        "share of SUCCESS: an attack, or a defect of an app."
    ),
    "facegate_scans_in_progress": "Near `limits.max_scans`: add a replica.",
    "facegate_verdict_seconds": "95th percentile above 1 s: the machine is overloaded.",
    "facegate_refusals_total": (
        "A rise of INTERNAL or NOT_SERVING: a fault. A rise of TOKEN_INVALID or UNAUTHENTICATED: somebody "
        "tries tokens or keys."
    ),
    "facegate_places_refused_total": (
        "A steady rate: add a replica, or raise the limit; with `tenant_limit`, raise that tenant's."
    ),
    "facegate_tries_refused_total": "A sudden rise: somebody tries many times, or an app retries on its own.",
    "facegate_evidence_problems_total": (
        "Any increase with LOST or ALTERED: the object store lost or changed evidence."
    ),
    "facegate_file_handles": "Above 80 % of `facegate_file_handles_limit`: raise the limit.",
    "facegate_log_lines_suppressed_total": "A steady rise: callers cause errors in numbers.",
}
"""The alert conditions, by the name that Prometheus stores."""

_INTRODUCTION = """\
# Metrics

What the admin listener publishes under `/metrics`, in Prometheus' text format. No label carries an
identifier of a check, a person, a tenant or a device. How to scrape it, and what else to monitor, is in
[operating.md](operating.md#monitor). The thresholds of the alerts are a start: adjust them to your load.

This page is made by `python -m tests.server.telemetry.make_metrics_page` from
`server/telemetry`; do not edit it by hand.

| Metric | Type | Labels | What it measures | Alert |
| --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True, slots=True)
class DocumentedMetric:
    """A metric as Prometheus stores it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    description: str


def documented_metrics() -> list[DocumentedMetric]:
    """Every metric of a server, in the order of its definition."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    labels = {
        next(iter(found.describe())).name: found._labelnames
        for part in (metrics.checks, metrics.calls, metrics.files, metrics.decoders)
        for found in vars(part).values()
        if isinstance(found, MetricWrapperBase)
    }
    return [
        DocumentedMetric(
            name=f"{family.name}_total" if family.type == "counter" else family.name,
            kind=family.type,
            labels=tuple(labels.get(family.name, ())),
            description=family.documentation,
        )
        for family in registry.collect()
    ]


def metrics_page() -> str:
    """The whole page."""
    lines = []
    for metric in documented_metrics():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        cells = (f"`{metric.name}`", metric.kind, labels, metric.description, ALERTS.get(metric.name, ""))
        lines.append("| " + " | ".join(cells) + " |\n")
    return _INTRODUCTION + "".join(lines)


if __name__ == "__main__":
    PAGE.write_text(metrics_page())

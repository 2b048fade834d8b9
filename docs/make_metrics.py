"""Writes docs/reference/metrics.md and alerts.md.

Names, types, labels and descriptions come from ``server.telemetry.metrics``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from server.telemetry.metrics import Metrics
from tests.server.telemetry.chart_files import alerts

PAGE = Path(__file__).resolve().parent / "reference" / "metrics.md"
ALERTS_PAGE = PAGE.with_name("alerts.md")

_INTRODUCTION = """\
# Metrics

The admin listener publishes these metrics under `/metrics`, in Prometheus' text format. OTLP sends them
under the same names, without `_total`. No label contains an identifier of a check, a person or a device. No
label contains the name of a tenant unless `telemetry.tenant_names` is set. Counters end in `_total`; all
others are gauges, unless they are marked as histograms.

[operating.md](../operating.md#telemetry) describes how to collect the metrics, [alerts.md](alerts.md) what to
do after an alert. The alerting rules and a Grafana dashboard are in `helm/facegate/files`.

`make reference` writes this page from `server/telemetry`; do not edit it by hand.

| Metric | Labels | What it measures |
| --- | --- | --- |
"""

_ALERTS_INTRODUCTION = """\
# Alerts

What happened, and what to do. **Critical**: act at once, at any hour. **Warning**: on the same day. **Info**:
it can wait. Names in small letters are events of [the log](../operating.md#log-lines).

`make reference` writes this page from `helm/facegate/files/alerts.yaml`; do not edit it by hand.
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
    labels = {next(iter(found.describe())).name: found._labelnames for found in _metrics_of(metrics)}
    return [
        DocumentedMetric(
            name=f"{family.name}_total" if family.type == "counter" else family.name,
            kind=family.type,
            labels=tuple(labels.get(family.name, ())),
            description=family.documentation,
        )
        for family in registry.collect()
    ]


def _metrics_of(group: object) -> Iterator[MetricWrapperBase]:
    for part in vars(group).values():
        if isinstance(part, MetricWrapperBase):
            yield part
        elif type(part).__module__.startswith("server.telemetry."):
            yield from _metrics_of(part)


def metrics_page() -> str:
    """The whole page."""
    lines = []
    for metric in documented_metrics():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        marked = " (histogram)" if metric.kind == "histogram" else ""
        cells = (f"`{metric.name}`{marked}", labels, metric.description)
        lines.append("| " + " | ".join(cells) + " |\n")
    return _INTRODUCTION + "".join(lines)


def alerts_page() -> str:
    """The whole page."""
    sections = [
        f"\n## {alert.name}\n\n**{alert.severity.title()}.** {alert.summary} {_linked(alert.description)}\n"
        for alert in alerts()
    ]
    return _ALERTS_INTRODUCTION + "".join(sections)


def _linked(text: str) -> str:
    return re.sub(r"docs/([a-z_]+\.md)(#[a-z-]+)?", r"[\1](../\1\2)", text)


if __name__ == "__main__":
    PAGE.write_text(metrics_page())
    ALERTS_PAGE.write_text(alerts_page())

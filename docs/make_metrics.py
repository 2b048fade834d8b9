"""Writes docs/reference/metrics.md.

Names, types, labels and descriptions come from ``server.telemetry.metrics``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from server.telemetry.metrics import Metrics

PAGE = Path(__file__).resolve().parent / "reference" / "metrics.md"

_INTRODUCTION = """\
# Metrics

The admin listener publishes these metrics under `/metrics`, in Prometheus' text format. OTLP sends them
under the same names, without `_total`. No label contains an identifier of a check, a person or a device. No
label contains the name of a tenant unless `telemetry.tenant_names` is set.

[operating.md](../operating.md#telemetry) describes how to collect the metrics, and [what to do after an
alert](../operating.md#alerts). The alerting rules, with their metrics, and a Grafana dashboard are in
`helm/facegate/files`.

`make reference` writes this page from `server/telemetry`; do not edit it by hand.

| Metric | Type | Labels | What it measures |
| --- | --- | --- | --- |
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
        cells = (f"`{metric.name}`", metric.kind, labels, metric.description)
        lines.append("| " + " | ".join(cells) + " |\n")
    return _INTRODUCTION + "".join(lines)


if __name__ == "__main__":
    PAGE.write_text(metrics_page())

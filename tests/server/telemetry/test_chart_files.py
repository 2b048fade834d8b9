"""The dashboard and the alerts use metrics that the server has, and every alert is explained."""

import re

import pytest
from prometheus_client import CollectorRegistry

from server.telemetry.metrics import Metrics
from tests.docs.pages import REPOSITORY, anchors, code_blocks
from tests.server.telemetry.chart_files import (
    alerts,
    dashboard,
    grouped_labels,
    panel_expressions,
    used_metrics,
)
from tests.server.telemetry.make_metrics_page import documented_metrics

_GUIDE = REPOSITORY / "docs" / "operations.md"
_GROUPS = ["Traffic", "Verdicts", "Latency by stage", "Capacity", "Storage and keys", "Device evidence"]
_QUERIES = [block for block in code_blocks(_GUIDE) if block.language == "promql"]
_EVERY = [
    *panel_expressions(),
    *((alert.name, alert.expression) for alert in alerts()),
    *((f"line {block.line} of the guide", block.text) for block in _QUERIES),
]


def _stored() -> dict[str, set[str]]:
    """The series that Prometheus stores, with their labels."""
    series = {"up": set[str]()}
    for metric in documented_metrics():
        labels = set(metric.labels)
        if metric.kind == "histogram":
            series[f"{metric.name}_bucket"] = labels | {"le"}
            series[f"{metric.name}_sum"] = series[f"{metric.name}_count"] = labels
        else:
            series[metric.name] = labels
    return series


@pytest.mark.parametrize(("title", "expression"), _EVERY, ids=[title for title, _ in _EVERY])
def test_every_expression_uses_metrics_and_labels_that_exist(title: str, expression: str) -> None:
    stored, used = _stored(), used_metrics(expression)
    assert used
    for name, labels in used.items():
        assert labels <= stored[name], name
    # Every metric of an expression has the labels by which the whole is grouped.
    for name in used:
        assert grouped_labels(expression) - {"le"} <= stored[name], name


def test_every_metric_is_on_the_dashboard() -> None:
    series = {name for _, expression in panel_expressions() for name in used_metrics(expression)}
    shown = series | {re.sub(r"_(bucket|count|sum)$", "", name) for name in series}
    missing = {metric.name for metric in documented_metrics()} - shown
    # It is for those who set telemetry.tenant_names.
    assert missing == {"facegate_tenant_places_in_use"}


def test_panels_are_grouped_and_numbered() -> None:
    panels = dashboard()["panels"]
    assert [panel["title"] for panel in panels if panel["type"] == "row"][: len(_GROUPS)] == _GROUPS
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels if panel["type"] != "row")
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)


def test_every_alert_has_its_section() -> None:
    headings = anchors(_GUIDE)
    for alert in alerts():
        assert alert.runbook == f"docs/operations.md#{alert.name.lower()}"
        assert alert.name.lower() in headings, alert.name
        assert alert.severity in {"critical", "warning", "info"}
    names = [alert.name for alert in alerts()]
    assert len(set(names)) == len(names)


def test_every_section_of_an_alert_has_its_alert() -> None:
    named = re.findall(r"^#+ (Facegate[A-Z]\w+)$", _GUIDE.read_text(), flags=re.MULTILINE)
    assert sorted(named) == sorted(alert.name for alert in alerts())


def test_the_counters_of_alerts_are_there_before_the_first_event() -> None:
    # Otherwise the first event makes the series, and Prometheus sees no increase.
    registry = CollectorRegistry()
    Metrics(registry)
    present = {sample.name for family in registry.collect() for sample in family.samples}
    counted = {
        name
        for alert in alerts()
        if "increase(" in alert.expression
        for name in used_metrics(alert.expression)
    }
    assert len(counted) > 5
    assert counted <= present


def test_a_query_that_is_none_is_recognised() -> None:
    with pytest.raises(ValueError, match="unclosed"):
        used_metrics("sum by (kind (facegate_places_in_use)")

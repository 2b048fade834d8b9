"""docs/metrics.md matches the server's metrics."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from server.telemetry.metrics import Metrics
from tests.docs.pages import REPOSITORY, pages
from tests.server.telemetry.make_metrics_page import PAGE, documented_metrics, metrics_page

_DOCS = Path(PAGE).parent


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == metrics_page(), "run: python -m tests.server.telemetry.make_metrics_page"


def test_every_name_is_the_one_that_is_published() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    published = metrics.render()[0].decode()
    for metric in documented_metrics():
        assert f"# TYPE {metric.name} {metric.kind}\n" in published


_OTHERS = {"facegate_client", "facegate_protocol", "facegate_app", "facegate_pad_v1", "facegate_device"}
"""Packages, a model, and a cluster of Envoy."""
_SERIES = ("", "_bucket", "_count", "_sum")


@pytest.mark.parametrize(
    "page", [*pages(), REPOSITORY / "helm/facegate/README.md"], ids=lambda page: str(page.name)
)
def test_every_metric_that_a_page_names_exists(page: Path) -> None:
    """In running text, tables and blocks: a name without `_total` finds nothing in a dashboard."""
    known = {
        metric.name + series
        for metric in documented_metrics()
        for series in (_SERIES if metric.kind == "histogram" else ("",))
    }
    named = set(re.findall(r"(?<![\w./-])facegate_[a-z0-9_]+(?![\w/.]*\()", page.read_text()))
    assert named - known - _OTHERS == set()


def test_labels_are_those_of_the_definition() -> None:
    labels = {metric.name: metric.labels for metric in documented_metrics()}
    assert labels["facegate_checks_decided_total"] == ("status", "sandbox")
    assert labels["facegate_file_handles"] == ()

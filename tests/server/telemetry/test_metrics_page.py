"""docs/metrics.md matches the server's metrics."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from server.telemetry.metrics import Metrics
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


def test_labels_are_those_of_the_definition() -> None:
    labels = {metric.name: metric.labels for metric in documented_metrics()}
    assert labels["facegate_checks_decided_total"] == ("status", "sandbox")
    assert labels["facegate_file_handles"] == ()

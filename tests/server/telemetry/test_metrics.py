"""The metrics, and the page, dashboard and alerts that use them."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from docs.make_metrics import ALERTS_PAGE, PAGE, alerts_page, documented_metrics, metrics_page
from lab.simulator.photo import builtin_image
from server.telemetry.metrics import Metrics, staged_embedder, timed_pack
from tests.docs.pages import REPOSITORY, anchors, code_blocks, pages
from tests.packs import real_pack
from tests.server.telemetry.chart_files import (
    alerts,
    grouped_labels,
    panel_expressions,
    used_metrics,
)
from vision.face import BgrImage, DetectedFace


def test_events_are_counted() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.checks.feedback_sent("TOO_DARK")
    metrics.calls.call_refused("TOKEN_INVALID")
    metrics.checks.checks_erased(3)
    metrics.checks.evidence_problem("LOST")
    metrics.work.isolated_decode("decoded")
    metrics.work.decoder_replaced("crashed")
    metrics.work.set_device(on_gpu=True)
    metrics.calls.count_analysis("video", "TOO_FEW_FRAMES")
    for name, labels, value in (
        ("facegate_feedback_total", {"code": "TOO_DARK"}, 1),
        ("facegate_refusals_total", {"reason": "TOKEN_INVALID"}, 1),
        ("facegate_checks_erased_total", {}, 3),
        ("facegate_evidence_problems_total", {"problem": "LOST"}, 1),
        ("facegate_isolated_decodes_total", {"outcome": "decoded"}, 1),
        ("facegate_decoders_replaced_total", {"cause": "crashed"}, 1),
        ("facegate_models_on_gpu", {}, 1),
        ("facegate_analyses_total", {"kind": "video", "outcome": "TOO_FEW_FRAMES"}, 1),
    ):
        assert registry.get_sample_value(name, labels) == value, name


def test_sandbox_checks_are_counted_apart() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for sandbox in (True, True, False):
        metrics.checks.check_created(sandbox=sandbox)
        metrics.checks.image_refused("FACE_NOT_FOUND", sandbox=sandbox)
        metrics.checks.attempt_judged(verdict="SPOOF", seconds=0.2, sandbox=sandbox)
        metrics.checks.check_decided(status="FAILURE", reasons=["SPOOF", "CONDITIONS"], sandbox=sandbox)
    for name, labels in {
        "facegate_checks_created_total": {},
        "facegate_trusted_images_refused_total": {"reason": "FACE_NOT_FOUND"},
        "facegate_attempts_judged_total": {"verdict": "SPOOF"},
        "facegate_verdict_seconds_count": {},
        "facegate_checks_decided_total": {"status": "FAILURE"},
        "facegate_check_failure_reasons_total": {"reason": "SPOOF"},
    }.items():
        assert registry.get_sample_value(name, labels | {"sandbox": "true"}) == 2
        assert registry.get_sample_value(name, labels | {"sandbox": "false"}) == 1


def test_scans_in_progress_go_up_and_down_also_when_they_fail() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    with metrics.checks.scan(), metrics.checks.scan():
        assert registry.get_sample_value("facegate_scans_in_progress") == 2
    try:
        with metrics.checks.scan():
            raise RuntimeError
    except RuntimeError:
        pass
    assert registry.get_sample_value("facegate_scans_in_progress") == 0


def test_the_rendering_is_prometheus_text_without_identifying_labels() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.checks.check_decided(status="FAILURE", reasons=["SPOOF"], sandbox=False)
    body, media_type = metrics.render()
    assert media_type.startswith("text/plain")
    families = list(text_string_to_metric_families(body.decode()))
    labels = {name for family in families for sample in family.samples for name in sample.labels}
    assert labels <= {"reason", "status", "verdict", "code", "le", "sandbox", "stage"} | {
        "action", "limited", "operation", "problem", "purpose", "store",
    }  # fmt: skip
    assert all(family.documentation for family in families)


# docs/reference/metrics.md matches the server's metrics.


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == metrics_page(), "run: make reference"
    assert ALERTS_PAGE.read_text() == alerts_page(), "run: make reference"


def test_every_name_is_the_one_that_is_published() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    published = metrics.render()[0].decode()
    for metric in documented_metrics():
        assert f"# TYPE {metric.name} {metric.kind}\n" in published


_OTHERS = {
    "facegate_client",
    "facegate_protocol",
    "facegate_app",
    "facegate_lab",
    "facegate_pad_v1",
    "facegate_device",
}
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


# The dashboard and the alerts use metrics that the server has, and every alert is explained.

_GUIDE = REPOSITORY / "docs" / "operating.md"
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


def test_every_alert_has_its_section() -> None:
    headings = anchors(ALERTS_PAGE)
    for alert in alerts():
        assert alert.runbook == f"https://facegate.org/docs/reference/alerts.md#{alert.name.lower()}"
        assert alert.name.lower() in headings, alert.name
        assert alert.severity in {"critical", "warning", "info"}
    names = [alert.name for alert in alerts()]
    assert len(set(names)) == len(names)


def test_the_counters_of_alerts_are_there_before_the_first_event() -> None:
    # Otherwise the first event makes the series, and Prometheus sees no increase.
    registry = CollectorRegistry()
    # As a server does when it starts.
    Metrics(registry).events.endpoint_known("backend")
    present = {sample.name for family in registry.collect() for sample in family.samples}
    counted = {
        name
        for alert in alerts()
        if "increase(" in alert.expression
        for name in used_metrics(alert.expression)
    }
    assert len(counted) > 5
    assert counted <= present


# Models report their times, and answer as before.


class _Network:
    name = "constant"

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        return 0.25


def test_each_role_is_timed_and_answers_are_the_same() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    pack = replace(real_pack(), pad_networks=(_Network(),))
    timed = staged_embedder(timed_pack(pack, metrics.work), metrics.stages)
    image = builtin_image("astronaut")
    (face, *_) = timed.detector.detect(image)
    assert timed.landmarker is not None
    assert pack.landmarker is not None
    landmarks = timed.landmarker.locate(image, face)
    assert landmarks is not None
    assert timed.landmarker.scheme == pack.landmarker.scheme
    assert timed.embedder.dimensions == pack.embedder.dimensions
    assert np.array_equal(timed.embedder.embed(image, face), pack.embedder.embed(image, face))
    assert [network.name for network in timed.pad_networks] == ["constant"]
    assert timed.pad_networks[0].real_probability(image, face) == 0.25
    for role in ("detector", "landmarks", "embedder", "pad"):
        assert registry.get_sample_value("facegate_model_seconds_count", {"role": role}) == 1, role
    assert registry.get_sample_value("facegate_stage_seconds_count", {"stage": "embedding"}) == 1

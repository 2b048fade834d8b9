from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from server.telemetry.metrics import Metrics


def test_events_are_counted() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.checks.check_created(sandbox=False)
    metrics.checks.image_refused("FACE_NOT_FOUND", sandbox=False)
    metrics.checks.check_decided(status="FAILURE", reasons=["SPOOF", "NOT_SAME_PERSON"], sandbox=False)
    metrics.checks.check_decided(status="SUCCESS", reasons=[], sandbox=False)
    metrics.checks.attempt_judged(verdict="SPOOF", seconds=0.2, sandbox=False)
    metrics.checks.feedback_sent("TOO_DARK")
    metrics.calls.call_refused("TOKEN_INVALID")
    metrics.checks.checks_erased(3)
    metrics.checks.evidence_problem("LOST")
    metrics.decoders.isolated_decode("decoded")
    metrics.decoders.decoder_replaced("crashed")
    metrics.models.set_device(on_gpu=True)
    metrics.calls.count_analysis("video", "TOO_FEW_FRAMES")

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("facegate_checks_created_total", sandbox="false") == 1
    assert value("facegate_trusted_images_refused_total", reason="FACE_NOT_FOUND", sandbox="false") == 1
    assert value("facegate_checks_decided_total", status="FAILURE", sandbox="false") == 1
    assert value("facegate_checks_decided_total", status="SUCCESS", sandbox="false") == 1
    assert value("facegate_check_failure_reasons_total", reason="SPOOF", sandbox="false") == 1
    assert value("facegate_attempts_judged_total", verdict="SPOOF", sandbox="false") == 1
    assert value("facegate_verdict_seconds_bucket", le="0.2", sandbox="false") == 1
    assert value("facegate_feedback_total", code="TOO_DARK") == 1
    assert value("facegate_refusals_total", reason="TOKEN_INVALID") == 1
    assert value("facegate_checks_erased_total") == 3
    assert value("facegate_evidence_problems_total", problem="LOST") == 1
    assert value("facegate_isolated_decodes_total", outcome="decoded") == 1
    assert value("facegate_decoders_replaced_total", cause="crashed") == 1
    assert value("facegate_models_on_gpu") == 1
    assert value("facegate_analyses_total", kind="video", outcome="TOO_FEW_FRAMES") == 1


def test_sandbox_checks_are_counted_apart() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for sandbox in (True, True, False):
        metrics.checks.check_created(sandbox=sandbox)
        metrics.checks.image_refused("FACE_NOT_FOUND", sandbox=sandbox)
        metrics.checks.attempt_judged(verdict="SPOOF", seconds=0.2, sandbox=sandbox)
        metrics.checks.check_decided(status="FAILURE", reasons=["SPOOF"], sandbox=sandbox)
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


def test_two_servers_of_one_process_do_not_meet() -> None:
    first, second = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    first.checks.check_created(sandbox=False)
    assert b'facegate_checks_created_total{sandbox="false"} 1.0' in first.render()[0]
    assert b"facegate_checks_created_total{" not in second.render()[0]


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

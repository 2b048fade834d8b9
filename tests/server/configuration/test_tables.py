"""Rules of single tables of the settings."""

from dataclasses import asdict, replace

import pytest
from pydantic import ValidationError

from liveness.selfie import SelfieSettings
from matcher.persons import PHOTO_SUBJECT, SCAN_SUBJECT
from server.configuration.settings import Settings
from server.configuration.tables import (
    AnalysisSettings,
    FailureLimits,
    FailureSettings,
    OtlpSettings,
    SandboxFailureLimits,
    SelfieTable,
    TelemetrySettings,
)


def test_the_defaults_are_those_of_the_liveness_room() -> None:
    assert SelfieTable().as_settings() == SelfieSettings()
    assert set(SelfieTable.model_fields) == set(asdict(SelfieSettings()))


def test_parameters_go_through() -> None:
    settings = Settings.model_validate({"analysis": {"selfie": {"live_threshold": 0.7, "min_ear": 0.2}}})
    assert settings.analysis.selfie.as_settings() == SelfieSettings(live_threshold=0.7, min_ear=0.2)


def test_the_rules_of_selfies_and_of_videos_are_set_apart() -> None:
    defaults = AnalysisSettings()
    assert (defaults.subject.as_rule(), defaults.video_subject.as_rule()) == (PHOTO_SUBJECT, SCAN_SUBJECT)
    settings = AnalysisSettings.model_validate({"video_subject": {"background_width": 0.5, "centre": 0.4}})
    assert settings.subject.as_rule() == PHOTO_SUBJECT
    assert settings.video_subject.as_rule() == replace(SCAN_SUBJECT, background_width=0.5, centre=0.4)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"selfie": {"live_threshold": 1.5}}, "live_threshold"),
        ({"selfie": {"min_face_area_ratio": 0.5}}, "min_face_area_ratio"),
        ({"selfie": {"unknown": 1}}, "unknown"),
        ({"video_subject": {"background_width": 0.9}}, "background_width"),
        ({"max_videos": 0}, "max_videos"),
        ({"video_workers": -1}, "video_workers"),
        ({"max_video_seconds": 28_800}, "max_video_seconds"),
    ],
)
def test_contradictory_settings_are_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AnalysisSettings.model_validate(values)


def test_a_block_is_not_shorter_than_a_lock() -> None:
    assert FailureLimits(lock_seconds=60, block_seconds=60).as_rules().block.total_seconds() == 60
    with pytest.raises(ValidationError, match="lock_seconds"):
        FailureLimits(lock_seconds=61, block_seconds=60)
    with pytest.raises(ValidationError, match="lock_seconds"):
        FailureSettings(lock_seconds=61, block_seconds=60)


def test_a_block_takes_no_fewer_failures_than_a_lock() -> None:
    with pytest.raises(ValidationError, match="block_maximum"):
        FailureLimits(maximum=21)


def test_failures_are_remembered_for_two_blocks() -> None:
    assert FailureSettings(remember_days=2).as_setting().remembered.days == 2
    with pytest.raises(ValidationError, match="remember_days"):
        FailureSettings(remember_days=1)
    with pytest.raises(ValidationError, match="remember_days"):
        FailureSettings(remember_days=2, sandbox=SandboxFailureLimits(block_seconds=90_000))


def test_a_single_limit_of_the_sandbox_leaves_its_others() -> None:
    settings = FailureSettings.model_validate({"sandbox": {"window_seconds": 60}})
    assert settings.sandbox.maximum == 1_000
    assert settings.sandbox.lock_seconds == 60


def test_nothing_is_sent_by_default() -> None:
    settings = TelemetrySettings()
    assert settings.otlp.endpoint is None
    assert not settings.tenant_names


@pytest.mark.parametrize(
    "endpoint", ["https://collector.bank.example:4317", "http://127.0.0.1:4317", "http://localhost:1"]
)
def test_a_collector_has_tls_or_is_on_this_machine(endpoint: str) -> None:
    assert str(OtlpSettings.model_validate({"endpoint": endpoint}).endpoint).startswith(endpoint)


@pytest.mark.parametrize(
    "fields",
    [
        {"endpoint": "http://collector.bank.example:4317"},
        {"endpoint": "http://10.0.0.1:4317"},
        {"endpoint": "http://127.0.0.1:4317", "ca": "ca.pem"},
        {"ca": "ca.pem"},
        {"headers_file": "headers"},
        {"sampling_ratio": 1.1},
        {"metrics_seconds": -1},
    ],
)
def test_unsafe_and_useless_settings_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OtlpSettings.model_validate(fields)

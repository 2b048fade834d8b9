"""Rules of single tables of the settings."""

import pytest
from pydantic import ValidationError

from server.configuration.tables import (
    AnalysisSettings,
    FailureSettings,
    OtlpSettings,
    TelemetrySettings,
)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"max_videos": 0}, "max_videos"),
        ({"video_workers": -1}, "video_workers"),
    ],
)
def test_contradictory_settings_are_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AnalysisSettings.model_validate(values)


def test_a_block_is_not_shorter_than_a_lock() -> None:
    assert FailureSettings(lock_seconds=60, block_seconds=60).as_setting().real.block.total_seconds() == 60
    with pytest.raises(ValidationError, match="lock_seconds"):
        FailureSettings(lock_seconds=61, block_seconds=60)


def test_a_block_takes_no_fewer_failures_than_a_lock() -> None:
    with pytest.raises(ValidationError, match="block_maximum"):
        FailureSettings(maximum=21)


def test_failures_are_remembered_for_two_blocks() -> None:
    assert FailureSettings(remember_days=2).as_setting().remembered.days == 2
    with pytest.raises(ValidationError, match="remember_days"):
        FailureSettings(remember_days=1)


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

import pytest
from pydantic import ValidationError

from server.configuration.telemetry import OtlpSettings, TelemetrySettings


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

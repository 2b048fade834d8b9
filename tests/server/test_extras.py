"""A setting whose extra is not installed: the server says so, and how to install it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import HttpUrl

from server.base.errors import ConfigurationError
from server.configuration.tables import OtlpSettings
from server.device.google_play import GooglePlayDecoder
from server.keyring.key_encryption import AwsKms, KeyEncryptionUnavailable, VaultTransit
from server.running import timestamps
from server.storage.engine import open_postgresql
from server.storage.errors import StorageUnavailable
from server.telemetry.metrics import Metrics
from server.telemetry.otlp import open_otlp

_NOWHERE = Path("nowhere")


def _collector() -> object:
    return open_otlp(OtlpSettings(endpoint=HttpUrl("http://127.0.0.1:4317")), Metrics(CollectorRegistry()))


@pytest.mark.parametrize(
    ("extra", "module", "use", "error"),
    [
        ("aws-kms", "boto3", lambda: AwsKms(key="k", region=None, endpoint=None), KeyEncryptionUnavailable),
        (
            "vault",
            "hvac",
            lambda: VaultTransit(address="http://127.0.0.1", mount="transit", key="k", token_file=_NOWHERE),
            KeyEncryptionUnavailable,
        ),
        ("otlp", "opentelemetry.sdk.trace", _collector, ConfigurationError),
        (
            "play-integrity",
            "google.oauth2.service_account",
            lambda: GooglePlayDecoder(service_account_file=_NOWHERE),
            ConfigurationError,
        ),
        (
            "postgres",
            "asyncpg",
            lambda: open_postgresql("postgresql+asyncpg://user@host/db"),
            StorageUnavailable,
        ),
    ],
)
def test_without_an_extra_the_error_names_it_and_its_command(
    extra: str,
    module: str,
    use: Callable[[], object],
    error: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        error, match=rf"needs the extra {extra}, which is not installed: run `make install EXTRAS={extra}`"
    ):
        use()


def test_without_time_stamps_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timestamps, "rfc3161_client", None)
    with pytest.raises(ConfigurationError, match="needs the extra timestamps"):
        timestamps.TimestampRoots(_NOWHERE)

from pathlib import Path

import pytest
from pydantic import ValidationError

from server.configuration.settings import (
    AdminListener,
    DeviceListener,
    ServiceListener,
    Settings,
    is_loopback,
)

_EVERYWHERE = "0.0.0.0"  # noqa: S104 - what must be refused
_TLS = {"certificate": "c.pem", "key": "k.pem"}
_CLIENT: dict[str, object] = {
    "identity": "uri:spiffe://bank/backend",
    "name": "backend",
    "tenant": "a",
    "roles": ["orchestrator"],
}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        (_EVERYWHERE, False),
        ("::", False),
        ("", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("unix:/run/facegate.sock", False),
    ],
)
def test_loopback_is_this_machine_only(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("host", [_EVERYWHERE, "::", "192.0.2.7", "verify.example.org"])
def test_the_device_listener_needs_tls_off_loopback(host: str) -> None:
    with pytest.raises(ValidationError, match=r"tls\.certificate"):
        DeviceListener(host=host)
    assert DeviceListener.model_validate({"host": host, "tls": _TLS}).tls is not None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"tls": {**_TLS, "client_ca": "ca.pem"}}, r"listeners\.service\.clients"),
        ({"tls": _TLS, "clients": [_CLIENT]}, r"tls\.client_ca"),
        ({"tls": {**_TLS, "client_ca": "ca.pem"}, "clients": [_CLIENT | {"identity": "bank"}]}, "identity"),
        ({"tls": {**_TLS, "client_ca": "ca.pem"}, "clients": [_CLIENT | {"roles": []}]}, "roles"),
    ],
)
def test_client_certificates_need_an_authority_and_entries(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ServiceListener.model_validate(values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, r"tls\.certificate"),
        ({"api_keys_file": "k.toml"}, r"tls\.certificate"),
        ({"tls": _TLS}, r"client_ca .* or api_keys_file"),
        ({"tls": {**_TLS, "client_ca": "ca.pem"}, "clients": [_CLIENT]}, None),
        ({"tls": _TLS, "api_keys_file": "k.toml"}, None),
        ({"tls": {**_TLS, "client_ca": "ca.pem"}, "api_keys_file": "k.toml"}, None),
    ],
)
def test_the_service_listener_needs_tls_and_credentials_off_loopback(
    values: dict[str, object], said: str | None
) -> None:
    assert ServiceListener.model_validate(values).host == "127.0.0.1"
    if said is None:
        ServiceListener.model_validate({"host": _EVERYWHERE, **values})
    else:
        with pytest.raises(ValidationError, match=said):
            ServiceListener.model_validate({"host": _EVERYWHERE, **values})


def test_callers_without_credentials_are_sandbox_callers_only_if_configured() -> None:
    assert not ServiceListener().local_sandbox
    assert ServiceListener(local_sandbox=True, host="::1").local_sandbox


@pytest.mark.parametrize(
    "values",
    [
        {"host": _EVERYWHERE, "tls": _TLS | {"client_ca": "ca.pem"}, "clients": [_CLIENT]},
        {"host": "192.0.2.7", "tls": _TLS, "api_keys_file": "k.toml"},
        {"api_keys_file": "k.toml"},
        {"tls": _TLS | {"client_ca": "ca.pem"}, "clients": [_CLIENT]},
    ],
)
def test_callers_with_credentials_are_no_sandbox_callers_by_that_setting(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="entry of a caller"):
        ServiceListener.model_validate(values | {"local_sandbox": True})


def test_the_admin_listener_off_loopback_must_be_meant() -> None:
    with pytest.raises(ValidationError, match="trusted_network"):
        AdminListener(host=_EVERYWHERE)
    assert AdminListener(host=_EVERYWHERE, trusted_network=True).trusted_network


def test_places_follow_the_data_folder_unless_they_are_set() -> None:
    settings = Settings.model_validate({"data_dir": "/srv/facegate"})
    assert settings.database_url == "sqlite:////srv/facegate/facegate.db"
    assert settings.objects_url == "/srv/facegate/objects"
    assert str(settings.key_folder) == "/srv/facegate/keys"
    moved = Settings.model_validate(
        {
            "storage": {"database_url": "postgresql+asyncpg://h/d", "objects_url": "s3://b/p"},
            "keys": {"folder": "/run/secrets"},
        }
    )
    assert (moved.database_url, moved.objects_url) == ("postgresql+asyncpg://h/d", "s3://b/p")
    assert str(moved.key_folder) == "/run/secrets"


@pytest.mark.parametrize(
    "values",
    [
        {"listeners": {"device": {"port": 65_536}}},
        {"listeners": {"device": {"port": -1}}},
        {"runtime": {"workers": 0}},
        {"runtime": {"cuda_memory_mib": 1}},
        {"runtime": {"max_batch": 0}},
        {"limits": {"max_scans": 0}},
        {"drain_seconds": float("inf")},
        {"drain_seconds": -1},
        {"pack": "  "},
        {"models_dir": "~nobody-of-this-name/models"},
        {"log": {"level": "loud"}},
        {"nothing": 1},
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(values)


def test_pulled_packs_lie_in_the_users_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEGATE_MODELS_DIR", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    assert Settings().models_dir == Path("/home/someone/.local/share/facegate/models")
    assert Settings(models_dir=Path("~/models")).models_dir == Path("/home/someone/models")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert Settings().models_dir == Path("/data/facegate/models")
    monkeypatch.setenv("FACEGATE_MODELS_DIR", "/srv/models")
    assert Settings().models_dir == Path("/srv/models")


def test_an_account_without_a_home_needs_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("FACEGATE_MODELS_DIR", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert Settings().models_dir == Path(".local/share/facegate/models")

"""The settings, and the files and variables that they come from."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import HttpUrl, ValidationError

from server.access.sessions import Login
from server.base.errors import ConfigurationError
from server.base.table import is_loopback
from server.configuration.hosted import HostedSettings
from server.configuration.loading import Origin, SettingsInvalid, load_settings, mask_url, shown_settings
from server.configuration.settings import (
    AdminListener,
    DeviceListener,
    ListenerSettings,
    ServiceListener,
    Settings,
)
from server.configuration.tables import (
    FailureSettings,
    OtlpSettings,
)
from server.device.google_play import GooglePlayDecoder
from server.edge.hosted import HostedPage
from server.keyring.key_encryption import AwsKms, KeyEncryptionUnavailable, VaultTransit
from server.running import timestamps
from server.storage.engine import open_postgresql
from server.storage.errors import StorageUnavailable
from server.telemetry.metrics import Metrics
from server.telemetry.otlp import open_otlp


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("FACEGATE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "facegate.toml"


def problems(file: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(file)
    return caught.value.problems


def test_without_anything_the_defaults_hold() -> None:
    loaded = load_settings()
    assert loaded.settings.listeners.device.host == "127.0.0.1"
    assert loaded.file is None
    assert loaded.origin("listeners.device.host") is Origin.DEFAULT


def test_without_a_file_a_server_on_loopback_is_for_evaluation(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loaded(from_file: Path | None = None, **environment: str) -> tuple[bool, int | None, str]:
        """Whether a pack for evaluation may be used, the port of the console, and the default policy."""
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(f"FACEGATE_{name}", value)
            settings = load_settings(from_file).settings
        console = settings.listeners.console
        port = None if console is None else console.port
        return settings.allow_evaluation_pack, port, settings.policies.default

    assert loaded() == (True, 8447, "evaluation")
    assert loaded(ALLOW_EVALUATION_PACK="false")[0] is False
    assert loaded(LISTENERS__CONSOLE__PORT="9447")[1] == 9447
    assert loaded(POLICIES__DEFAULT="low")[2] == "low"
    assert loaded(PACK="open")[2] == "standard"
    # Not if another machine can reach a listener, or if there is a file that does not say so.
    reached = loaded(LISTENERS__ADMIN__HOST=_EVERYWHERE, LISTENERS__ADMIN__TRUSTED_NETWORK="true")
    assert reached[:2] == (False, None)
    file.write_text("drain_seconds = 7.5\n")
    assert loaded(file) == (False, None, "standard")
    file.write_text("allow_evaluation_pack = true\n")
    assert loaded(file)[0]


def test_the_environment_beats_the_file_key_by_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('pack = "embedded"\n[listeners.device]\nport = 1001\nhost = "127.0.0.2"\n')
    monkeypatch.setenv("FACEGATE_LISTENERS__DEVICE__PORT", "2002")
    monkeypatch.setenv("FACEGATE_RUNTIME__PROVIDERS", "cpu")
    loaded = load_settings(file)
    assert loaded.settings.listeners.device.port == 2002
    assert loaded.settings.listeners.device.host == "127.0.0.2"
    assert loaded.settings.runtime.providers == "cpu"
    assert loaded.origin("listeners.device.port") is Origin.ENVIRONMENT
    assert loaded.origin("listeners.device.host") is Origin.FILE
    assert loaded.origin("listeners.service.port") is Origin.DEFAULT


def test_the_file_may_be_named_by_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("drain_seconds = 7.5\n")
    monkeypatch.setenv("FACEGATE_CONFIG", str(file))
    loaded = load_settings()
    assert loaded.settings.drain_seconds == 7.5
    assert loaded.file == file
    # The command line beats it.
    monkeypatch.setenv("FACEGATE_CONFIG", str(file.with_name("not-there.toml")))
    assert load_settings(file).settings.drain_seconds == 7.5


def test_nested_tables_can_be_given_by_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_LISTENERS__SERVICE__HOST", "192.0.2.7")
    monkeypatch.setenv("FACEGATE_LISTENERS__SERVICE__TLS__CERTIFICATE", "/c.pem")
    monkeypatch.setenv("FACEGATE_LISTENERS__SERVICE__TLS__KEY", "/k.pem")
    monkeypatch.setenv("FACEGATE_LISTENERS__SERVICE__TLS__CLIENT_CA", "/ca.pem")
    monkeypatch.setenv(
        "FACEGATE_LISTENERS__SERVICE__CLIENTS",
        '[{"identity": "cn:backend", "name": "backend", "tenant": "bank", "roles": ["orchestrator"]}]',
    )
    service = load_settings().settings.listeners.service
    assert service.tls is not None
    assert service.tls.client_ca == Path("/ca.pem")
    assert service.clients[0].caller.tenant == "bank"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[listeners.device]\nprot = 1\n", ("listeners.device.prot", "did you mean listeners.device.port?")),
        ("pak = 1\n", ("pak", "did you mean pack?")),
        (
            "[limits]\nwait_seconds = 4\n",
            ("limits.wait_seconds", "setting; there are limits.failures, "),
        ),
        (
            "[device_integrity.web]\nrequire_user_verification = true\n",
            ("there are device_integrity.web.origins, device_integrity.web.rp_id",),
        ),
        (
            '[[listeners.service.clients]]\nidentity = "cn:a"\nname = "a"\ntenant = "t"\n'
            'roles = ["operator"]\nrole = "operator"\n',
            ("listeners.service.clients.0.role", "did you mean roles?"),
        ),
        ("[limits]\nmax_scans = 0\n", ("limits.max_scans", "greater than or equal to 1")),
        ('drain_seconds = "soon"\n', ("drain_seconds", "valid number")),
        ('[listeners.device]\nhost = "0.0.0.0"\n', ("listeners.device", "set tls.certificate and tls.key")),
        ('[listeners.device.tls]\nkey = "k"\n', ("listeners.device.tls.certificate", "is missing")),
        ("listeners = 3\n", ("listeners", "valid dictionary")),
        ("pack = \n", ("not TOML", "line 1")),
    ],
)
def test_a_problem_names_file_key_and_remedy(file: Path, text: str, expected: tuple[str, str]) -> None:
    file.write_text(text)
    (problem,) = problems(file)
    assert problem.startswith(f"{file}: ")
    for part in expected:
        assert part in problem


def test_every_problem_is_listed(file: Path) -> None:
    file.write_text("pak = 1\ndrain_seconds = -1\n[runtime]\nworkers = 0\n")
    assert len(problems(file)) == 3


def test_an_unknown_variable_is_an_error_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_RUNTIME__WORKER", "3")
    (problem,) = problems()
    assert "FACEGATE_RUNTIME__WORKER: there is no such setting" in problem
    assert "did you mean FACEGATE_RUNTIME__WORKERS?" in problem


def test_a_bad_value_of_the_environment_is_placed_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('pack = "embedded"\n')
    monkeypatch.setenv("FACEGATE_RUNTIME__WORKERS", "many")
    (problem,) = problems(file)
    assert problem.startswith("environment: runtime.workers: ")


def test_no_value_is_repeated_in_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_DRAIN_SECONDS", "hunter2-hunter2")
    assert "hunter2" not in "\n".join(problems())


@pytest.mark.parametrize(
    "name",
    [
        "FACEGATE_SERVICE_HOST",
        "FACEGATE_SERVICE_PORT_GRPC_DEVICE",
        "FACEGATE_PORT_8443_TCP",
        "FACEGATE_DEVICE_PORT_8443_TCP_PROTO",
        "FACEGATE_API_KEY_FILE",
        "FACEGATE_TEST_ASSETS",
    ],
)
def test_variables_of_kubernetes_are_no_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "tcp://10.0.0.1:8443")
    load_settings()


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path / "none.toml")
    assert "cannot be read: No such file" in problem


def test_bytes_that_are_no_text_are_reported(file: Path) -> None:
    file.write_bytes(b"pack = '\xff\xfe'")
    (problem,) = problems(file)
    assert "not UTF-8 at byte 8" in problem


def test_a_file_without_end_is_refused(file: Path) -> None:
    file.write_bytes(b"#" * 1_048_577)
    (problem,) = problems(file)
    assert "not a settings file" in problem


@pytest.mark.parametrize(
    "setting",
    [
        'database_url = "postgresql+asyncpg://me:hunter2@db/x"',
        'objects_url = "s3://bucket?aws_secret_access_key=hunter2"',
    ],
)
def test_a_file_with_a_password_must_not_be_open_to_others(file: Path, setting: str) -> None:
    file.write_text(f"[storage]\n{setting}\n")
    for mode in (0o644, 0o604):
        file.chmod(mode)
        (problem,) = problems(file)
        assert setting.partition(" ")[0] in problem
        assert "chmod 600" in problem
        assert "hunter2" not in problem
    for mode in (0o600, 0o440):
        file.chmod(mode)
        load_settings(file)


def test_a_file_without_a_password_may_be_open(file: Path) -> None:
    file.write_text('[storage]\ndatabase_url = "postgresql+asyncpg://me@db/x?ssl=require"\n')
    file.chmod(0o644)
    load_settings(file)


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
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        (_EVERYWHERE, False),
        ("", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("unix:/run/facegate.sock", False),
    ],
)
def test_loopback_is_this_machine_only(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


_ORIGIN = "https://facegate.bank.example"
_KEYS = {"api_keys_file": "keys.toml"}
_PEOPLE = {
    "issuer": "https://login.bank.example",
    "client_id": "console",
    "grants": [{"claim": "groups", "value": "readers", "tenant": "bank", "roles": ["compliance_reader"]}],
}


@pytest.mark.parametrize(
    ("console", "service", "said"),
    [
        ({"host": _EVERYWHERE, "origin": _ORIGIN}, _KEYS, r"tls\.certificate"),
        ({"host": _EVERYWHERE, "tls": _TLS}, _KEYS, "origin"),
        ({"origin": "http://facegate.bank.example"}, _KEYS, "https://"),
        ({"origin": "http://localhost:8447", "tls": _TLS}, _KEYS, "https://"),
        ({"origin": _ORIGIN + "/console"}, _KEYS, "origin"),
        # Nobody could log in.
        ({"host": _EVERYWHERE, "tls": _TLS, "origin": _ORIGIN}, {}, "nobody could log in"),
        ({}, {"tls": {**_TLS, "client_ca": "ca.pem"}, "clients": [_CLIENT]}, "nobody could log in"),
        ({}, {"tls": {**_TLS, "client_ca": "ca.pem"}, **_KEYS}, "nobody could log in"),
        ({"oidc": _PEOPLE | {"scope": "groups"}}, {}, "openid"),
        ({"oidc": _PEOPLE | {"issuer": "http://login.bank.example"}}, {}, "https://"),
        ({"oidc": _PEOPLE | {"grants": []}}, {}, "grants"),
        ({"oidc": _PEOPLE | {"acr_values": ["two words"]}}, {}, "acr_values"),
    ],
)
def test_an_unsafe_console_is_refused(
    console: dict[str, object], service: dict[str, object], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        ListenerSettings.model_validate({"console": console, "service": service})


@pytest.mark.parametrize(
    ("console", "service", "login"),
    [
        ({}, {}, Login.LINK),
        ({}, _KEYS, Login.API_KEY),
        ({"host": _EVERYWHERE, "tls": _TLS, "origin": _ORIGIN}, _KEYS, Login.API_KEY),
        ({"oidc": _PEOPLE}, _KEYS, Login.OIDC),
        ({"oidc": _PEOPLE}, {"tls": {**_TLS, "client_ca": "ca.pem"}, "clients": [_CLIENT]}, Login.OIDC),
    ],
)
def test_people_log_in_at_the_console_by_what_the_settings_have(
    console: dict[str, object], service: dict[str, object], login: Login
) -> None:
    settings = ListenerSettings.model_validate({"console": console, "service": service})
    assert settings.console_login is login


@pytest.mark.parametrize("name", ["web", "console"])
def test_the_proxy_protocol_needs_proxies_that_are_trusted(name: str) -> None:
    listeners = {name: {"proxy_protocol": True}}
    with pytest.raises(ValidationError, match=rf"{name}\.proxy_protocol: .* set listeners\.trusted_proxies"):
        ListenerSettings.model_validate(listeners)
    ListenerSettings.model_validate(listeners | {"trusted_proxies": ["10.0.0.0/24"]})


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
        {"limits": {"max_uploads": 0}},
        {"analysis": {"video_workers": -1}},
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


# Rules of single tables of the settings.


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
    ],
)
def test_unsafe_and_useless_settings_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OtlpSettings.model_validate(fields)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///data/facegate.db", "sqlite:///data/facegate.db"),
        ("postgresql+asyncpg://me:hunter2@db/x", "postgresql+asyncpg://me:***@db/x"),
        ("postgresql+asyncpg://me:hun@ter2@db:5432/x", "postgresql+asyncpg://me:***@db:5432/x"),
        (
            "postgresql+asyncpg://db/x?password=hunter2&ssl=on",
            "postgresql+asyncpg://db/x?password=***&ssl=on",
        ),
        ("s3://bucket/p?secret_access_key=hunter2", "s3://bucket/p?secret_access_key=***"),
        ("az://c/p?sas_token=hunter2&sig=hunter2", "az://c/p?sas_token=***&sig=***"),
        ("/srv/objects", "/srv/objects"),
        ("http://[broken:hunter2@x", "***"),
    ],
)
def test_secrets_in_urls_are_masked(url: str, shown: str) -> None:
    assert mask_url(url) == shown


def test_every_setting_is_shown_by_its_key() -> None:
    shown = shown_settings(
        Settings.model_validate({"storage": {"database_url": "postgresql+asyncpg://u:hunter2@h/d"}})
    )
    assert shown["listeners.device.port"] == 8443
    assert shown["listeners.device.tls"] is None
    assert shown["log.format"] == "json"
    assert "hunter2" not in str(shown)


# The settings of the server's own scan page.


def page(**values: Any) -> HostedSettings:
    return HostedSettings.model_validate({"origin": "https://verify.bank.example", "name": "Bank"} | values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"origin": "http://verify.bank.example"}, "https://"),
        ({"origin": "https://verify.bank.example/scan"}, "origin"),
        ({"name": " "}, "printable"),
        ({"color": "#ffcc00"}, "contrast"),
        ({"links": {"privacy": "javascript:alert(1)"}}, "links"),
        ({"links": {"privacy": "http://bank.example"}}, "links"),
        ({"texts": {"xx": {"title": "x"}}}, "texts"),
        ({"return_urls": ("https://bank.example/done?x=1",)}, "query"),
        ({"return_urls": ("http://bank.example/done",)}, "https://"),
        ({"return_urls": ("https://bank.example/a/../b",)}, "part"),
        ({"return_urls": ("bank-app://done",)}, "origin"),
    ],
)
def test_an_unsafe_page_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        page(**values)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("listed", "url", "may"),
    [
        ("https://bank.example", "https://bank.example", True),
        ("https://bank.example", "https://bank.example/any/where", True),
        ("https://bank.example", "https://bank.example.evil.example", False),
        ("https://bank.example/a", "https://bank.example/a", True),
        ("https://bank.example/a", "https://bank.example/ab", False),
        ("https://bank.example/a", "https://bank.example/", False),
        ("http://localhost:3000", "http://localhost:3000/done", True),
        ("http://localhost:3000", "http://localhost:30001/done", False),
    ],
)
def test_the_page_returns_below_what_is_listed(listed: str, url: str, may: bool) -> None:
    assert page(return_urls=(listed,)).may_return_to(url) is may


def test_the_page_is_one_of_those_that_may_scan() -> None:
    hosted = {"origin": "https://verify.bank.example", "name": "Bank"}
    alone = Settings.model_validate({"listeners": {"web": {"hosted": hosted}}})
    assert alone.devices.web.origins == ("https://verify.bank.example",)
    assert alone.devices.web.rp_id == "verify.bank.example"
    assert alone.device_integrity.web.origins == ()
    beside = Settings.model_validate(
        {
            "listeners": {"web": {"hosted": hosted}},
            "device_integrity": {"web": {"rp_id": "bank.example", "origins": ["https://bank.example"]}},
        }
    )
    assert beside.devices.web.origins == ("https://bank.example", "https://verify.bank.example")
    assert beside.devices.web.rp_id == "bank.example"
    with pytest.raises(ValidationError, match=r"listeners\.web\.hosted"):
        Settings.model_validate({"listeners": {"web": {}}})


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"GIF89a", "neither"), (b"\x89PNG\r\n\x1a\n" + bytes(262_144), "256 KiB"), (None, "cannot be read")],
)
def test_a_logo_is_a_small_png_or_svg(tmp_path: Path, content: bytes | None, said: str) -> None:
    logo = tmp_path / "logo"
    if content is not None:
        logo.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said):
        HostedPage(page(logo_file=logo), tls=True, metrics=Metrics(CollectorRegistry()))


_INSIDE, _FILE = {"kind": "environment"}, {"kind": "file", "path": Path("older.key")}


@pytest.mark.parametrize(
    ("own", "of_tenant", "fine"),
    [
        ([_INSIDE, _FILE], [], True),
        ([_FILE], [_INSIDE], True),
        ([_INSIDE, _INSIDE], [], False),
        ([_INSIDE], [_INSIDE], False),
    ],
)
def test_the_environment_holds_one_key(own: list[Any], of_tenant: list[Any], fine: bool) -> None:
    keys = {"encryption": own, "tenants": {"bank": {"encryption": of_tenant}}}
    if fine:
        Settings.model_validate({"keys": keys})
        return
    with pytest.raises(ValidationError, match='write the other one into a file, kind = "file"'):
        Settings.model_validate({"keys": keys})


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ("reflection = true", "reflection"),
        ("[isolation]\nworkers = 2", "isolation"),
        ("[limits]\nlease_seconds = 15", "limits.lease_seconds"),
        ("[limits.tenants.bank]\nshare = 0.5\nmax_scans = 2", "limits.tenants.bank.max_scans"),
        ("[runtime]\nmax_batch = 16", "runtime.max_batch"),
        (
            '[[keys.encryption]]\nkind = "environment"\nvariable = "K"',
            "keys.encryption.0.environment.variable",
        ),
    ],
)
def test_a_setting_that_became_a_constant_is_refused_by_its_name(gone: str, named: str, file: Path) -> None:
    file.write_text(gone)
    (problem,) = problems(file)
    assert problem.startswith(f"{file}: {named}: there is no such setting"), problem


# A setting whose extra is not installed: the server says so, and how to install it.

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

import os
from pathlib import Path

import pytest

from server.configuration.loading import Origin, SettingsInvalid, load_settings


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


def test_without_a_file_a_server_on_loopback_may_use_a_pack_for_evaluation(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().settings.allow_evaluation_pack
    monkeypatch.setenv("FACEGATE_ALLOW_EVALUATION_PACK", "false")
    assert not load_settings().settings.allow_evaluation_pack
    monkeypatch.delenv("FACEGATE_ALLOW_EVALUATION_PACK")
    # Not if another machine can reach a listener.
    monkeypatch.setenv("FACEGATE_LISTENERS__ADMIN__HOST", "0.0.0.0")  # noqa: S104
    monkeypatch.setenv("FACEGATE_LISTENERS__ADMIN__TRUSTED_NETWORK", "true")
    assert not load_settings().settings.allow_evaluation_pack
    monkeypatch.delenv("FACEGATE_LISTENERS__ADMIN__HOST")
    file.write_text("drain_seconds = 7.5\n")
    assert not load_settings(file).settings.allow_evaluation_pack
    file.write_text("allow_evaluation_pack = true\n")
    assert load_settings(file).settings.allow_evaluation_pack


def test_without_a_file_the_default_policy_is_one_that_the_pack_for_evaluation_can_meet(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().settings.policies.default == "evaluation"
    file.write_text("drain_seconds = 7.5\n")
    assert load_settings(file).settings.policies.default == "standard"
    monkeypatch.setenv("FACEGATE_POLICIES__DEFAULT", "low")
    assert load_settings().settings.policies.default == "low"
    monkeypatch.delenv("FACEGATE_POLICIES__DEFAULT")
    monkeypatch.setenv("FACEGATE_PACK", "open")
    assert load_settings().settings.policies.default == "standard"


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


def test_the_command_line_beats_the_environments_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("drain_seconds = 7.5\n")
    monkeypatch.setenv("FACEGATE_CONFIG", str(tmp_path / "not-there.toml"))
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
        "FACEGATE_SERVICE_PORT",
        "FACEGATE_SERVICE_PORT_GRPC_DEVICE",
        "FACEGATE_PORT",
        "FACEGATE_PORT_8443_TCP",
        "FACEGATE_PORT_8443_TCP_ADDR",
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

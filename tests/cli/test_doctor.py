"""``facegate doctor`` finds the faults that are planted in a deployment, and none in a sound one."""

import asyncio
import base64
import json
import os
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from typer.testing import CliRunner

from cli.doctor.data import compared
from cli.doctor.finding import Level
from cli.main import app
from server.access.api_keys import new_api_key
from server.device.revocation import write_revocation_files
from server.keyring.key_encryption import KeyFileCipher
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder, wrapping_key_id
from server.keyring.sealing import Sealed
from server.running.webhooks import new_webhook_secret
from server.storage.database import open_database
from server.storage.repository import CheckRepository
from server.storage.schema import upgrade
from tests.server.databases import PostgresServer, postgres_server
from tests.server.object_stores import S3, running_s3
from tests.server.policy_files import write_policy
from tests.server.storage.samples import new_check

_RUN = CliRunner()
_LIST = b'{"entries": {"2c8cdddfd5e03bfc": {"status": "REVOKED"}}}'


@dataclass(frozen=True, slots=True)
class _Report:
    code: int
    levels: dict[str, Level]


@dataclass(frozen=True, slots=True)
class _Deployment:
    folder: Path
    tables: list[str]

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    def add(self, text: str) -> None:
        self.tables.append(text)

    def config(self) -> Path:
        path = self.folder / "facegate.toml"
        tables = "\n".join(self.tables)
        listeners = "".join(
            f"listeners.{name}.port = 0\n"
            for name in ("device", "service", "admin")
            if f"listeners.{name}.port" not in tables and f"[listeners.{name}]" not in tables
        )
        path.write_text(
            f'data_dir = "{self.folder}"\nallow_evaluation_pack = true\npolicies.default = "evaluation"\n'
            f"runtime.workers = 1\n{listeners}{tables}"
        )
        path.chmod(0o600)
        return path

    def examine(self, *options: str) -> _Report:
        done = _RUN.invoke(app, ["doctor", "--json", "--config", str(self.config()), *options])
        assert done.stdout, done.output
        rows = json.loads(done.stdout)["findings"]
        assert all(
            row["remedy"] and row["expected"] for row in rows if row["level"] in {"warning", "failure"}
        )
        return _Report(done.exit_code, {row["code"]: Level(row["level"]) for row in rows})

    def command(self, *arguments: str) -> None:
        done = _RUN.invoke(app, [*arguments, "--config", str(self.config())])
        assert done.exit_code == 0, done.output


@pytest.fixture
def deployment(tmp_path: Path) -> _Deployment:
    made = _Deployment(tmp_path / "data", [])
    asyncio.run(upgrade(f"sqlite:///{made.folder / 'facegate.db'}"))
    KeyFolder(KeyFiles(made.keys))
    (made.folder / "objects").mkdir(mode=0o700)
    return made


def _age_a_key(one: _Deployment) -> None:
    path = one.keys / "result-0001.pem"
    begun = f"Not-Before: {datetime.now(UTC) - timedelta(days=500):%Y-%m-%dT%H:%M:%SZ}\n"
    path.write_bytes(begun.encode() + path.read_bytes().partition(b"\n")[2])


def _lose_key_encryption(one: _Deployment) -> None:
    one.add(f'[[keys.encryption]]\nkind = "file"\npath = "{one.folder / "missing.key"}"')


def _new_key(path: Path) -> Path:
    path.write_bytes(base64.b64encode(os.urandom(32)))
    path.chmod(0o600)
    return path


def _leave_keys_in_clear(one: _Deployment) -> None:
    key = _new_key(one.folder / "kek")
    one.add(f'[[keys.encryption]]\nkind = "file"\npath = "{key}"')


def _age_the_list(one: _Deployment) -> None:
    path = one.folder / "status.json"
    write_revocation_files(path, _LIST, fetched_at=datetime.now(UTC) - timedelta(days=5))
    one.add(f'[device_integrity.android]\nrevocation_file = "{path}"')


def _tls(one: _Deployment, *, expires: timedelta, other_key: bool = False, listener: str = "device") -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", not_after=datetime.now(UTC) + expires)
    other = authority.issue_cert("localhost")
    pem, key = one.folder / "tls.pem", one.folder / "tls.key"
    pem.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes((other if other_key else issued).private_key_pem.bytes())
    key.chmod(0o600)
    one.add(f'[listeners.{listener}.tls]\ncertificate = "{pem}"\nkey = "{key}"')


def _serve_pages(one: _Deployment) -> None:
    one.add('[device_integrity.web]\nrp_id = "bank.example"\norigins = ["https://bank.example"]')


def _expired_certificate_of_pages(one: _Deployment) -> None:
    _serve_pages(one)
    _tls(one, expires=timedelta(days=-1), listener="web")


def _list_an_api_key(one: _Deployment, *, left: timedelta) -> None:
    path = one.folder / "api_keys.toml"
    path.write_text(
        f'[[key]]\nname = "backend"\nsha256 = "{new_api_key()[1]}"\nroles = ["orchestrator"]\n'
        f"expires = {datetime.now(UTC) + left:%Y-%m-%dT%H:%M:%SZ}\n"
    )
    path.chmod(0o600)
    one.add(f'[listeners.service]\nport = 0\napi_keys_file = "{path}"')


def _lose_the_issuer(one: _Deployment) -> None:
    one.add(
        '[listeners.service.oidc]\nissuer = "http://127.0.0.1:1/realm"\naudience = "facegate"\n'
        '[[listeners.service.oidc.grants]]\nvalue = "checks"\ntenant = "bank"\nroles = ["orchestrator"]'
    )


def _lose_the_issuer_of_people(one: _Deployment) -> None:
    one.add(
        '[listeners.console.oidc]\nissuer = "http://127.0.0.1:1/realm"\nclient_id = "console"\n'
        '[[listeners.console.oidc.grants]]\nclaim = "groups"\nvalue = "a"\ntenant = "bank"\n'
        'roles = ["compliance_reader"]'
    )


def _lose_the_issuers_keys(one: _Deployment) -> None:
    _lose_the_issuer(one)
    one.tables[-1] = one.tables[-1].replace("audience", 'jwks_file = "/missing.json"\naudience')


def _missing_pack(one: _Deployment) -> None:
    one.tables.insert(0, f'pack = "open"\nmodels_dir = "{one.folder / "models"}"')


def _list_another_origin(one: _Deployment) -> None:
    folder = one.folder / "policies"
    write_policy(folder, "pages", web_origins=["https://bank.example", "https://shop.example"])
    one.tables.insert(0, f'policies.folder = "{folder}"')
    _serve_pages(one)


def _lose_a_webhook_secret(one: _Deployment) -> None:
    one.add(
        '[webhooks.endpoints.hook]\ntenant = "default"\nurl = "https://bank.example/hook"\n'
        f'secret_files = ["{one.folder / "missing.whsec"}"]'
    )


def _lose_a_receiver(one: _Deployment) -> None:
    secret = one.folder / "hook.whsec"
    secret.write_text(new_webhook_secret())
    secret.chmod(0o600)
    one.add(
        '[webhooks.endpoints.hook]\ntenant = "default"\nurl = "https://localhost:1/hook"\n'
        f'secret_files = ["{secret}"]\nallow_private = true'
    )


def _page(one: _Deployment, origin: str, **more: object) -> None:
    one.add(f'[listeners.web.hosted]\norigin = "{origin}"\nname = "Example Bank"')
    one.tables[-1] += "".join(f'\n{name} = "{value}"' for name, value in more.items())


def _link_to_another_host(one: _Deployment) -> None:
    _page(one, "https://verify.bank.example")
    _tls(one, expires=timedelta(days=90), listener="web")


_FAULTS: list[tuple[Callable[[_Deployment], None], str, str, Level]] = [
    (lambda one: one.keys.chmod(0o755), "keys", "KEY_FOLDER_OPEN", Level.FAILURE),
    (lambda one: one.add("[limits]\nmax_scans = 999"), "machine", "SCANS_TOO_MANY", Level.WARNING),
    (lambda one: (one.keys / "result-0001.pem").unlink(), "keys", "KEYS_UNUSABLE", Level.FAILURE),
    (_age_a_key, "keys", "KEY_OLD", Level.WARNING),
    (_lose_key_encryption, "keys", "KEY_ENCRYPTION_UNUSABLE", Level.FAILURE),
    (_leave_keys_in_clear, "keys", "KEYS_IN_CLEAR", Level.WARNING),
    (lambda one: (one.folder / "facegate.db").unlink(), "database", "DATABASE_UNREACHABLE", Level.FAILURE),
    (lambda one: (one.folder / "objects").rmdir(), "objects", "OBJECTS_MISSING", Level.FAILURE),
    (_age_the_list, "attestation", "REVOCATION_LIST_OLD", Level.FAILURE),
    (lambda one: _tls(one, expires=timedelta(days=-1)), "tls", "TLS_EXPIRED", Level.FAILURE),
    (_expired_certificate_of_pages, "tls", "TLS_EXPIRED", Level.FAILURE),
    (lambda one: _tls(one, expires=timedelta(days=5)), "tls", "TLS_EXPIRES", Level.WARNING),
    (lambda one: _tls(one, expires=timedelta(days=90), other_key=True), "tls", "TLS_UNUSABLE", Level.FAILURE),
    (_lose_the_issuer, "callers", "ISSUER_UNUSABLE", Level.FAILURE),
    (_lose_the_issuer_of_people, "callers", "ISSUER_UNUSABLE", Level.FAILURE),
    (_lose_the_issuers_keys, "callers", "ISSUER_UNUSABLE", Level.FAILURE),
    (_list_another_origin, "policies", "POLICY_ORIGINS_NOT_LISTED", Level.WARNING),
    (_lose_a_webhook_secret, "webhooks", "WEBHOOK_SECRET_UNUSABLE", Level.FAILURE),
    (_lose_a_receiver, "webhooks", "WEBHOOK_NOT_REACHED", Level.WARNING),
    (
        lambda one: _page(one, "https://verify.bank.example", logo_file="none.svg"),
        "hosted",
        "HOSTED_LOGO_UNUSABLE",
        Level.FAILURE,
    ),
    (lambda one: _page(one, "http://localhost:8499"), "hosted", "HOSTED_ORIGIN_ELSEWHERE", Level.WARNING),
    (_link_to_another_host, "hosted", "HOSTED_ORIGIN_NOT_CERTIFIED", Level.WARNING),
    (_missing_pack, "models", "MODELS_UNUSABLE", Level.FAILURE),
]


@pytest.mark.parametrize(("plant", "area", "code", "level"), _FAULTS)
def test_a_planted_fault_is_found(
    deployment: _Deployment,
    plant: Callable[[_Deployment], None],
    area: str,
    code: str,
    level: Level,
) -> None:
    plant(deployment)
    report = deployment.examine("--only", area)
    assert report.levels[code] is level
    assert report.code == (1 if level is Level.FAILURE else 4)


def test_a_page_at_its_listener_or_behind_a_proxy_is_fine(deployment: _Deployment) -> None:
    for origin in ("http://localhost:8446", "https://verify.bank.example", "https://localhost:8446"):
        deployment.tables.clear()
        _page(deployment, origin)
        if origin == "https://localhost:8446":
            _tls(deployment, expires=timedelta(days=90), listener="web")
        assert deployment.examine("--only", "hosted").code == 0


def test_only_expired_api_keys_are_a_failure(deployment: _Deployment) -> None:
    _list_an_api_key(deployment, left=timedelta(days=-1))
    report = deployment.examine("--only", "callers")
    assert (report.code, report.levels["API_KEYS_ALL_EXPIRED"]) == (1, Level.FAILURE)
    deployment.tables.clear()
    _list_an_api_key(deployment, left=timedelta(days=100))
    assert deployment.examine("--only", "callers").code == 0


def test_the_policies_that_cannot_be_met_are_named(deployment: _Deployment) -> None:
    done = _RUN.invoke(app, ["doctor", "--only", "policies", "--config", str(deployment.config())])
    assert done.exit_code == 0, done.output
    shown = " ".join(done.stdout.split())
    # What the embedded pack cannot reach, and what no device can meet with these settings.
    assert "1 of 7 policies can be met; not adaptive, dynamic, high, low, no-flash, standard" in shown
    assert "0 failures, 0 warnings" in shown


def test_a_missing_backup_is_a_warning_and_a_recorded_one_is_not(deployment: _Deployment) -> None:
    assert deployment.examine("--only", "backup").code == 4
    _back_up(deployment)
    assert deployment.examine("--only", "backup").code == 0


def test_a_keys_backup_from_before_a_rotation_is_a_warning(deployment: _Deployment) -> None:
    _back_up(deployment)
    deployment.command("keys", "rotate", "evidence")
    report = deployment.examine("--only", "backup")
    assert (report.code, report.levels["BACKUP_OF_OTHER_KEYS"]) == (4, Level.WARNING)
    folder = deployment.folder.parent / "backup"
    deployment.command("backup", "keys", str(folder / "new.json"), "--key-file", str(folder / "key"))
    assert deployment.examine("--only", "backup").code == 0


def test_evidence_under_a_key_that_the_folder_lacks_is_a_failure(deployment: _Deployment) -> None:
    own, other = (deployment.keys / f"evidence-000{number}.key" for number in (1, 2))
    deployment.command("keys", "rotate", "evidence")
    for path in (own, other):
        (file,) = (one for one in KeyFiles(deployment.keys).read("evidence", "key") if one.path == path)
        _seal(deployment, wrapping_key_id(file))
    assert deployment.examine("--only", "keys").code == 0
    other.unlink()
    report = deployment.examine("--only", "keys")
    assert (report.code, report.levels["EVIDENCE_KEYS_MISSING"]) == (1, Level.FAILURE)


def test_evidence_under_a_destroyed_key_of_a_tenant_is_no_failure(deployment: _Deployment) -> None:
    deployment.add("[keys.tenants.bank]")
    deployment.command("keys", "rotate", "evidence", "--tenant", "bank")
    (file,) = KeyFiles(deployment.keys, tenants={"bank": KeyFileCipher(())}).read(
        "evidence", "key", tenant="bank"
    )
    _seal(deployment, wrapping_key_id(file), tenant="bank")
    deployment.command("keys", "destroy", "--tenant", "bank", "--yes")
    assert "EVIDENCE_KEYS_MISSING" not in deployment.examine("--only", "keys").levels
    _seal(deployment, wrapping_key_id(file), tenant="shop")
    assert deployment.examine("--only", "keys").levels["EVIDENCE_KEYS_MISSING"] is Level.FAILURE


def _seal(one: _Deployment, key_id: str, *, tenant: str = "default") -> None:
    """Add a check whose template is sealed under a key."""
    template = Sealed(b"ciphertext", b"wrapped key", key_id)

    async def work() -> None:
        database = open_database(f"sqlite:///{one.folder / 'facegate.db'}")
        await CheckRepository(database).create(
            replace(new_check(tenant=tenant), portrait_template=template), None
        )
        await database.close()

    asyncio.run(work())


def test_keys_under_another_key_encryption_key_are_not_restored_in_silence(deployment: _Deployment) -> None:
    _leave_keys_in_clear(deployment)
    deployment.command("keys", "encrypt")
    _back_up(deployment)
    for path in deployment.keys.iterdir():
        path.unlink()
    kek, folder = deployment.folder / "kek", deployment.folder.parent / "backup"
    right = kek.read_bytes()
    kek.write_bytes(base64.b64encode(os.urandom(32)))
    words = ["restore", "keys", str(folder / "keys.json"), "--key-file", str(folder / "key")]
    restored = _RUN.invoke(app, [*words, "--config", str(deployment.config())])
    assert restored.exit_code == 2
    assert "this backup does not contain it" in restored.stderr
    done = _RUN.invoke(app, ["doctor", "--json", "--only", "keys", "--config", str(deployment.config())])
    (row,) = (one for one in json.loads(done.stdout)["findings"] if one["level"] == "failure")
    assert (row["code"], row["remedy"][:12]) == ("KEYS_UNUSABLE", "put back the")
    kek.write_bytes(right)
    deployment.command(*words)
    assert deployment.examine("--only", "keys").code == 0


@pytest.mark.parametrize("listener", ["device", "web"])
def test_a_port_of_another_process_is_a_failure(deployment: _Deployment, listener: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        deployment.add(f"listeners.{listener}.port = {other.getsockname()[1]}")
        _serve_pages(deployment)
        report = deployment.examine("--only", "ports")
    assert (report.code, report.levels["PORT_TAKEN"]) == (1, Level.FAILURE)


def test_two_listeners_with_one_port_are_a_failure(deployment: _Deployment) -> None:
    for other in ("listeners.service.port = 18443", 'listeners.web = { host = "localhost", port = 18443 }'):
        deployment.tables.clear()
        deployment.add("listeners.device.port = 18443")
        deployment.add(other)
        _serve_pages(deployment)
        report = deployment.examine("--only", "ports")
        assert (report.code, report.levels["PORT_TWICE"]) == (1, Level.FAILURE)


def test_a_folder_of_a_kubernetes_volume_is_fine_and_one_for_everybody_is_not(
    deployment: _Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder belongs to root, its files to the group of the pod, and links lead to them."""
    real = deployment.keys / "..2026_11_26"
    real.mkdir(mode=0o755)
    for path in [path for path in deployment.keys.iterdir() if path.is_file()]:
        path.chmod(0o440)
        path.rename(real / path.name)
        path.symlink_to(Path("..data") / path.name)
    (deployment.keys / "..data").symlink_to(real.name)
    deployment.keys.chmod(0o2775)
    monkeypatch.setattr(os, "geteuid", lambda: deployment.keys.stat().st_uid + 1)
    report = deployment.examine("--only", "keys")
    assert set(report.levels.values()) == {Level.FINE}
    deployment.keys.chmod(0o2770)
    assert deployment.examine("--only", "keys").code == 0
    deployment.keys.chmod(0o2777)
    assert deployment.examine("--only", "keys").levels["KEY_FOLDER_OPEN"] is Level.FAILURE


def test_keys_in_clear_beside_a_tenants_own_key_are_found(deployment: _Deployment) -> None:
    KeyFolder(KeyFiles(deployment.keys, tenants={"bank": KeyFileCipher(())}))
    _tenant_key(deployment)
    assert deployment.examine("--only", "keys").levels["KEYS_IN_CLEAR"] is Level.WARNING


def test_the_key_of_a_tenant_is_tried(deployment: _Deployment) -> None:
    key = _tenant_key(deployment)
    report = deployment.examine("--only", "keys")
    assert report.levels["TENANT_KEY_ENCRYPTION_WORKS"] is Level.FINE
    assert report.levels["TENANT_KEY_MISSING"] is Level.WARNING
    key.unlink()
    report = deployment.examine("--only", "keys")
    assert report.levels["TENANT_KEY_ENCRYPTION_UNUSABLE"] is Level.FAILURE
    assert report.code == 1


@pytest.mark.slow
def test_a_sound_deployment_is_fine_and_stays_as_it_is(deployment: _Deployment) -> None:
    _back_up(deployment)
    before = _files(deployment)
    report = deployment.examine()
    assert {code: level for code, level in report.levels.items() if level is not Level.FINE} == {}
    assert report.code == 0
    assert _files(deployment) == before


def test_an_unknown_area_cannot_be_examined(deployment: _Deployment) -> None:
    done = _RUN.invoke(app, ["doctor", "--only", "weather", "--config", str(deployment.config())])
    assert done.exit_code == 2


def test_invalid_settings_are_a_failure(deployment: _Deployment) -> None:
    deployment.add("[nonsense]\nvalue = 1")
    report = deployment.examine()
    assert report.levels == {"SETTINGS_INVALID": Level.FAILURE}
    assert report.code == 1


@pytest.mark.parametrize(
    ("seconds", "code"), [(0, "CLOCK_AGREES"), (10, "CLOCK_APART"), (-10, "CLOCK_APART"), (60, "CLOCK_WRONG")]
)
def test_another_clock_is_compared(seconds: int, code: str) -> None:
    now = datetime.now(UTC)
    assert compared("database", now + timedelta(seconds=seconds), before=now, after=now).code == code


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with running_s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.mark.slow
def test_postgresql_and_s3(
    deployment: _Deployment, postgres: PostgresServer, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    url = asyncio.run(postgres.new_database())
    monkeypatch.setenv("FACEGATE_STORAGE__DATABASE_URL", url)
    monkeypatch.setenv("FACEGATE_STORAGE__OBJECTS_URL", "s3://doctor/evidence")
    areas = ("--only", "database", "--only", "objects", "--only", "clock")
    before = deployment.examine(*areas)
    assert before.levels["MIGRATIONS_MISSING"] is Level.FAILURE
    assert before.levels["OBJECTS_UNUSABLE"] is Level.FAILURE
    asyncio.run(upgrade(url))
    s3.make_bucket("doctor")
    after = deployment.examine(*areas)
    assert after.levels["DATABASE_REACHABLE"] is Level.FINE
    assert after.levels["CONNECTIONS_FREE"] is Level.FINE
    # The server of the tests does not sync to the disk.
    assert after.levels["DATABASE_NOT_DURABLE"] is Level.WARNING
    assert after.levels["OBJECTS_WORK"] is Level.FINE
    assert after.levels["CLOCK_AGREES"] is Level.FINE
    assert after.code == 4


def _files(one: _Deployment) -> set[Path]:
    """All files but those in which SQLite keeps its log."""
    paths = one.folder.rglob("*")
    return {path for path in paths if path.is_file() and not path.name.endswith(("-wal", "-shm"))}


def _tenant_key(one: _Deployment) -> Path:
    key = _new_key(one.folder.parent / "tenant.key")
    one.add(f'[[keys.tenants.bank.encryption]]\nkind = "file"\npath = "{key}"')
    return key


def _back_up(one: _Deployment) -> None:
    target = one.folder.parent / "backup"
    target.mkdir()
    key = _new_key(target / "key")
    one.command("backup", "database", str(target / "database.gz"))
    one.command("backup", "objects", str(target / "objects"))
    one.command("backup", "keys", str(target / "keys.json"), "--key-file", str(key))


@pytest.mark.parametrize(("columns", "beside"), [(80, False), (200, True)])
def test_the_report_uses_the_width_of_the_terminal(tmp_path: Path, columns: int, beside: bool) -> None:
    config = _Deployment(tmp_path, []).config()
    environment = {
        "COLUMNS": str(columns),
        "FORCE_COLOR": "1",
        "TERM": "xterm",
        "FACEGATE_CONFIG": str(config),
    }
    shown = _RUN.invoke(app, ["doctor", "--only", "keys"], env=environment).stdout
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()]
    assert max(map(len, lines)) <= columns
    (row,) = (line for line in lines if " failure " in line)
    (remedy,) = (line for line in lines if "facegate restore keys" in line)
    assert (row == remedy) == beside
    # Nothing is squeezed into a column of a few words: what to do has at most two lines.
    start = lines.index(remedy)
    expected = next(index for index, line in enumerate(lines) if "expected:" in line)
    assert expected - start <= 2

"""The trust that settings establish: roots, revocation lists, the server's keys, and what policies lack."""

import os
import stat
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from pydantic import ValidationError
from sqlalchemy import func, select
from structlog.testing import capture_logs

from device_integrity.android import RootKind, google_roots
from device_integrity.camera import Platform
from device_integrity.errors import ReferenceDataMalformed
from device_integrity.policy import Evidence
from server.base.errors import ConfigurationError
from server.configuration.device import DeviceIntegritySettings
from server.configuration.settings import PolicySettings, Settings
from server.device.configured import missing_settings, require_available, unlisted_origins
from server.device.revocation import RevocationFile, record_path, write_revocation_files
from server.device.server_keys import ServerKeyList
from server.device.trust import DeviceTrust, load_served_policies
from server.device.trust import open_device_trust as open_trust_at
from server.policies import load_policies
from server.policies.availability import availability
from server.policies.schema import DeviceRules
from server.running.app import FacegateServer
from server.storage.tables import checks
from tests.device_integrity.android import phones
from tests.device_integrity.apple.apple_in_software import NOW, SoftwareApple
from tests.server.device.devices import (
    ANDROID,
    AndroidAttestor,
    at_time,
    device_settings,
    scan,
    write_device_policy,
)
from tests.server.live import FAST, LiveServer, portrait, serving, settings_for
from tests.server.policy_files import write_policy
from tests.server.private_files import private
from tests.server.refusals import refusal_of

# The trust that the settings establish, and the conditions under which a server trusts test devices.

_SPKI = "ab" * 32


def _settings(**tables: object) -> DeviceIntegritySettings:
    return DeviceIntegritySettings.model_validate(tables)


def open_device_trust(settings: DeviceIntegritySettings) -> DeviceTrust:
    return open_trust_at(settings, now=lambda: NOW)


def test_without_settings_only_the_makers_roots_are_trusted() -> None:
    trust = open_device_trust(_settings())
    assert trust.android_roots_of(sandbox=True) == google_roots()
    assert trust.apple_roots(sandbox=True) == trust.apple_roots(sandbox=False)
    assert trust.relying_party is None
    assert trust.classic_keys is None
    assert trust.play_decoder is None
    trust.close()


def test_an_operators_limits_reach_the_verifiers() -> None:
    trust = open_device_trust(
        _settings(
            android={
                "max_revocation_age_hours": 8,
                "remotely_provisioned_only": True,
                "play": {"refused_recall_bits": [1, 3]},
            }
        )
    )
    assert trust.android.max_revocation_age == timedelta(hours=8)
    assert trust.android.remotely_provisioned_only
    assert trust.play.refused_recall_bits == {1, 3}
    assert open_device_trust(_settings()).play.refused_recall_bits == set()


def test_test_roots_count_for_sandbox_checks_only(tmp_path: Path) -> None:
    apple = SoftwareApple()
    file = tmp_path / "root.pem"
    file.write_bytes(apple.root.certificate.public_bytes(Encoding.PEM))
    receipts = tmp_path / "receipts.pem"
    receipts.write_bytes(apple.receipts.root.certificate.public_bytes(Encoding.PEM))
    settings = _settings(
        test_roots={
            "android_spki_sha256": [_SPKI],
            "apple_certificate": file,
            "apple_receipt_certificate": receipts,
        }
    )
    trust = open_device_trust(settings)
    assert settings.test_roots.configured
    assert not settings.for_tests
    assert trust.android_roots_of(sandbox=False) == google_roots()
    assert [root.kind for root in trust.android_roots_of(sandbox=True)].count(RootKind.TEST) == 1
    assert trust.apple_roots(sandbox=False) != trust.apple_roots(sandbox=True)
    assert trust.apple_roots(sandbox=True) == apple.anchors


def _further(*spki: str, name: str = "Bank devices") -> dict[str, object]:
    return {"further_roots": [{"name": name, "spki_sha256": each} for each in spki]}


def test_further_roots_count_in_every_check() -> None:
    trust = open_device_trust(_settings(android=_further(_SPKI)))
    for sandbox in (False, True):
        *known, further = trust.android_roots_of(sandbox=sandbox)
        assert tuple(known) == google_roots()
        assert (further.name, further.kind, further.spki_sha256.hex()) == (
            "Bank devices",
            RootKind.FURTHER,
            _SPKI,
        )


def test_a_further_root_never_makes_a_known_one_better() -> None:
    for root in google_roots():
        settings = _settings(android=_further(root.spki_sha256.hex()))
        if root.kind is RootKind.HARDWARE:
            # The release has added the root since; the server still starts.
            assert open_device_trust(settings).android_roots == google_roots()
            continue
        with pytest.raises(ConfigurationError, match="attests no hardware"):
            open_device_trust(settings)


def test_a_server_that_believes_test_apps_serves_test_policies_only(tmp_path: Path) -> None:
    assert _settings(apple={"environment": "development"}).for_tests
    with pytest.raises(ConfigurationError, match="there is none"):
        load_served_policies(PolicySettings(), for_tests=True)
    write_policy(tmp_path, "mine")
    (tmp_path / "mine.toml").write_text("for_tests = true\n" + (tmp_path / "mine.toml").read_text())
    assert load_served_policies(PolicySettings(folder=tmp_path), for_tests=True).names == ("mine",)
    write_policy(tmp_path, "production")
    with pytest.raises(ConfigurationError, match="which production do not have"):
        load_served_policies(PolicySettings(folder=tmp_path), for_tests=True)
    served = PolicySettings(folder=tmp_path, served=("mine",))
    assert load_served_policies(served, for_tests=True).names == ("mine",)
    assert "high" in load_served_policies(PolicySettings(folder=tmp_path), for_tests=False).names


async def _refused_start(settings: Settings) -> str:
    server = FacegateServer(settings)
    with pytest.raises(ConfigurationError) as caught:
        await server.start()
    await server.stop()
    return str(caught.value)


async def test_such_a_server_does_not_start_with_a_production_policy(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, device_integrity={"apple": {"environment": "development"}})
    assert "a test server" in await _refused_start(settings)


_PLAY_FILES = ("decryption_key_file", "verification_key_file", "service_account_file")


async def test_test_roots_need_a_sandbox_caller(tmp_path: Path) -> None:
    roots = {"test_roots": {"android_spki_sha256": [_SPKI]}}
    settings = settings_for(tmp_path, sandbox=False, device_integrity=roots)
    assert "local_sandbox" in await _refused_start(settings)


@pytest.mark.parametrize(
    "tables",
    [
        {"android": {"apps": [{"package": "nodots", "certificate_sha256": [_SPKI]}]}},
        {"android": {"play": {"decryption_key_file": "key"}}},
        {"android": {"play": dict.fromkeys(_PLAY_FILES, "file")}},
        {"android": _further(_SPKI.upper())},
        {"android": _further(_SPKI, name="two\nlines")},
        {"android": _further(_SPKI, "cd" * 32)},
        {"apple": {"app_ids": ["org.example.bank"]}},
        {"apple": {"receipts": {"key_file": "key.p8", "key_id": "short", "team_id": "ABCDEFGHIJ"}}},
        {"test_roots": {"apple_certificate": "root.pem"}},
        {"web": {"rp_id": "bank.example"}},
        {"web": {"rp_id": "bank.example", "origins": ["http://verify.bank.example"]}},
        {"web": {"rp_id": "bank.example", "origins": ["https://bank.example", "https://evil.example"]}},
        {"web": {"rp_id": "bank.example", "origins": ["https://bank.example.evil.example"]}},
        {"web": {"rp_id": "localhost", "origins": ["http://localhost.evil.example"]}},
        {"web": {"rp_id": "bank.example", "origins": ["https://[bank.example"]}},
        {"proxy_spki_sha256": ["ab"]},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tables: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        _settings(**tables)


@pytest.mark.parametrize(
    ("site", "origins"),
    [
        ("bank.example", ["https://bank.example", "https://verify.bank.example:8443"]),
        ("localhost", ["http://localhost:8080", "https://verify.localhost"]),
        ("127.0.0.1", ["http://127.0.0.1:8080"]),
    ],
)
def test_pages_of_the_site_with_tls_and_of_this_computer_without(site: str, origins: list[str]) -> None:
    assert _settings(web={"rp_id": site, "origins": origins}).web.origins == tuple(origins)


@pytest.mark.parametrize(
    ("site", "written", "sent"),
    [
        ("Bank.Example", "HTTPS://Verify.BANK.example/", "https://verify.bank.example"),
        ("bücher.example", "https://BÜCHER.example:8443", "https://xn--bcher-kva.example:8443"),
        ("xn--bcher-kva.example", "https://\uff42ücher.example", "https://xn--bcher-kva.example"),
        ("localhost", "http://localhost:0443", "http://localhost:443"),
    ],
)
def test_origins_are_brought_to_the_form_that_browsers_send(site: str, written: str, sent: str) -> None:
    web = _settings(web={"rp_id": site, "origins": [written]}).web
    assert web.origins == (sent,)
    assert DeviceRules(web_origins=[written]).web_origins == (sent,)  # type: ignore[arg-type]  # as in a file
    assert web.rp_id == site.lower().encode("idna").decode()


@pytest.mark.parametrize(
    "origin",
    [
        "https://a:99999",
        "https://a:x",
        "https://a/page",
        "https://a%62",
        "ftp://a",
    ],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError):
        _settings(web={"rp_id": "a", "origins": [origin]})
    with pytest.raises(ValidationError):
        DeviceRules(web_origins=[origin])  # type: ignore[arg-type]  # as in a file


@pytest.mark.parametrize(
    "tables",
    [
        {"test_roots": {"apple_certificate": "missing.pem", "apple_receipt_certificate": "missing.pem"}},
        {"apple": {"receipts": {"key_file": "missing.p8", "key_id": "A" * 10, "team_id": "B" * 10}}},
        {
            "android": {
                "play": {
                    "decryption_key_file": "missing",
                    "verification_key_file": "missing",
                }
            }
        },
    ],
)
def test_files_that_are_not_there_keep_the_server_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tables: dict[str, object]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        open_device_trust(_settings(**tables))


def test_a_malformed_response_key_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    file = private(tmp_path / "key", "hunter2")
    play = {"decryption_key_file": file, "verification_key_file": file}
    with pytest.raises(ConfigurationError) as caught:
        open_device_trust(_settings(android={"play": play}))
    assert "hunter2" not in str(caught.value)


# The settings that a policy lacks, at the start and when an orchestrator uses the policy.

_APPS, _LIST = "device_integrity.android.apps", "device_integrity.android.revocation_file"
_APPLE, _PLAY = "device_integrity.apple.app_ids", "device_integrity.android.play"
_TLS = "listeners.device.tls"
_APP = {"package": "org.example.bank", "certificate_sha256": ["ab" * 32]}
_ANDROID = {"apps": [_APP], "revocation_file": "status.json"}
_PROXY = ["cd" * 32]


def _missing(**tables: Any) -> Mapping[Evidence, tuple[str, ...]]:
    return missing_settings(Settings.model_validate({"device_integrity": tables}))


def test_the_missing_settings_of_each_kind_of_evidence_are_named() -> None:
    assert _missing() == {
        Evidence.ANDROID_KEY: (_APPS, _LIST),
        Evidence.PLAY_INTEGRITY: (_APPS, _PLAY),
        Evidence.APP_ATTEST: (_APPLE,),
        Evidence.WEB_KEY: ("device_integrity.web.rp_id", "device_integrity.web.origins"),
        Evidence.SERVER_KEY: (_TLS,),
    }
    assert _missing(android={"apps": [_APP]})[Evidence.ANDROID_KEY] == (_LIST,)
    assert (
        _missing(
            android=_ANDROID | {"play": {"service_account_file": "account.json"}},
            apple={"app_ids": ["TEAM123456.org.example.bank"]},
            web={"rp_id": "bank.example", "origins": ["https://bank.example"]},
            proxy_spki_sha256=_PROXY,
        )
        == {}
    )


def _lacking(rules: dict[str, Any], **tables: Any) -> tuple[bool, dict[Platform, tuple[str, ...]]]:
    found = availability(DeviceRules.model_validate(rules), missing=_missing(**tables))
    return found.available, {each.platform: each.settings for each in found.shortfalls}


def test_a_policy_is_available_once_one_of_its_platforms_can_meet_it() -> None:
    phones = {"demands": {"android": {"android_key": "required"}, "ios": {"app_attest": "required"}}}
    assert _lacking(phones) == (False, {Platform.ANDROID: (_APPS, _LIST), Platform.IOS: (_APPLE,)})
    assert _lacking(phones, android=_ANDROID) == (True, {Platform.IOS: (_APPLE,)})


def test_an_unreachable_assurance_names_the_nearest_settings() -> None:
    available, settings = _lacking({"minimum_assurance": "MEDIUM"}, android={"apps": [_APP]})
    assert not available
    assert (settings[Platform.ANDROID], settings[Platform.IOS]) == ((_LIST,), (_APPLE,))
    # No setting lets a page, a desktop or a device without claims reach MEDIUM.
    assert settings[Platform.WEB] == settings[Platform.DESKTOP] == settings[Platform.UNSPECIFIED] == ()
    floors = {"minimum_assurance": {"default": "MEDIUM", "web": "LOW"}}
    assert _lacking(floors)[0]


def test_the_shipped_policies_need_the_settings_of_the_guide() -> None:
    policies = load_policies()
    found = {
        name: availability(policies.get(name).policy.device, missing=_missing()) for name in policies.names
    }
    assert [name for name, one in found.items() if not one.available] == ["high"]
    assert found["high"].missing_settings == (_APPS, _LIST, _TLS, _APPLE)
    page = next(each for each in found["high"].shortfalls if each.platform is Platform.WEB)
    assert (page.settings, "MEDIUM" in page.reason) == ((), True)


def test_the_default_policy_has_to_be_available_and_others_get(tmp_path: Path) -> None:
    write_device_policy(tmp_path, "phones", {"android": {"android_key": "required"}, "desktop": {}})
    policies = load_policies(tmp_path)
    with capture_logs() as logs:
        require_available(policies, Settings())
    reported = {log["policy"]: (log["log_level"], log["event"], log["missing_settings"]) for log in logs}
    assert reported == {
        "high": ("warning", "policy_not_available", [_APPS, _LIST, _TLS, _APPLE]),
        "phones": ("warning", "policy_leaves_platforms_out", [_APPS, _LIST]),
    }
    strict = Settings.model_validate({"policies": {"default": "high"}})
    with pytest.raises(ConfigurationError, match=rf"default policy high: .*{_APPS}, {_LIST}, {_TLS}"):
        require_available(policies, strict)


def test_origins_that_only_a_policy_lists_are_named(tmp_path: Path) -> None:
    write_policy(tmp_path, "pages", web_origins=["https://a.example", "https://b.example"])
    write_policy(tmp_path, "all")
    policies = load_policies(tmp_path)
    listed = {"web": {"rp_id": "a.example", "origins": ["https://a.example"]}}
    settings = Settings.model_validate({"device_integrity": listed})
    assert unlisted_origins(policies, settings) == {"pages": ("https://b.example",)}
    with capture_logs() as logs:
        require_available(policies, settings)
    assert {
        "log_level": "warning",
        "event": "policy_origins_not_listed",
        "policy": "pages",
        "origins": ["https://b.example"],
    } in logs
    both = {"rp_id": "example", "origins": ["https://a.example", "https://b.example"]}
    assert unlisted_origins(policies, Settings.model_validate({"device_integrity": {"web": both}})) == {}


# -- a real server


async def _refusal(live: LiveServer, policy: str) -> Any:
    request = service_pb2.UploadTrustedImageRequest(image=portrait(), policy=policy)
    return await refusal_of(live.service.UploadTrustedImage(request))


async def _checks(live: LiveServer) -> int:
    async with live.database() as database:
        query = select(func.count()).select_from(checks)
        return await database.read(lambda connection: connection.execute(query).scalar_one())


async def test_a_policy_that_lacks_settings_is_refused_and_creates_nothing(tmp_path: Path) -> None:
    write_device_policy(tmp_path / "policies", "attested", {"android": {"android_key": "required"}})
    write_device_policy(tmp_path / "policies", "pages", {"web": {}}, assurance="MEDIUM")
    with capture_logs() as logs:
        async with serving(settings_for(tmp_path)) as live:
            before = await _checks(live)
            refusal = await _refusal(live, "attested")
            assert (refusal.code, refusal.reason) == (
                grpc.StatusCode.FAILED_PRECONDITION,
                "POLICY_NOT_AVAILABLE",
            )
            assert refusal.metadata == {"policy": "attested", "missingSettings": f"{_APPS}, {_LIST}"}
            assert _APPS in refusal.message
            # No setting helps here, so none is named.
            assert (await _refusal(live, "pages")).metadata == {"policy": "pages"}
            assert await _checks(live) == before
            assert (await live.upload()).check_id
    reported = {log["policy"] for log in logs if log["event"] == "policy_not_available"}
    assert {"attested", "pages", "high"} <= reported


# Real checks, without sandbox callers and test roots.

_FACTORY = {"name": "Bank devices", "spki_sha256": phones.trust(phones.factory_phone())[0].spki_sha256.hex()}


@pytest.mark.slow
async def test_a_further_root_counts_in_a_real_check_and_only_where_it_is_set(tmp_path: Path) -> None:
    settings = device_settings(tmp_path)
    write_device_policy(tmp_path / "policies", "advisory", {"android": {}})
    write_device_policy(
        tmp_path / "policies", "hardware", {"android": {"android_key": "required"}}, assurance="MEDIUM"
    )
    service = settings.listeners.service.model_copy(update={"local_sandbox": False})
    trust = settings.device_integrity.model_dump(mode="json") | {"test_roots": {}}
    for roots, reason in (([], "LOOK_ALIKE_ROOT"), ([_FACTORY], "FURTHER_ROOT")):
        trust["android"]["further_roots"] = roots
        settings = settings.model_copy(
            update={
                "listeners": settings.listeners.model_copy(update={"service": service}),
                "device_integrity": type(settings.device_integrity).model_validate(trust),
            }
        )
        with capture_logs() as logs:
            async with serving(settings, tuning=FAST) as live:
                at_time(live, phones.NOW)
                upload = await live.upload(policy="hardware")
                await scan(live, upload, ANDROID, AndroidAttestor())
                result = (await live.finish(upload.check_id)).result
        (root,) = (check for check in result.device.checks if check.name == "android_key.root")
        assert root.reason == reason
        assert not result.sandbox
        assert result.reasons == ([] if roots else [result_pb2.FAILURE_REASON_DEVICE_NOT_TRUSTED])
        reported = [log["roots"] for log in logs if log["event"] == "further_roots_are_believed"]
        assert reported == ([{_FACTORY["name"]: _FACTORY["spki_sha256"]}] if roots else [])


# The revocation list as files that other programs update.

_FIRST = b'{"entries": {"ab": {"status": "REVOKED"}}}'
_SECOND = b'{"entries": {"ab": {"status": "REVOKED"}, "cd": {"status": "SUSPENDED"}}}'
_FETCHED = datetime(2026, 11, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


def _entries(held: RevocationFile) -> int:
    return 0 if held.current is None else len(held.current.entries)


def test_without_a_file_there_is_no_list(tmp_path: Path) -> None:
    for path in (None, tmp_path / "missing.json"):
        held = RevocationFile(path)
        held.refresh(_FETCHED)
        assert held.current is None
        assert held.age(_FETCHED) is None


def test_a_changed_list_is_read_again_and_dated_by_its_record(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    write_revocation_files(file, _FIRST, fetched_at=_FETCHED)
    held = RevocationFile(file)
    assert _entries(held) == 0
    held.refresh(_FETCHED)
    first = held.current
    assert first is not None
    assert first.fetched_at == _FETCHED
    held.refresh(_FETCHED)
    assert held.current is first
    write_revocation_files(file, _SECOND, fetched_at=_FETCHED + _DAY)
    held.refresh(_FETCHED + _DAY)
    assert _entries(held) == 2
    assert held.age(_FETCHED + 3 * _DAY) == 2 * _DAY


def test_touching_the_files_makes_no_list_younger(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    write_revocation_files(file, _FIRST, fetched_at=_FETCHED)
    for path in (file, record_path(file)):
        later = (_FETCHED + 30 * _DAY).timestamp()
        os.utime(path, (later, later))
    held = RevocationFile(file)
    held.refresh(_FETCHED + 30 * _DAY)
    assert held.age(_FETCHED + 30 * _DAY) == 30 * _DAY


def test_the_same_list_that_is_fetched_again_is_young_again(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    held = RevocationFile(file)
    for day in range(3):
        write_revocation_files(file, _FIRST, fetched_at=_FETCHED + day * _DAY)
        held.refresh(_FETCHED)
        assert held.age(_FETCHED + day * _DAY) == timedelta(0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_bytes(b"{"),
        lambda file: file.write_bytes(b'{"entries": {}}'),
        lambda file: file.write_bytes(_SECOND),
        lambda file: record_path(file).unlink(),
        lambda file: record_path(file).write_text("{}"),
        lambda file: record_path(file).write_text('{"sha256": "", "fetched_at": "2026-11-01T00:00:00"}'),
        lambda file: record_path(file).write_text("[" * 4000),
        lambda file: file.unlink(),
    ],
)
def test_files_that_cannot_be_used_are_logged_and_the_older_list_stays(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    file = tmp_path / "status.json"
    write_revocation_files(file, _FIRST, fetched_at=_FETCHED)
    held = RevocationFile(file)
    held.refresh(_FETCHED)
    spoil(file)
    with capture_logs() as logs:
        assert not held.refresh(_FETCHED)
    assert [entry["event"] for entry in logs] == ["revocation_list_unreadable"]
    assert _entries(held) == 1
    fresh = RevocationFile(file)
    assert not fresh.refresh(_FETCHED)
    assert fresh.current is None
    write_revocation_files(file, _SECOND, fetched_at=_FETCHED)
    assert held.refresh(_FETCHED)
    assert _entries(held) == 2


def test_the_written_list_is_writable_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    before = os.umask(0)
    try:
        write_revocation_files(file, _FIRST, fetched_at=_FETCHED)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (file, record_path(file))} == {0o644}
    held = RevocationFile(file)
    held.refresh(_FETCHED)
    assert _entries(held) == 1


def test_an_invalid_list_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    write_revocation_files(file, _FIRST, fetched_at=_FETCHED)
    with pytest.raises(ReferenceDataMalformed):
        write_revocation_files(file, b'{"entries": {}}', fetched_at=_FETCHED + _DAY)
    held = RevocationFile(file)
    held.refresh(_FETCHED)
    assert held.age(_FETCHED) == timedelta(0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["status.json", "status.json.fetched"]


def test_an_aging_list_causes_an_early_warning(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    write_revocation_files(file, _FIRST, fetched_at=_FETCHED)
    held = RevocationFile(file, max_age=timedelta(hours=40))
    hours: list[int] = []
    for hour in range(45):
        with capture_logs() as logs:
            held.refresh(_FETCHED + timedelta(hours=hour))
        hours += [hour for entry in logs if entry["event"] == "revocation_list_old"]
    assert hours == [20, 24, 28, 32, 36, 40, 44]


# The TLS keys that devices may see, over renewals of certificates.

_A, _B, _C = (bytes([mark] * 32) for mark in (0xA, 0xB, 0xC))
_SERVER_KEYS_DAY = timedelta(days=1).total_seconds()


class _Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class _Files:
    """Files that are replaced when certificates are renewed."""

    def __init__(self, folder: Path) -> None:
        self.listed = folder / "keys.txt"
        self._made = 0

    def _replace(self, path: Path, content: bytes) -> None:
        self._made += 1
        fresh = path.with_suffix(".new")
        fresh.write_bytes(content)
        os.utime(fresh, (self._made, self._made))
        fresh.replace(path)

    def list(self, *keys: bytes) -> None:
        self.write("".join(f"{key.hex()}\n" for key in keys))

    def write(self, text: str) -> None:
        self._replace(self.listed, text.encode())

    def open(self, clock: Callable[[], float], **changes: object) -> ServerKeyList:
        arguments: dict[str, object] = {
            "listed": (),
            "file": self.listed,
            "shown": lambda: None,
            "complete": True,
            "monotonic": clock,
        }
        return ServerKeyList(**(arguments | changes))  # type: ignore[arg-type]  # as the test names them


@pytest.fixture
def files(tmp_path: Path) -> _Files:
    return _Files(tmp_path)


def test_the_next_key_counts_before_it_is_shown_and_the_previous_one_after(files: _Files) -> None:
    clock = _Clock()
    files.list(_A)
    keys = files.open(clock)
    assert keys.current.keys == {_A}
    assert keys.current.complete
    # The operator lists the next key, the load balancer switches to it, and the old key is removed.
    files.list(_A, _B)
    keys.refresh()
    assert keys.current.keys == {_A, _B}
    files.list(_B)
    clock.time += 3600.0
    keys.refresh()
    assert keys.current.keys == {_A, _B}
    clock.time += _SERVER_KEYS_DAY - 3600.0
    keys.refresh()
    assert keys.current.keys == {_A, _B}
    clock.time += 60.0
    keys.refresh()
    assert keys.current.keys == {_B}


def test_the_listeners_own_key_counts_over_renewals(files: _Files) -> None:
    clock = _Clock()
    shown = [_A]
    keys = files.open(clock, file=None, shown=lambda: shown[-1])
    assert keys.current.keys == {_A}
    clock.time += 30 * _SERVER_KEYS_DAY
    keys.refresh()
    assert keys.current.keys == {_A}
    shown.append(_B)
    keys.refresh()
    assert keys.current.keys == {_A, _B}
    clock.time += _SERVER_KEYS_DAY + 1
    keys.refresh()
    assert keys.current.keys == {_B}


def test_keys_of_the_settings_count_always(files: _Files) -> None:
    clock = _Clock()
    files.list(_A)
    keys = files.open(clock, listed=(_C,), complete=False)
    clock.time += 3 * _SERVER_KEYS_DAY
    keys.refresh()
    assert keys.current.keys == {_A, _C}
    assert not keys.current.complete


@pytest.mark.parametrize("text", ["no key\n", f"{_B.hex()}\n{_B.hex()[:-1]}\n", "\xff"])
def test_a_damaged_file_is_reported_and_the_older_list_counts_on(files: _Files, text: str) -> None:
    clock = _Clock()
    files.list(_A)
    keys = files.open(clock)
    files.write(text)
    clock.time += 3 * _SERVER_KEYS_DAY
    with capture_logs() as logs:
        keys.refresh()
    assert [entry["event"] for entry in logs] == ["server_keys_unreadable"]
    assert keys.current.keys == {_A}
    files.listed.unlink()
    keys.refresh()
    assert keys.current.keys == {_A}
    files.list(_B)
    keys.refresh()
    assert keys.current.keys == {_A, _B}


def test_lines_of_sha256sum_and_comments_are_read(files: _Files) -> None:
    files.write(f"# load balancer\n\n{_A.hex()}  -\n{_B.hex().upper()} # from December on\n")
    assert files.open(_Clock()).current.keys == {_A, _B}


def test_an_unreadable_file_prevents_the_start(files: _Files) -> None:
    with pytest.raises(ConfigurationError):
        files.open(_Clock())
    files.write("no key")
    with pytest.raises(ConfigurationError):
        files.open(_Clock())
    files.write("#" * 70_000)
    with pytest.raises(ConfigurationError):
        files.open(_Clock())


def test_an_empty_list_is_not_complete(files: _Files) -> None:
    files.list()
    with pytest.raises(ConfigurationError):
        files.open(_Clock())
    assert files.open(_Clock(), complete=False).current.keys == frozenset()

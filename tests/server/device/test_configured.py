"""The settings that a policy lacks, at the start and when an orchestrator uses the policy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from facegate.v1 import verification_service_pb2 as service_pb2
from sqlalchemy import func, select
from structlog.testing import capture_logs

from device_integrity.camera import Platform
from device_integrity.policy import Evidence
from server.base.errors import ConfigurationError
from server.configuration.settings import Settings
from server.device.configured import missing_settings, require_available, unlisted_origins
from server.policies import load_policies
from server.policies.availability import availability
from server.policies.schema import DeviceRules
from server.running.app import FacegateServer
from server.storage.database import open_database
from server.storage.tables import checks
from tests.server.device.devices import device_settings, write_device_policy
from tests.server.live import LiveServer, portrait, serving, settings_for
from tests.server.models_once import remembering_pack
from tests.server.policy_files import write_policy
from tests.server.refusals import refused

_APPS, _LIST = "device_integrity.android.apps", "device_integrity.android.revocation_file"
_APPLE, _PLAY = "device_integrity.apple.app_ids", "device_integrity.android.play.decoder"
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
            android=_ANDROID | {"play": {"decoder": "google", "service_account_file": "account.json"}},
            apple={"app_ids": ["TEAM123456.org.example.bank"]},
            web={"rp_id": "bank.example", "origins": ["https://bank.example"]},
            proxy_spki_sha256=_PROXY,
        )
        == {}
    )


def _lacking(rules: dict[str, Any], **tables: Any) -> tuple[bool, dict[Platform, tuple[str, ...]]]:
    found = availability(DeviceRules.model_validate(rules), missing=_missing(**tables))
    return found.available, {each.platform: each.settings for each in found.shortfalls}


def test_a_policy_without_demands_needs_no_settings() -> None:
    assert _lacking({}) == (True, {})
    assert _lacking({"minimum_assurance": "LOW"}) == (True, {})


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
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await live.service.UploadTrustedImage(request)
    return refused(caught.value)


async def _checks(live: LiveServer) -> int:
    database = open_database(live.settings.database_url)
    query = select(func.count()).select_from(checks)
    count = await database.read(lambda connection: connection.execute(query).scalar_one())
    await database.close()
    return count


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


async def test_the_same_policy_is_served_once_the_settings_are_there(tmp_path: Path) -> None:
    settings = device_settings(tmp_path)
    write_device_policy(tmp_path / "policies", "advisory", {"android": {}})
    write_device_policy(tmp_path / "policies", "attested", {"android": {"android_key": "required"}})
    async with serving(settings) as live:
        assert (await live.upload(policy="attested")).check_id


async def test_the_start_fails_where_it_is_the_default(tmp_path: Path) -> None:
    write_device_policy(tmp_path / "policies", "attested", {"ios": {"app_attest": "required"}})
    settings = settings_for(tmp_path, policies={"folder": tmp_path / "policies", "default": "attested"})
    server = FacegateServer(settings, pack=remembering_pack())
    with pytest.raises(ConfigurationError, match=rf"default policy attested: ios: .*{_APPLE}"):
        await server.start()
    await server.stop()

import json
from pathlib import Path

from server.audit import SERVER_TENANT, AuditAction
from server.configuration.settings import Settings
from server.policies import load_policies
from server.running.audit_keeping import (
    COMPARED,
    callers_event,
    keys_event,
    policies_event,
    settings_event,
)

_SECRET = "hunter2"


def _settings(**values: object) -> Settings:
    return Settings.model_validate({"data_dir": Path("/data"), **values})


def test_only_the_table_that_changed_has_another_hash() -> None:
    before, after = (settings_event(_settings(drain_seconds=seconds)).detail for seconds in (1, 2))
    assert {key for key in before if before[key] != after[key]} == {COMPARED, "drain_seconds"}
    assert settings_event(_settings()).detail == settings_event(_settings()).detail


def test_no_secret_of_a_setting_is_hashed_or_shown() -> None:
    def event(password: str) -> object:
        url = f"postgresql+asyncpg://facegate:{password}@db/facegate"
        return settings_event(_settings(storage={"database_url": url})).detail

    assert event(_SECRET) == event("other")
    assert _SECRET not in json.dumps(dict(event(_SECRET)))  # type: ignore[call-overload]


def test_policies_are_named_with_version_and_hash() -> None:
    event = policies_event(load_policies(None))
    assert (event.tenant, event.action) == (SERVER_TENANT, AuditAction.POLICIES_CHANGED)
    assert event.detail["standard"].startswith("version ")
    assert event.actor.role == "server"


def test_many_callers_and_long_identities_are_an_event() -> None:
    entries = {f"key {number:016x}": "caller backend" for number in range(5000)}
    many = callers_event(entries)
    assert (many.detail["described"], len(many.detail)) == ("5000", 102)
    changed = callers_event({**entries, f"key {4999:016x}": "caller other"})
    assert changed.detail[COMPARED] != many.detail[COMPARED]
    long = callers_event({"certificate 1": "uri:" + "x" * 2048, "certificate 2": "cn:a\nb"})
    assert (len(long.detail["certificate 1"]), long.detail["certificate 2"]) == (1000, "cn:a?b")


def test_keys_are_listed_by_purpose() -> None:
    event = keys_event({"token-0002.key", "token-0001.key", "audit-0001.pem"})
    assert event.detail["token"] == "token-0001.key token-0002.key"
    assert event.detail["audit"] == "audit-0001.pem"

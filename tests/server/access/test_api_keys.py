from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.access.api_keys import ApiKey, ApiKeys, ApiKeysInvalid, load_api_keys, new_api_key
from server.access.callers import SCOPES, Caller, Role, Scope
from server.base.sandbox import LONGEST_TENANT


def entry(name: str, key: str, *, role: str = "orchestrator", tenant: str = "default") -> str:
    return (
        f'[[key]]\nname = "{name}"\nsha256 = "{sha256(key.encode()).hexdigest()}"\n'
        f'tenant = "{tenant}"\nroles = ["{role}"]\n'
    )


def _caller(keys: ApiKeys, key: str) -> Caller:
    found = keys.find(key)
    assert found is not None
    return found.caller


def test_a_key_is_known_by_its_hash(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    backend, digest = new_api_key()
    assert sha256(backend.encode()).hexdigest() == digest
    file.touch(0o600)
    file.write_text(
        entry("backend", backend) + entry("auditor", "other", role="compliance_reader", tenant="bank")
    )
    keys = load_api_keys(file)
    assert _caller(keys, backend) == Caller(name="backend", tenant="default")
    assert _caller(keys, "other") == Caller(
        name="auditor",
        tenant="bank",
        roles=frozenset({Role.COMPLIANCE_READER}),
        scopes=SCOPES[Role.COMPLIANCE_READER],
    )
    for wrong in ("", backend[:-1], backend + "x", digest):
        assert keys.find(wrong) is None


def test_a_key_may_be_marked_sandbox(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.touch(0o600)
    file.write_text(
        entry("tests", "k", tenant="t" * LONGEST_TENANT) + "sandbox = true\n" + entry("backend", "l")
    )
    keys = load_api_keys(file)
    assert _caller(keys, "k").sandbox
    assert not _caller(keys, "l").sandbox


def test_a_key_has_roles_scopes_and_an_end(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.touch(0o600)
    file.write_text(
        entry("board", "k")
        + 'scopes = ["checks.read"]\nexpires = 2027-01-01T02:00:00+02:00\n'
        + entry("all", "l")
        + "expires = 2026-12-01T00:00:00Z\n"
        + entry("for ever", "m").replace("for ever", "for-ever")
    )
    keys = load_api_keys(file)
    assert _caller(keys, "k").scopes == {Scope.READ_CHECKS}
    assert _caller(keys, "l").scopes == SCOPES[Role.ORCHESTRATOR]
    assert [key.expires for key in keys.keys] == [
        datetime(2027, 1, 1, tzinfo=UTC),
        datetime(2026, 12, 1, tzinfo=UTC),
        None,
    ]
    assert keys.next_expiry == datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o644, 0o666])
def test_a_file_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(entry("a", "k"))
    file.chmod(mode)
    with pytest.raises(ApiKeysInvalid, match=f"{mode:04o}"):
        load_api_keys(file)


def test_a_file_that_the_group_may_read_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(entry("a", "k"))
    file.chmod(0o440)
    assert load_api_keys(file).find("k") is not None


def test_a_file_may_declare_that_it_has_no_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.touch(0o600)
    file.write_text("key = []\n")
    assert load_api_keys(file) == ApiKeys(())


def test_new_keys_are_never_the_same() -> None:
    assert len({new_api_key()[0] for _ in range(50)}) == 50


@given(st.text())
def test_no_other_text_is_a_key(text: str) -> None:
    keys = ApiKeys((ApiKey(sha256=sha256(b"fg1_the-key").digest(), caller=Caller(name="a", tenant="b")),))
    assert keys.find(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "key = []"),
        ("# nothing\n", "key = []"),
        ("[[key]\n", "not TOML"),
        (entry("a", "k") + "more = 1\n", "key.0.more: there is no such field; there are name, tenant, roles"),
        (entry("a", "k").replace('roles = ["orchestrator"]', 'role = "x"'), "did you mean roles?"),
        ("[[keys]]\n", "did you mean key?"),
        (entry("a", "k", role="admin"), "key.0.roles"),
        (entry("a b", "k"), "key.0.name"),
        (entry("a", "k").replace('sha256 = "', 'sha256 = "X'), "key.0.sha256"),
        (entry("a", "k") + entry("b", "k"), "b has the same key as a"),
        (entry("a", "k") + 'sandbox = "yes"\n', "key.0.sandbox"),
        (entry("a", "k") + 'scopes = ["everything"]\n', "key.0.scopes"),
        (entry("a", "k") + "scopes = []\n", "key.0.scopes"),
        (entry("a", "k", role="compliance_reader") + 'scopes = ["checks.read"]\n', "checks.read"),
        (entry("a", "k") + "expires = 2027-01-01T00:00:00\n", "key.0.expires"),
        (entry("a", "k") + "expires = 2027-01-01\n", "key.0.expires"),
        (entry("a", "k") + "expires = 1893456000\n", "key.0.expires"),
        (entry("a", "k") + 'expires = "2027-01-01T00:00:00Z"\n', "key.0.expires"),
        (entry("a", "k").replace('["orchestrator"]', "[]"), "key.0.roles"),
        (entry("a", "k", role="compliance_reader") + "sandbox = true\n", "orchestrator"),
        (
            entry("a", "k", tenant="t" * (LONGEST_TENANT + 1)) + "sandbox = true\n",
            f"{LONGEST_TENANT} characters",
        ),
    ],
)
def test_a_broken_file_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "keys.toml"
    file.touch(0o600)
    file.write_text(text)
    with pytest.raises(ApiKeysInvalid) as caught:
        load_api_keys(file)
    assert said in str(caught.value)
    assert sha256(b"k").hexdigest() not in str(caught.value)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ApiKeysInvalid, match="cannot be read"):
        load_api_keys(tmp_path / "none.toml")

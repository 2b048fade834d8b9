from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.api_keys import ApiKeyEntry, ApiKeys, ApiKeysInvalid, Role, load_api_keys, new_api_key
from server.sandbox import LONGEST_TENANT


def entry(name: str, key: str, *, role: str = "orchestrator", tenant: str = "default") -> str:
    return (
        f'[[key]]\nname = "{name}"\nsha256 = "{sha256(key.encode()).hexdigest()}"\n'
        f'tenant = "{tenant}"\nrole = "{role}"\n'
    )


def test_a_key_is_known_by_its_hash(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    backend, digest = new_api_key()
    assert sha256(backend.encode()).hexdigest() == digest
    file.write_text(entry("backend", backend) + entry("auditor", "other", role="compliance", tenant="bank"))
    keys = load_api_keys(file)
    assert keys.find(backend) == ApiKeyEntry("backend", "default", Role.ORCHESTRATOR)
    assert keys.find("other") == ApiKeyEntry("auditor", "bank", Role.COMPLIANCE)
    for wrong in ("", backend[:-1], backend + "x", digest):
        assert keys.find(wrong) is None


def test_a_key_may_be_marked_sandbox(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(
        entry("tests", "k", tenant="t" * LONGEST_TENANT) + "sandbox = true\n" + entry("backend", "l")
    )
    keys = load_api_keys(file)
    assert keys.find("k") == ApiKeyEntry("tests", "t" * LONGEST_TENANT, Role.ORCHESTRATOR, sandbox=True)
    assert keys.find("l") == ApiKeyEntry("backend", "default", Role.ORCHESTRATOR, sandbox=False)


def test_new_keys_are_never_the_same() -> None:
    assert len({new_api_key()[0] for _ in range(50)}) == 50


@given(st.text())
def test_no_other_text_is_a_key(text: str) -> None:
    keys = ApiKeys(((sha256(b"fg1_the-key").digest(), ApiKeyEntry("a", "b", Role.ORCHESTRATOR)),))
    assert keys.find(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "key"),
        ("key = []\n", "key"),
        ("[[key]\n", "not TOML"),
        (entry("a", "k") + "more = 1\n", "key.0.more"),
        (entry("a", "k", role="admin"), "key.0.role"),
        (entry("a b", "k"), "key.0.name"),
        (entry("a", "k").replace('sha256 = "', 'sha256 = "X'), "key.0.sha256"),
        (entry("a", "k") + entry("b", "k"), "b has the same key as a"),
        (entry("a", "k") + 'sandbox = "yes"\n', "key.0.sandbox"),
        (entry("a", "k", role="compliance") + "sandbox = true\n", "orchestrator"),
        (
            entry("a", "k", tenant="t" * (LONGEST_TENANT + 1)) + "sandbox = true\n",
            f"{LONGEST_TENANT} characters",
        ),
    ],
)
def test_a_broken_file_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(ApiKeysInvalid) as caught:
        load_api_keys(file)
    assert said in str(caught.value)
    assert sha256(b"k").hexdigest() not in str(caught.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ApiKeysInvalid, match="cannot be read"):
        load_api_keys(tmp_path / "none.toml")

"""Who may call: API keys and client certificates."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from server.access.api_keys import ApiKey, ApiKeys, ApiKeysInvalid, load_api_keys, new_api_key
from server.access.callers import SCOPES, Caller, Role, Scope
from server.access.client_certificates import ClientCertificateEntry, ClientCertificates, read_certificate
from server.base.errors import ConfigurationError, Reason, Refusal
from server.base.sandbox import LONGEST_TENANT
from tests.server.certificates import client_certificate
from tests.server.private_files import private


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
    private(
        file, entry("backend", backend) + entry("auditor", "other", role="compliance_reader", tenant="bank")
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
    file = private(
        tmp_path / "keys.toml",
        entry("tests", "k", tenant="t" * LONGEST_TENANT) + "sandbox = true\n" + entry("backend", "l"),
    )
    keys = load_api_keys(file)
    assert _caller(keys, "k").sandbox
    assert not _caller(keys, "l").sandbox


def test_a_key_has_roles_scopes_and_an_end(tmp_path: Path) -> None:
    file = private(
        tmp_path / "keys.toml",
        entry("board", "k")
        + 'scopes = ["checks.read"]\nexpires = 2027-01-01T02:00:00+02:00\n'
        + entry("all", "l")
        + "expires = 2026-12-01T00:00:00Z\n"
        + entry("for ever", "m").replace("for ever", "for-ever"),
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


@pytest.mark.parametrize("mode", [0o604, 0o620])
def test_a_file_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(entry("a", "k"))
    file.chmod(mode)
    with pytest.raises(ApiKeysInvalid, match=f"{mode:04o}"):
        load_api_keys(file)


def test_a_file_may_declare_that_it_has_no_keys(tmp_path: Path) -> None:
    file = private(tmp_path / "keys.toml", "key = []\n")
    assert load_api_keys(file) == ApiKeys(())


@given(st.text())
def test_no_other_text_is_a_key(text: str) -> None:
    keys = ApiKeys((ApiKey(sha256=sha256(b"fg1_the-key").digest(), caller=Caller(name="a", tenant="b")),))
    assert keys.find(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "key = []"),
        ("[[key]\n", "not TOML"),
        (
            entry("a", "k") + "more = 1\n",
            "key.0.more: there is no such field; there are tenant, roles, scopes, sandbox, name",
        ),
        (entry("a", "k").replace('roles = ["orchestrator"]', 'role = "x"'), "did you mean roles?"),
        ("[[keys]]\n", "did you mean key?"),
        (entry("a", "k", role="admin"), "key.0.roles"),
        (entry("a b", "k"), "key.0.name"),
        (entry("a", "k") + entry("b", "k"), "b has the same key as a"),
        (entry("a", "k") + 'sandbox = "yes"\n', "key.0.sandbox"),
        (entry("a", "k") + 'scopes = ["everything"]\n', "key.0.scopes"),
        (entry("a", "k") + "scopes = []\n", "key.0.scopes"),
        (entry("a", "k", role="compliance_reader") + 'scopes = ["checks.read"]\n', "checks.read"),
        (entry("a", "k") + "expires = 2027-01-01T00:00:00\n", "key.0.expires"),
        (entry("a", "k") + "expires = 1893456000\n", "key.0.expires"),
        (entry("a", "k", role="compliance_reader") + "sandbox = true\n", "orchestrator"),
        (
            entry("a", "k", tenant="t" * (LONGEST_TENANT + 1)) + "sandbox = true\n",
            f"{LONGEST_TENANT} characters",
        ),
    ],
)
def test_a_broken_file_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = private(tmp_path / "keys.toml", text)
    with pytest.raises(ApiKeysInvalid) as caught:
        load_api_keys(file)
    assert said in str(caught.value)
    assert sha256(b"k").hexdigest() not in str(caught.value)


# The allow-list of client certificates.

_NOW = datetime.now(UTC)


def _entry(identity: str, tenant: str = "bank") -> ClientCertificateEntry:
    return ClientCertificateEntry(
        identity=identity, name="backend", tenant=tenant, roles=(Role.ORCHESTRATOR,)
    )


def _refused(listed: ClientCertificates, certificate: bytes) -> str:
    with pytest.raises(Refusal) as caught:
        listed.find(certificate, now=_NOW)
    assert caught.value.reason is Reason.UNAUTHENTICATED
    return str(caught.value)


def test_identities_keep_their_kind() -> None:
    certificate = client_certificate(
        uris=["spiffe://bank/onboarding"], names=["backend.bank"], mails=["mail@bank"], common="backend"
    ).pem
    assert read_certificate(certificate).identities == {
        "uri:spiffe://bank/onboarding",
        "dns:backend.bank",
        "cn:backend",
    }


@pytest.mark.parametrize("identity", ["uri:spiffe://bank/onboarding", "dns:backend.bank", "cn:backend"])
def test_each_kind_of_identity_finds_its_entry(identity: str) -> None:
    certificate = client_certificate(
        uris=["spiffe://bank/onboarding"], names=["backend.bank"], common="backend"
    ).pem
    listed = ClientCertificates([_entry(identity), _entry("cn:other", "other")])
    assert listed.find(certificate, now=_NOW).tenant == "bank"
    assert listed.find(certificate, now=_NOW).tenant == "bank"


@pytest.mark.parametrize(
    "identity",
    [
        "uri:spiffe://bank/onboarding/",
        "uri:spiffe://bank/Onboarding",
        "dns:spiffe://bank/onboarding",
        "cn:Backend",
    ],
)
def test_identities_are_compared_exactly(identity: str) -> None:
    certificate = client_certificate(uris=["spiffe://bank/onboarding"], common="backend").pem
    assert "not on the list" in _refused(ClientCertificates([_entry(identity)]), certificate)


def test_several_entries_for_one_certificate_are_none() -> None:
    certificate = client_certificate(uris=["spiffe://bank/a"], common="b").pem
    listed = ClientCertificates([_entry("uri:spiffe://bank/a", "a"), _entry("cn:b", "b")])
    assert "several" in _refused(listed, certificate)


def test_two_entries_of_one_identity_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        ClientCertificates([_entry("cn:a", "a"), _entry("cn:a", "b")])


@pytest.mark.parametrize(
    "usages", [None, [ExtendedKeyUsageOID.SERVER_AUTH], [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]]
)
def test_a_certificate_must_be_for_client_authentication(usages: list[x509.ObjectIdentifier] | None) -> None:
    certificate = client_certificate(common="backend", usages=usages).pem
    assert "clientAuth" in _refused(ClientCertificates([_entry("cn:backend")]), certificate)


@pytest.mark.parametrize(
    "certificate", [b"", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"]
)
def test_anything_but_a_certificate_is_refused(certificate: bytes) -> None:
    assert "cannot be read" in _refused(ClientCertificates([_entry("cn:a")]), certificate)


def test_a_name_of_an_unknown_kind_is_refused() -> None:
    # ediPartyName, which no library reads: cryptography raises an error that is not a ValueError.
    name = bytes.fromhex("3008a5068104") + b"bank"
    extension = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, name)
    certificate = client_certificate(common="backend", extension=extension).pem
    assert "cannot be read" in _refused(ClientCertificates([_entry("cn:backend")]), certificate)


def test_a_certificate_ends() -> None:
    certificate = client_certificate(common="backend").pem
    listed = ClientCertificates([_entry("cn:backend")])
    ends = read_certificate(certificate).ends
    assert listed.find(certificate, now=ends - timedelta(seconds=1)).tenant == "bank"
    with pytest.raises(Refusal) as caught:
        listed.find(certificate, now=ends)
    assert caught.value.reason is Reason.UNAUTHENTICATED


def test_the_log_has_the_identities_of_a_refused_certificate_once_and_the_caller_never() -> None:
    certificate = client_certificate(uris=["spiffe://bank/sales"], common="sales").pem
    listed = ClientCertificates([_entry("cn:backend")])
    with capture_logs() as logs:
        said = [_refused(listed, certificate) for _ in range(3)]
    (entry,) = logs
    assert entry["event"] == "client_certificate_refused"
    assert entry["identities"] == ["cn:sales", "uri:spiffe://bank/sales"]
    assert not any("sales" in one for one in said)


def test_the_cache_is_bounded() -> None:
    listed = ClientCertificates([_entry("cn:backend")])
    for number in range(600):
        _refused(listed, b"certificate %d" % number)
    assert len(listed._known) <= 256

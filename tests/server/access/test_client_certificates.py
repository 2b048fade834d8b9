"""The allow-list of client certificates."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from structlog.testing import capture_logs

from server.access.callers import Role
from server.access.client_certificates import ClientCertificateEntry, ClientCertificates, read_certificate
from server.base.errors import ConfigurationError, Reason, Refusal
from tests.server.certificates import client_certificate

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
        "uri:spiffe://bank",
        "dns:spiffe://bank/onboarding",
        "cn:spiffe://bank/onboarding",
        "dns:backend",
        "cn:Backend",
        "uri:backend",
    ],
)
def test_identities_are_compared_exactly(identity: str) -> None:
    certificate = client_certificate(uris=["spiffe://bank/onboarding"], common="backend").pem
    assert "not on the list" in _refused(ClientCertificates([_entry(identity)]), certificate)


def test_a_certificate_without_a_common_name_is_known_by_its_uri_alone() -> None:
    onboarding = client_certificate(uris=["spiffe://bank/onboarding"]).pem
    marketing = client_certificate(uris=["spiffe://bank/marketing"]).pem
    listed = ClientCertificates([_entry("uri:spiffe://bank/onboarding")])
    assert listed.find(onboarding, now=_NOW).tenant == "bank"
    _refused(listed, marketing)


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

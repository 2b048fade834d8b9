"""Identification of the callers of the service listener."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trustme

from server.access.api_keys import load_api_keys
from server.access.callers import SCOPES, Role
from server.access.client_certificates import ClientCertificateEntry, ClientCertificates
from server.base.errors import Reason, Refusal
from server.base.private_files import WatchedFile
from server.edge.callers import LOCAL_TENANT, CallerIdentifier

_KEY = "fg1_abcdef"
_NOW = datetime(2026, 11, 24, tzinfo=UTC)


class _Context:
    def __init__(self, metadata: Any = (), certificate: bytes | None = None) -> None:
        self._metadata = metadata
        self._certificate = certificate

    def invocation_metadata(self) -> Any:
        return self._metadata

    def auth_context(self) -> dict[str, tuple[bytes, ...]]:
        return {} if self._certificate is None else {"x509_pem_cert": (self._certificate,)}


def _context(key: str | None = None, certificate: bytes | None = None) -> Any:
    return _Context(() if key is None else (("authorization", f"Bearer {key}"),), certificate)


def _entry(name: str, key: str, more: str = "") -> str:
    digest = sha256(key.encode()).hexdigest()
    return f'[[key]]\nname = "{name}"\nsha256 = "{digest}"\nroles = ["orchestrator"]\n{more}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with one key, of the tenant ``one``."""
    path = tmp_path / "keys.toml"
    path.touch(0o600)
    path.write_text(_entry("backend", _KEY, 'tenant = "one"\n'))
    return path


def _identifier(
    file: Path | None = None, certificates: ClientCertificates | None = None, *, local_sandbox: bool = False
) -> CallerIdentifier:
    return CallerIdentifier(
        api_keys=None if file is None else WatchedFile(file, load_api_keys),
        certificates=certificates,
        now=lambda: _NOW,
        local_sandbox=local_sandbox,
    )


def _refused(identifier: CallerIdentifier, context: Any) -> str:
    with pytest.raises(Refusal) as caught:
        identifier.identify(context)
    assert caught.value.reason is Reason.UNAUTHENTICATED
    return str(caught.value)


def test_on_open_loopback_everybody_is_the_local_orchestrator() -> None:
    caller = _identifier().identify(_context())
    assert (caller.tenant, caller.roles) == (LOCAL_TENANT, frozenset({Role.ORCHESTRATOR}))
    assert caller.scopes == SCOPES[Role.ORCHESTRATOR]


def test_without_credentials_callers_are_sandbox_callers_only_if_configured() -> None:
    for said in (False, True):
        identifier = _identifier(local_sandbox=said)
        assert identifier.identify(_context()).sandbox is said
        assert identifier.has_sandbox is said


def test_with_credentials_the_entry_of_a_key_marks_a_sandbox_caller(file: Path) -> None:
    assert not _identifier(file, local_sandbox=True).has_sandbox
    file.write_text(file.read_text() + _entry("tests", "fg1_tests", "sandbox = true\n"))
    identifier = _identifier(file, local_sandbox=True)
    assert identifier.has_sandbox
    assert not identifier.identify(_context(_KEY)).sandbox
    assert identifier.identify(_context("fg1_tests")).sandbox


@pytest.mark.parametrize("header", [f"Bearer {_KEY}", f"bearer   {_KEY} ", f"BEARER {_KEY}"])
def test_a_known_key_identifies_its_caller(file: Path, header: str) -> None:
    context: Any = _Context((("x-other", "1"), ("authorization", header)))
    assert _identifier(file).identify(context).name == "backend"


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        (),
        (("authorization", _KEY),),
        (("authorization", f"Basic {_KEY}"),),
        (("authorization", "Bearer "),),
        (("authorization", f"Bearer {_KEY}x"),),
        (("authorization", f"Bearer {_KEY}".encode()),),
        (("x-authorization", f"Bearer {_KEY}"),),
        (("authorization", "Bearer " + "x" * 100_000),),
    ],
)
def test_every_other_caller_is_refused(file: Path, metadata: Any) -> None:
    assert _KEY not in _refused(_identifier(file), _Context(metadata))


@pytest.mark.parametrize(("seconds", "works"), [(1, True), (0, False), (-1, False)])
def test_a_key_expires(file: Path, seconds: int, works: bool) -> None:
    expires = _NOW + timedelta(seconds=seconds)
    file.write_text(_entry("backend", _KEY, f"expires = {expires:%Y-%m-%dT%H:%M:%SZ}\n"))
    identifier = _identifier(file)
    assert identifier.seconds_to_next_expiry == seconds
    if works:
        assert identifier.identify(_context(_KEY)).name == "backend"
    else:
        assert "expired" in _refused(identifier, _context(_KEY))


def test_a_key_that_is_gone_from_the_file_works_no_more(file: Path) -> None:
    identifier = _identifier(file)
    file.write_text(_entry("other", "fg1_other"))
    assert identifier.identify(_context(_KEY)).name == "backend"
    assert identifier.refresh()
    _refused(identifier, _context(_KEY))
    assert identifier.identify(_context("fg1_other")).name == "other"


@pytest.mark.parametrize("broken", ["[[key]", "", "open", "gone"])
def test_a_file_that_cannot_be_used_leaves_the_keys_as_they_were(file: Path, broken: str) -> None:
    identifier = _identifier(file)
    good = file.read_text()
    if broken == "gone":
        file.unlink()
    elif broken == "open":
        file.chmod(0o644)
    else:
        file.write_text(broken)
    assert not identifier.refresh()
    assert identifier.identify(_context(_KEY)).name == "backend"
    file.touch(0o600)
    file.chmod(0o600)
    file.write_text(good)
    assert identifier.refresh()


# -- certificates


def _certificates(*entries: tuple[str, str]) -> ClientCertificates:
    return ClientCertificates(
        [
            ClientCertificateEntry(
                identity=identity, name="backend", tenant=tenant, roles=(Role.ORCHESTRATOR,)
            )
            for identity, tenant in entries
        ]
    )


@pytest.fixture(scope="module")
def certificate() -> bytes:
    """Of ``backend.bank``, with the common name ``backend``."""
    return trustme.CA().issue_cert("backend.bank", common_name="backend").cert_chain_pems[0].bytes()


def test_a_certificate_has_the_rights_of_its_entry(certificate: bytes) -> None:
    identifier = _identifier(certificates=_certificates(("dns:backend.bank", "one")))
    assert identifier.identify(_context(certificate=certificate)).tenant == "one"
    assert identifier.tenants == {"one"}
    _refused(identifier, _context())
    _refused(identifier, _context(certificate=b"no certificate"))


def test_a_key_and_a_certificate_must_be_of_one_tenant(file: Path, certificate: bytes) -> None:
    for tenant, works in (("one", True), ("two", False)):
        identifier = _identifier(file, _certificates(("cn:backend", tenant)))
        if works:
            assert identifier.identify(_context(_KEY, certificate)).tenant == "one"
        else:
            _refused(identifier, _context(_KEY, certificate))
        _refused(identifier, _context(_KEY))
        _refused(identifier, _context(certificate=certificate))


def test_the_tenants_are_those_of_the_orchestrators(file: Path) -> None:
    file.write_text(
        file.read_text()
        + _entry("officer", "fg1_officer", 'tenant = "two"\n').replace(
            '"orchestrator"', '"compliance_reader"'
        )
    )
    assert _identifier(file).tenants == {"one"}
    assert _identifier().tenants == {LOCAL_TENANT}

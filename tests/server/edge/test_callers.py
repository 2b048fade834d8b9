"""Who calls the service listener."""

from hashlib import sha256
from typing import Any

import pytest

from server.api_keys import ApiKeyEntry, ApiKeys, Role
from server.edge.callers import LOCAL_TENANT, CallerIdentifier
from server.errors import Reason, Refusal

KEY = "fg1_abcdef"
BACKEND = ApiKeyEntry(name="backend", tenant="one", role=Role.ORCHESTRATOR)
KEYS = ApiKeys(((sha256(KEY.encode()).digest(), BACKEND),))


class _Context:
    def __init__(self, metadata: Any = (), certificate: tuple[bytes, ...] | None = None) -> None:
        self._metadata = metadata
        self._certificate = certificate

    def invocation_metadata(self) -> Any:
        return self._metadata

    def auth_context(self) -> dict[str, tuple[bytes, ...]]:
        return {} if self._certificate is None else {"x509_common_name": self._certificate}


def _identify(identifier: CallerIdentifier, role: Role = Role.ORCHESTRATOR, **context: Any) -> ApiKeyEntry:
    fake: Any = _Context(**context)
    return identifier.identify(fake, role=role)


def _refusal(identifier: CallerIdentifier, role: Role = Role.ORCHESTRATOR, **context: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        _identify(identifier, role, **context)
    return caught.value


def test_on_open_loopback_everybody_is_the_local_orchestrator() -> None:
    caller = _identify(CallerIdentifier(api_keys=None, client_certificates=False))
    assert (caller.tenant, caller.role) == (LOCAL_TENANT, Role.ORCHESTRATOR)


def test_without_credentials_everybody_is_a_sandbox_caller_only_where_that_is_said() -> None:
    for said in (False, True):
        identifier = CallerIdentifier(api_keys=None, client_certificates=False, local_sandbox=said)
        assert _identify(identifier).sandbox is said
        assert identifier.has_sandbox is said


def test_with_credentials_the_entry_of_a_key_says_who_is_a_sandbox_caller() -> None:
    tests = ApiKeyEntry(name="tests", tenant="one", role=Role.ORCHESTRATOR, sandbox=True)
    keys = ApiKeys((*KEYS.entries, (sha256(b"fg1_tests").digest(), tests)))
    identifier = CallerIdentifier(api_keys=keys, client_certificates=False, local_sandbox=True)
    assert identifier.has_sandbox
    assert not _identify(identifier, metadata=(("authorization", f"Bearer {KEY}"),)).sandbox
    assert _identify(identifier, metadata=(("authorization", "Bearer fg1_tests"),)).sandbox
    assert not CallerIdentifier(api_keys=KEYS, client_certificates=False, local_sandbox=True).has_sandbox
    certificates = CallerIdentifier(api_keys=None, client_certificates=True, local_sandbox=True)
    assert not certificates.has_sandbox
    assert not _identify(certificates, certificate=(b"backend",)).sandbox


@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"bearer   {KEY} ", f"BEARER {KEY}"])
def test_a_known_key(header: str) -> None:
    identifier = CallerIdentifier(api_keys=KEYS, client_certificates=False)
    assert _identify(identifier, metadata=(("x-other", "1"), ("authorization", header))) == BACKEND


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        (),
        (("authorization", KEY),),
        (("authorization", f"Basic {KEY}"),),
        (("authorization", "Bearer "),),
        (("authorization", f"Bearer {KEY}x"),),
        (("authorization", f"Bearer {KEY}".encode()),),
        (("x-authorization", f"Bearer {KEY}"),),
        (("authorization", "Bearer " + "x" * 100_000),),
    ],
)
def test_everything_else_is_nobody(metadata: Any) -> None:
    refusal = _refusal(CallerIdentifier(api_keys=KEYS, client_certificates=False), metadata=metadata)
    assert refusal.reason is Reason.UNAUTHENTICATED
    assert KEY not in str(refusal)


def test_keys_go_before_certificates() -> None:
    identifier = CallerIdentifier(api_keys=KEYS, client_certificates=True)
    assert _refusal(identifier, certificate=(b"backend",)).reason is Reason.UNAUTHENTICATED


def test_a_certificate_is_its_common_name() -> None:
    identifier = CallerIdentifier(api_keys=None, client_certificates=True)
    caller = _identify(identifier, certificate=(b"backend",))
    assert (caller.name, caller.tenant, caller.role) == ("backend", "backend", Role.ORCHESTRATOR)
    assert _refusal(identifier).reason is Reason.UNAUTHENTICATED
    assert _refusal(identifier, certificate=()).reason is Reason.UNAUTHENTICATED


def test_the_tenants_are_those_of_the_orchestrators() -> None:
    officer = ApiKeyEntry(name="officer", tenant="two", role=Role.COMPLIANCE)
    keys = ApiKeys((*KEYS.entries, (sha256(b"another").digest(), officer)))
    assert CallerIdentifier(api_keys=keys, client_certificates=True).tenants == frozenset({"one"})
    assert CallerIdentifier(api_keys=None, client_certificates=False).tenants == frozenset({LOCAL_TENANT})
    assert CallerIdentifier(api_keys=None, client_certificates=True).tenants is None


def test_a_role_is_for_its_own_calls() -> None:
    identifier = CallerIdentifier(api_keys=None, client_certificates=False)
    refusal = _refusal(identifier, Role.COMPLIANCE)
    assert refusal.reason is Reason.PERMISSION_DENIED
    assert refusal.details == {"role": "orchestrator", "requiredRole": "compliance"}

"""Access tokens of a certified OIDC provider, at a real server."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.evidence_service_pb2_grpc import EvidenceServiceStub

from server.access import signing_keys
from server.configuration.settings import LogLevel, LogSettings
from server.storage.audit_reader import AuditReader
from server.telemetry.logging import configure_logging
from tests.logs import log_plainly
from tests.server.api_keys import bearer
from tests.server.issuer.provider import AUDIENCE, Provider, running_provider
from tests.server.live import LiveServer, portrait, serving, settings_for, until
from tests.server.refusals import Refused, refusal_of

pytestmark = pytest.mark.slow

_CHECKS, _EVIDENCE = "facegate.checks", "facegate.evidence"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


@asynccontextmanager
async def _serving(provider: Provider, folder: Path, **more: object) -> AsyncIterator[LiveServer]:
    grants = [
        {"value": _CHECKS, "tenant": "bank", "roles": ["orchestrator"]},
        {"value": _EVIDENCE, "tenant": "bank", "roles": ["compliance_reader"]},
    ]
    oidc = {"issuer": provider.issuer, "audience": AUDIENCE, "grants": grants, **more}
    free = {"port": 0}
    listeners = {"device": free, "service": free | {"oidc": oidc}, "admin": free}
    async with serving(settings_for(folder, listeners=listeners)) as live:
        yield live


@pytest_asyncio.fixture(scope="module")
async def bank(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server that accepts the tokens of the provider, and nothing else."""
    async with _serving(provider, tmp_path_factory.mktemp("bank")) as live:
        yield live


async def _refusal(call: Any) -> Refused:
    return await refusal_of(asyncio.wait_for(call, 60))


async def _get_check(live: LiveServer, token: str) -> Refused:
    """The refusal of GetCheck for a check that does not exist: CHECK_NOT_FOUND with a good token."""
    request = service_pb2.GetCheckRequest(check_id=str(uuid4()))
    return await _refusal(live.service.GetCheck(request, metadata=bearer(token)))


async def _upload(live: LiveServer, token: str) -> service_pb2.UploadTrustedImageResponse:
    request = service_pb2.UploadTrustedImageRequest(image=portrait())
    return await live.service.UploadTrustedImage(request, metadata=bearer(token))


def _list_checks(live: LiveServer, token: str) -> Any:
    evidence: Any = EvidenceServiceStub(live.service_channel)
    return evidence.ListChecks(evidence_pb2.ListChecksRequest(page_size=1), metadata=bearer(token))


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    return header, claims


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "EdDSA"])
async def test_a_token_has_the_role_of_its_scope_and_only_it(
    provider: Provider, bank: LiveServer, algorithm: str
) -> None:
    resource = f"{AUDIENCE}:{algorithm}"
    token = await provider.token(_CHECKS, resource=resource)
    assert _read(token)[0]["alg"] == algorithm
    assert (await _upload(bank, token)).check_id
    assert (await _refusal(_list_checks(bank, token))).reason == "PERMISSION_DENIED"
    reader = await provider.token(_EVIDENCE, resource=resource)
    assert await _list_checks(bank, reader) is not None
    assert (await _refusal(_upload(bank, reader))).reason == "PERMISSION_DENIED"
    both = await provider.token(f"{_CHECKS} {_EVIDENCE}", resource=resource)
    assert await _list_checks(bank, both) is not None
    assert (await _upload(bank, both)).check_id


async def test_a_stream_ends_when_its_token_expires(provider: Provider, bank: LiveServer) -> None:
    token = await provider.token(_CHECKS)
    upload = await _upload(bank, token)
    request = service_pb2.WatchCheckRequest(check_id=upload.check_id)
    watch = bank.service.WatchCheck(request, metadata=bearer(token))
    assert isinstance(await watch.read(), service_pb2.WatchCheckResponse)
    with bank.clock.later():
        bank.clock.ahead = timedelta(seconds=301)
        refusal = await _refusal(watch.read())
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_keys_that_the_issuer_rotated_are_fetched_once(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _serving(provider, tmp_path) as live:
        old = await provider.token(_CHECKS)
        assert (await _get_check(live, old)).reason == "CHECK_NOT_FOUND"
        monkeypatch.setattr(signing_keys, "RETRY_SECONDS", 600.0)
        fetched = await provider.fetches()
        await provider.rotate()
        new = await provider.token(_CHECKS)
        assert _read(old)[0]["kid"] != _read(new)[0]["kid"]
        # The issuer was asked a moment ago, and is not asked again for any unknown key.
        refusals = await asyncio.gather(*(_get_check(live, new) for _ in range(8)))
        assert {refusal.reason for refusal in refusals} == {"UNAUTHENTICATED"}
        assert await provider.fetches() == fetched
        monkeypatch.setattr(signing_keys, "RETRY_SECONDS", 0.0)
        refusals = await asyncio.gather(*(_get_check(live, new) for _ in range(8)))
        assert {refusal.reason for refusal in refusals} == {"CHECK_NOT_FOUND"}
        assert await provider.fetches() == fetched + 1
        # What was signed with a withdrawn key is refused.
        refusal = await _get_check(live, old)
        assert refusal.reason == "UNAUTHENTICATED"
        assert "does not publish" in refusal.message


async def test_while_the_issuer_is_away_known_keys_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_keys, "RETRY_SECONDS", 0.0)
    with running_provider() as provider:
        async with _serving(provider, tmp_path) as live:
            known = await provider.token(_CHECKS)
            assert (await _get_check(live, known)).reason == "CHECK_NOT_FOUND"
            await provider.rotate()
            unknown = await provider.token(_CHECKS)
            provider.stop()
            refusal = await _get_check(live, unknown)
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")
            assert refusal.retry_seconds is not None
            assert (await _get_check(live, known)).reason == "CHECK_NOT_FOUND"
            await until(lambda: _shows(live, "facegate_oidc_issuer_away 1.0"))


async def _shows(live: LiveServer, line: str) -> bool:
    return line in (await live.metrics()).splitlines()


async def test_a_server_that_cannot_reach_the_issuer_has_its_keys_in_a_file(tmp_path: Path) -> None:
    with running_provider() as provider:
        file = tmp_path / "jwks.json"
        file.write_bytes(await provider.jwks())
        token = await provider.token(_CHECKS)
        await provider.rotate()
        unknown = await provider.token(_CHECKS)
        provider.stop()
    async with _serving(provider, tmp_path, jwks_file=file) as live:
        assert (await _get_check(live, token)).reason == "CHECK_NOT_FOUND"
        assert (await _get_check(live, unknown)).reason == "UNAUTHENTICATED"


async def test_the_audit_log_names_subject_and_issuer_and_no_place_the_token(
    provider: Provider, tmp_path: Path
) -> None:
    lines = StringIO()
    configure_logging(LogSettings(level=LogLevel.DEBUG), stream=lines)
    try:
        async with _serving(provider, tmp_path) as live:
            token = await provider.token(f"{_CHECKS} {_EVIDENCE}")
            other = await provider.token(_CHECKS, resource="urn:other")
            await _list_checks(live, token)
            refusals = [await _get_check(live, one) for one in (token, other, token[:-8])]
            metrics = await live.metrics()
            async with live.database() as database:
                reader = AuditReader(database)
                entries = {tenant: await reader.entries(tenant) for tenant in await reader.tenants()}
    finally:
        log_plainly()
    (listed,) = [entry for entry in entries["bank"] if entry.action == "checks.listed"]
    assert listed.actor == "backend@127.0.0.1"
    assert listed.role == "compliance_reader,orchestrator"
    (callers,) = [entry for entry in entries["_server"] if entry.action == "callers.changed"]
    assert provider.issuer in callers.detail
    assert "scope=facegate.checks" in callers.detail
    said = [lines.getvalue(), metrics, *map(str, refusals), str(entries)]
    for part in (*token.split("."), *other.split(".")):
        assert not any(part in text for text in said)

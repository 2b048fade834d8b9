"""The callers of the service listener: keys, certificates and roles."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
import trustme
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub
from google.protobuf.message_factory import GetMessageClass
from joserfc import jwt
from joserfc.jwk import ECKey

from docs.make_roles import PAGE, roles_page
from facegate_client.stream_call import StreamCall, answer_of
from server.access.access_tokens import AccessTokens, OidcSettings
from server.access.api_keys import load_api_keys
from server.access.callers import SCOPES, Role, Scope
from server.access.callers import SCOPES as OF_ROLE
from server.access.client_certificates import ClientCertificateEntry, ClientCertificates
from server.access.signing_keys import Issuer, read_jwks_file
from server.audit import SERVER_TENANT, AuditEntry
from server.base.errors import Reason, Refusal
from server.base.private_files import WatchedFile
from server.edge.callers import LOCAL_TENANT, CallerIdentifier
from server.edge.listeners import DEVICE_METHODS, SERVICES
from server.edge.listeners import SCOPES as ROLES_SCOPES
from server.running.app import FacegateServer
from server.storage.audit_reader import AuditReader
from server.storage.database import open_database
from tests.server.api_keys import bearer, reading_keys, write_keys
from tests.server.certificates import ClientCertificate, authority_pem, client_certificate
from tests.server.live import (
    FAST,
    LiveServer,
    ShiftedClock,
    portrait,
    serving,
    settings_for,
    until,
)
from tests.server.models_once import remembering_pack
from tests.server.private_files import private
from tests.server.refusals import Refused, refusal_of, refused

# Identification of the callers of the service listener.

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
    return _Context(() if key is None else bearer(key), certificate)


def _entry(name: str, key: str, more: str = "") -> str:
    digest = sha256(key.encode()).hexdigest()
    return f'[[key]]\nname = "{name}"\nsha256 = "{digest}"\nroles = ["orchestrator"]\n{more}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with one key, of the tenant ``one``."""
    return private(tmp_path / "keys.toml", _entry("backend", _KEY, 'tenant = "one"\n'))


def _identifier(
    file: Path | None = None,
    certificates: ClientCertificates | None = None,
    *,
    tokens: AccessTokens | None = None,
    local_sandbox: bool = False,
) -> CallerIdentifier:
    return CallerIdentifier(
        api_keys=None if file is None else WatchedFile(file, load_api_keys),
        certificates=certificates,
        now=lambda: _NOW,
        tokens=tokens,
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


def test_a_key_and_a_certificate_must_be_of_one_tenant_and_the_key_has_the_rights(
    file: Path, certificate: bytes
) -> None:
    file.write_text(_entry("backend", _KEY, 'tenant = "one"\nscopes = ["checks.read"]\n'))
    for tenant, works in (("one", True), ("two", False)):
        identifier = _identifier(file, _certificates(("cn:backend", tenant)))
        if works:
            caller = identifier.identify(_context(_KEY, certificate))
            assert (caller.tenant, caller.scopes) == ("one", frozenset({Scope.READ_CHECKS}))
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


# -- access tokens

_TOKEN_KEY = ECKey.generate_key("P-256", {"kid": "a", "use": "sig"})
_AN_HOUR = timedelta(hours=1)


def _tokens(folder: Path, tenant: str = "one") -> AccessTokens:
    file = folder / "jwks.json"
    file.write_text(json.dumps({"keys": [_TOKEN_KEY.as_dict(private=False)]}))
    settings = OidcSettings.model_validate(
        {
            "issuer": "https://login.bank.example",
            "audience": "facegate",
            "grants": [{"value": "checks", "tenant": tenant, "roles": ["orchestrator"]}],
        }
    )
    keys = WatchedFile(file, read_jwks_file)
    return AccessTokens(settings, Issuer(settings.issuer, file=keys, monotonic=lambda: 0.0))


def _access_token(scope: str = "checks") -> str:
    claims = {
        "iss": "https://login.bank.example",
        "aud": "facegate",
        "sub": "anna",
        "scope": scope,
        "iat": int(_NOW.timestamp()),
        "exp": int((_NOW + _AN_HOUR).timestamp()),
    }
    return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": "a"}, claims, _TOKEN_KEY)


async def test_an_access_token_identifies_a_caller_beside_api_keys(file: Path, tmp_path: Path) -> None:
    identifier = _identifier(file, tokens=_tokens(tmp_path, "two"))
    context = _context(_access_token())
    await identifier.prepare(context)
    caller = identifier.identify(context)
    assert (caller.name, caller.tenant, caller.expires) == (
        "anna@login.bank.example",
        "two",
        _NOW + _AN_HOUR,
    )
    assert identifier.seconds_left(caller) == 3600
    assert identifier.identify(_context(_KEY)).name == "backend"
    assert identifier.tenants == {"one", "two"}
    assert identifier.has_several_scopes
    assert sorted(name.split()[0] for name in identifier.entries) == ["key", "token"]
    for credential in (None, "fg1_other", "a.b.c", "a.b"):
        assert "access token" in _refused(identifier, _context(credential))


def test_an_access_token_alone_needs_no_api_keys(tmp_path: Path) -> None:
    identifier = _identifier(tokens=_tokens(tmp_path))
    assert identifier.identify(_context(_access_token())).tenant == "one"
    assert "API key" not in _refused(identifier, _context())
    with pytest.raises(Refusal) as caught:
        identifier.identify(_context(_access_token("other")))
    assert caught.value.reason is Reason.PERMISSION_DENIED


def test_without_an_issuer_no_access_token_is_a_credential(file: Path) -> None:
    assert "access token" not in _refused(_identifier(file), _context(_access_token()))


def test_an_access_token_and_a_certificate_must_be_of_one_tenant(tmp_path: Path, certificate: bytes) -> None:
    for tenant, works in (("one", True), ("two", False)):
        identifier = _identifier(None, _certificates(("cn:backend", tenant)), tokens=_tokens(tmp_path))
        if works:
            assert identifier.identify(_context(_access_token(), certificate)).name.startswith("anna@")
        else:
            _refused(identifier, _context(_access_token(), certificate))
        _refused(identifier, _context(certificate=certificate))
        _refused(identifier, _context(_access_token()))


def test_a_running_call_goes_on_with_a_token_that_is_still_valid(tmp_path: Path) -> None:
    identifier = _identifier(tokens=_tokens(tmp_path))
    context = _context(_access_token())
    identifier.identify_again(context, caller=identifier.identify(context))
    (tmp_path / "jwks.json").write_text("broken")
    assert identifier.refresh()
    identifier.identify_again(context, caller=identifier.identify(context))


# Callers that authenticate with a certificate, over real TLS connections to a real server.

_ROLES = {"roles": ["orchestrator"]}


class _Bank:
    """A server with two tenants that share an authority."""

    def __init__(self, server: FacegateServer, clock: ShiftedClock, authority: trustme.CA) -> None:
        self.server = server
        self.clock = clock
        self._authority = authority

    @asynccontextmanager
    async def connected_with(self, certificate: ClientCertificate) -> AsyncIterator[grpc.aio.Channel]:
        """A connection that presents a certificate."""
        credentials = grpc.ssl_channel_credentials(
            root_certificates=self._authority.cert_pem.bytes(),
            private_key=certificate.key_pem,
            certificate_chain=certificate.pem,
        )
        async with grpc.aio.secure_channel(self.server.service_target, credentials) as channel:
            yield channel

    @asynccontextmanager
    async def called_with(self, certificate: ClientCertificate) -> AsyncIterator[Any]:
        """A stub over such a connection."""
        async with self.connected_with(certificate) as channel:
            yield VerificationServiceStub(channel)


@pytest_asyncio.fixture(scope="module")
async def bank(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[_Bank]:
    """The server, with entries for onboarding and marketing."""
    folder = tmp_path_factory.mktemp("bank")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    (folder / "server.pem").write_bytes(issued.cert_chain_pems[0].bytes())
    private(folder / "server.key", issued.private_key_pem.bytes())
    (folder / "ca.pem").write_bytes(authority_pem())
    clients = [
        {"identity": "uri:spiffe://bank/onboarding", "name": "onboarding", "tenant": "onboarding", **_ROLES},
        {"identity": "uri:spiffe://bank/marketing", "name": "marketing", "tenant": "marketing", **_ROLES},
    ]
    tls = {"certificate": folder / "server.pem", "key": folder / "server.key", "client_ca": folder / "ca.pem"}
    listeners = {
        "device": {"port": 0},
        "service": {"port": 0, "tls": tls, "clients": clients},
        "admin": {"port": 0},
    }
    clock = ShiftedClock()
    server = FacegateServer(
        settings_for(folder, listeners=listeners), pack=remembering_pack(), tuning=FAST, now=clock
    )
    await server.start()
    try:
        yield _Bank(server, clock, authority)
    finally:
        await server.stop()


async def _refusal(call: Any) -> Refused:
    return await refusal_of(asyncio.wait_for(call, 60))


async def test_no_tenant_sees_anothers_checks(bank: _Bank) -> None:
    async with bank.called_with(client_certificate(uris=["spiffe://bank/onboarding"])) as stub:
        upload = await stub.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=portrait()))
        mine = await stub.GetCheck(service_pb2.GetCheckRequest(check_id=upload.check_id))
        assert mine.HasField("progress")
    async with bank.called_with(client_certificate(uris=["spiffe://bank/marketing"])) as stub:
        watch = stub.WatchCheck(service_pb2.WatchCheckRequest(check_id=upload.check_id))
        for call in (
            stub.GetCheck(service_pb2.GetCheckRequest(check_id=upload.check_id)),
            stub.FinishCheck(service_pb2.FinishCheckRequest(check_id=upload.check_id)),
            stub.CancelCheck(service_pb2.CancelCheckRequest(check_id=upload.check_id)),
            watch.read(),
        ):
            assert (await _refusal(call)).reason == "CHECK_NOT_FOUND"


async def _upload_refusal(stub: Any) -> Refused:
    return await _refusal(stub.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=portrait())))


async def test_a_certificate_that_is_not_listed_is_refused_before_its_message(bank: _Bank) -> None:
    async with bank.connected_with(client_certificate(uris=["spiffe://bank/sales"])) as channel:
        # A streaming client sends the headers alone.
        call: Any = channel.stream_unary("/facegate.v1.VerificationService/UploadTrustedImage")()
        refusal = await _refusal(call)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_connection_may_not_outlive_its_certificate(bank: _Bank) -> None:
    async with bank.called_with(client_certificate(uris=["spiffe://bank/onboarding"])) as stub:
        upload = await stub.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=portrait()))
        request = service_pb2.WatchCheckRequest(check_id=upload.check_id)
        watch = stub.WatchCheck(request)
        assert isinstance(await watch.read(), service_pb2.WatchCheckResponse)
        bank.clock.ahead = timedelta(days=31)
        try:
            assert (await _refusal(watch.read())).reason == "UNAUTHENTICATED"
            assert (await _upload_refusal(stub)).reason == "UNAUTHENTICATED"
        finally:
            bank.clock.ahead = timedelta(0)


# API keys that are added, removed and broken while a server runs.


@dataclass(frozen=True, slots=True)
class _Reloading:
    live: LiveServer
    file: Path
    check_id: str
    watch: Any


@pytest_asyncio.fixture(loop_scope="session")
async def reloading(tmp_path: Path) -> AsyncIterator[_Reloading]:
    """A server that knows the key ``fg1_old``, which has made a check and watches it."""
    file = private(tmp_path / "keys.toml", _entry("old", "fg1_old"))
    async with serving(settings_for(tmp_path, listeners=reading_keys(file))) as live:
        upload = await live.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(image=portrait()), metadata=bearer("fg1_old")
        )
        watch = live.service.WatchCheck(
            service_pb2.WatchCheckRequest(check_id=upload.check_id), metadata=bearer("fg1_old")
        )
        assert isinstance(await watch.read(), service_pb2.WatchCheckResponse)
        yield _Reloading(live, file, upload.check_id, watch)


async def test_a_removed_key_works_no_more_and_its_watches_end(reloading: _Reloading) -> None:
    live, file = reloading.live, reloading.file

    async def works(key: str) -> bool:
        request = service_pb2.GetCheckRequest(check_id=reloading.check_id)
        try:
            await live.service.GetCheck(request, metadata=bearer(key))
        except grpc.RpcError as error:
            return refused(error).reason != "UNAUTHENTICATED"
        return True

    async def unusable() -> bool:
        return "facegate_api_keys_file_unusable 1.0" in (await live.metrics()).splitlines()

    # A file that cannot be used changes nothing.
    file.write_text("[[key]")
    await until(unusable)
    assert await works("fg1_old")

    file.write_text(_entry("new", "fg1_new"))
    await until(lambda: works("fg1_new"))
    assert not await works("fg1_old")
    assert await _reason(reloading.watch) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("file_text", "reason_of_next"),
    [
        # The last key is removed: a file with an explicit empty list is applied.
        ("key = []\n", "UNAUTHENTICATED"),
        (_entry("old", "fg1_old", 'scopes = ["checks.create"]\n'), "PERMISSION_DENIED"),
        (_entry("old", "fg1_old", 'tenant = "another"\n'), "CHECK_NOT_FOUND"),
        (_entry("old", "fg1_old", "expires = 2020-01-01T00:00:00Z\n"), "UNAUTHENTICATED"),
    ],
    ids=["removed", "narrowed", "moved", "expired"],
)
async def test_a_watch_ends_when_its_key_may_do_less(
    reloading: _Reloading, file_text: str, reason_of_next: str
) -> None:
    reloading.file.write_text(file_text)
    assert await _reason(reloading.watch) == "UNAUTHENTICATED"
    request = service_pb2.WatchCheckRequest(check_id=reloading.check_id)
    again = reloading.live.service.WatchCheck(request, metadata=bearer("fg1_old"))
    assert await _reason(again) == reason_of_next


async def _reason(watch: Any) -> str:
    return (await refusal_of(asyncio.wait_for(watch.read(), 60))).reason


# Every method in every role on both listeners, over real gRPC; and docs/reference/roles.md.

_METHODS = {
    f"/{service.full_name}/{method.name}": method for service in SERVICES for method in service.methods
}
_CREDENTIALS = (*(role.value for role in Role), "none", "wrong")
_ROLES_REFUSED = {"UNAUTHENTICATED", "PERMISSION_DENIED"}


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == roles_page(), "run: make reference"


def test_every_scope_is_of_a_role() -> None:
    assert {scope for scopes in OF_ROLE.values() for scope in scopes} == set(Scope)


@pytest.mark.parametrize(
    ("role", "method"),
    [
        (Role.COMPLIANCE_ADMIN, "ReviewService/ClaimReview"),
        (Role.COMPLIANCE_ADMIN, "EventService/ReplayEvents"),
        (Role.COMPLIANCE_READER, "EvidenceService/DeleteEvidence"),
        (Role.ORCHESTRATOR, "ReviewService/GetReview"),
        (Role.ORCHESTRATOR, "EvidenceService/DeleteEvidence"),
        (Role.OPERATOR, "EventService/ReplayEvents"),
        (Role.REVIEWER, "EvidenceService/DeleteEvidence"),
    ],
)
def test_the_powers_of_one_role_are_not_those_of_another(role: Role, method: str) -> None:
    assert ROLES_SCOPES[f"/facegate.v1.{method}"] not in OF_ROLE[role]


class _Scene:
    def __init__(self, live: LiveServer, keys: dict[str, str], database_url: str) -> None:
        self.live = live
        self.keys = keys
        self.database_url = database_url

    async def call(self, path: str, *, listener: str, credentials: str) -> str:
        """The reason with which an empty call of a method ends; ``"OK"`` if it succeeds."""
        method = _METHODS[path]
        target = self.live.server.service_target if listener == "service" else self.live.server.device_target
        metadata = ()
        if credentials != "none":
            metadata = bearer(self.keys.get(credentials, "fg1_wrong"))  # type: ignore[assignment]
        request = GetMessageClass(method.input_type)()
        async with grpc.aio.insecure_channel(target) as channel:
            kind = "stream" if method.client_streaming else "unary"
            kind += "_stream" if method.server_streaming else "_unary"
            call: Any = getattr(channel, kind)(
                path,
                request_serializer=GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            given = iter([request]) if method.client_streaming else request
            answer = call(given, metadata=metadata, timeout=60)
            try:
                if method.client_streaming and method.server_streaming:
                    stream: StreamCall[Any, Any] = StreamCall(answer)
                    while await stream.receive() is not None:
                        pass
                elif method.client_streaming:
                    await answer_of(answer)
                elif method.server_streaming:
                    async for _ in answer:
                        pass
                else:
                    await answer
            except grpc.aio.AioRpcError as error:
                return refused(error).reason
        return "OK"

    async def entries(self, tenant: str, *, method: str | None = None) -> tuple[AuditEntry, ...]:
        database = open_database(self.database_url)
        entries = await AuditReader(database).entries(tenant)
        await database.close()
        return tuple(
            entry
            for entry in entries
            if entry.action == "access.refused" and method in {None, entry.details["method"]}
        )


@pytest_asyncio.fixture(scope="module")
async def roles_scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[_Scene]:
    async with _scene(tmp_path_factory.mktemp("roles")) as scene:
        yield scene


@asynccontextmanager
async def _scene(folder: Path) -> AsyncIterator[_Scene]:
    callers = {role.value: f'tenant = "{role.value}"\nroles = ["{role.value}"]' for role in Role}
    listeners, keys = write_keys(folder, callers)
    settings = settings_for(folder, listeners=listeners)
    async with serving(settings) as live:
        yield _Scene(live, keys, settings.database_url)


@pytest.mark.parametrize("credentials", _CREDENTIALS)
async def test_a_method_answers_the_roles_that_have_its_scope(roles_scene: _Scene, credentials: str) -> None:
    for path, scope in ROLES_SCOPES.items():
        reason = await roles_scene.call(path, listener="service", credentials=credentials)
        if credentials in {"none", "wrong"}:
            assert reason == "UNAUTHENTICATED", path
        elif scope in OF_ROLE[Role(credentials)]:
            assert reason not in _ROLES_REFUSED, path
        else:
            assert reason == "PERMISSION_DENIED", path


@pytest.mark.parametrize("credentials", _CREDENTIALS)
async def test_every_method_is_refused_on_the_other_listener(roles_scene: _Scene, credentials: str) -> None:
    for path in ROLES_SCOPES:
        assert await roles_scene.call(path, listener="device", credentials=credentials) == "WRONG_LISTENER"
    for path in DEVICE_METHODS:
        assert await roles_scene.call(path, listener="service", credentials=credentials) == "WRONG_LISTENER"
        # No role opens a scan: that takes the token of a check.
        assert await roles_scene.call(path, listener="device", credentials=credentials) not in {
            "OK",
            "WRONG_LISTENER",
            "PERMISSION_DENIED",
        }


async def test_reflection_needs_credentials(roles_scene: _Scene) -> None:
    async with grpc.aio.insecure_channel(roles_scene.live.server.service_target) as channel:
        call: Any = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        for metadata in ((), bearer("fg1_wrong")):
            answer = call(iter([b""]), metadata=metadata, timeout=60)
            assert (await refusal_of(answer.read())).reason == "UNAUTHENTICATED"
        known = call(iter([b""]), metadata=bearer(roles_scene.keys["operator"]), timeout=60)
        assert isinstance(await known.read(), bytes)


async def test_refused_access_is_in_the_audit_log(tmp_path: Path) -> None:
    path = next(path for path, scope in ROLES_SCOPES.items() if scope is Scope.CREATE_CHECKS)
    async with _scene(tmp_path) as scene, asyncio.timeout(100):
        for _ in range(5):
            await scene.call(path, listener="service", credentials="operator")
            await scene.call(path, listener="service", credentials="none")
        while not (known := await scene.entries("operator", method=path)):  # noqa: ASYNC110 - polled
            await asyncio.sleep(0.1)
        while not (unknown := await scene.entries(SERVER_TENANT)):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.1)
    # Repeats are counted for a minute, so each kind has one entry.
    (entry,) = known
    assert (entry.actor, entry.role, entry.address) == ("operator", "operator", "127.0.0.1")
    assert entry.details == {"method": path, "reason": "PERMISSION_DENIED", "count": "1"}
    assert {entry.actor for entry in unknown} == {"unknown"}
    assert {entry.details["reason"] for entry in unknown} == {"UNAUTHENTICATED"}
    assert len(unknown) <= 8

"""Evidence with a real database: one-time evidence counts once, and missing settings are reported."""

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs
from uuid import UUID

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from device_integrity.android import AllowedApp, PlayPolicy, PlayTokenKind, RootKind
from device_integrity.android.play_token import parse_payload
from device_integrity.device_test import Assurance, DeviceFinding
from device_integrity.errors import PlayDecoderUnavailable, PlayTokenMalformed
from device_integrity.web import RelyingParty
from facegate_protocol import attestation_message, public_key_der, sign
from server.base.errors import ConfigurationError
from server.base.worker_pool import WorkerPool
from server.configuration.device import DeviceIntegritySettings
from server.device import GooglePlayDecoder
from server.device.evidence import (
    AndroidKeyEvidence,
    AppAttestAssertionEvidence,
    AppAttestEvidence,
    EvidenceContext,
    EvidenceFinding,
    EvidenceUnavailable,
    PlayEvidence,
    UnknownEvidence,
    WebAuthnEvidence,
    WebCryptoEvidence,
)
from server.device.revocation import RevocationFile
from server.device.trust import DeviceTrust, open_device_trust
from server.device.verification import DeviceVerifier
from server.keyring.keys import MemoryKey
from server.storage.database import open_database
from server.storage.devices import DeviceRepository
from server.storage.repository import CheckRepository
from tests.device_integrity.android import phones, play_tokens
from tests.device_integrity.android.phones import new_key
from tests.device_integrity.apple.apple_in_software import APP, SoftwareApple, SoftwareKey
from tests.device_integrity.apple.apple_in_software import NOW as APPLE_TIME
from tests.device_integrity.web.authenticator_in_software import ORIGIN, RP_ID, Authenticator, client_data
from tests.server.databases import make_tables
from tests.server.private_files import private
from tests.server.storage.samples import new_check

_APPLE = SoftwareApple()
_TOKEN_TIME = datetime.fromtimestamp(play_tokens.MILLIS / 1000, UTC) + timedelta(seconds=5)


class _Bench:
    """A verifier whose trust and time the test sets."""

    def __init__(self, devices: DeviceRepository, pool: WorkerPool, check_id: UUID) -> None:
        self.trust: DeviceTrust = open_device_trust(DeviceIntegritySettings(), now=lambda: self.now)
        self.now = APPLE_TIME
        self.memory_key = MemoryKey(bytes(32))
        self._devices, self._pool = devices, pool
        self.context = EvidenceContext(
            check_id=check_id,
            scope="default",
            subject="anna",
            challenge=play_tokens.CHALLENGE,
            session_public_key=public_key_der(new_key("session").public_key()),
            app_id="",
            sandbox=True,
        )

    async def finding(self, evidence: object, **context: object) -> EvidenceFinding:
        verifier = DeviceVerifier(
            trust=self.trust,
            revocation=RevocationFile(None),
            devices=self._devices,
            workers=self._pool,
            tenant_key=self.memory_key.tenant_key,
            hash_subject=self.memory_key.subject_hash,
            now=lambda: self.now,
        )
        return await verifier.verify(evidence, replace(self.context, **context))  # type: ignore[arg-type]  # a test's own

    async def reasons(self, evidence: object, **context: object) -> dict[str, str]:
        finding = await self.finding(evidence, **context)
        return {check.name.partition(".")[2]: check.reason for check in finding.checks}


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[_Bench]:
    url = f"sqlite:///{tmp_path / 'checks.db'}"
    await make_tables(url)
    database, pool = open_database(url), WorkerPool(workers=1)
    check = await CheckRepository(database).create(new_check(), None)
    yield _Bench(DeviceRepository(database), pool, check.check_id)
    pool.close()
    await database.close()


@pytest.fixture
def play(bench: _Bench) -> _Bench:
    app = AllowedApp(package=play_tokens.PACKAGE, certificate_digests=frozenset([play_tokens.DIGEST]))
    bench.trust = replace(bench.trust, play=PlayPolicy(apps=(app,)), classic_keys=play_tokens.KEYS)
    bench.now = _TOKEN_TIME
    return bench


@pytest.fixture
def apple(bench: _Bench) -> _Bench:
    bench.trust = replace(bench.trust, test_apple=_APPLE.anchors, apple_app_ids=frozenset([APP]))
    return bench


@pytest.fixture
def web(bench: _Bench) -> _Bench:
    site = RelyingParty(rp_id=RP_ID, origins=frozenset([ORIGIN]))
    bench.trust = replace(bench.trust, relying_party=site)
    return bench


async def test_only_a_remotely_provisioned_android_key_identifies_its_phone(bench: _Bench) -> None:
    bench.now = phones.NOW
    evidence = AndroidKeyEvidence((), b"")
    for phone, known_again in ((phones.factory_phone(), False), (phones.remote_phone(), True)):
        bench.trust = replace(bench.trust, test_android_roots=phones.trust(phone, RootKind.TEST))
        marks = []
        for challenge in (b"1" * 32, b"2" * 32):
            key, chain = phone.attest(phones.Description(challenge=challenge))
            signature = sign(key, attestation_message(binding=challenge))
            evidence = AndroidKeyEvidence(tuple(phones.der_chain(chain)), signature)
            finding = await bench.finding(evidence, challenge=challenge)
            assert finding.scan_key is not None
            marks.append(finding)
        assert marks[0].scan_key != marks[1].scan_key
        assert marks[0].lasting_key == marks[1].lasting_key
        assert (marks[0].lasting_key is not None) is known_again
    # A key that was made for another scan proves nothing about this device.
    strange = await bench.finding(evidence, challenge=b"3" * 32)
    assert strange.lasting_key is None


async def test_a_classic_token_is_opened_here_and_counts_once(play: _Bench) -> None:
    token = PlayEvidence(PlayTokenKind.CLASSIC, play_tokens.mint(play_tokens.payload()))
    first = await play.finding(token)
    assert {check.outcome for check in first.checks} == {DeviceFinding.PASS}
    assert (first.facts.api_level, first.facts.app_id) == (36, play_tokens.PACKAGE)
    second = await play.finding(token)
    assert [check.reason for check in second.checks if check.outcome is DeviceFinding.FAIL] == [
        "TOKEN_USED_BEFORE"
    ]
    assert second.facts.app_id is None


class _Google:
    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def decode(self, *, package: str, token: str) -> bytes:
        del token
        self.asked.append(package)
        if self.answer is None:
            raise PlayDecoderUnavailable("away")
        return self.answer


async def test_google_is_asked_about_the_operators_packages_only(play: _Bench) -> None:
    google = _Google(None)
    play.trust = replace(play.trust, classic_keys=None, play_decoder=google)
    token = PlayEvidence(PlayTokenKind.STANDARD, "token")
    assert (await play.reasons(token))["token"] == "DECODER_UNAVAILABLE"
    assert (await play.reasons(token, app_id="org.example.evil"))["token"] == "MALFORMED"
    assert google.asked == [play_tokens.PACKAGE]


async def test_without_a_decoder_a_token_is_unavailable(play: _Bench) -> None:
    play.trust = replace(play.trust, classic_keys=None)
    for kind, reason in ((PlayTokenKind.CLASSIC, "DECODER_UNAVAILABLE"), (None, "MALFORMED")):
        assert (await play.reasons(PlayEvidence(kind, "token")))["token"] == reason


async def test_app_attest_enrols_and_counts(apple: _Bench) -> None:
    key, binding = SoftwareKey(), apple.context.challenge
    made = await apple.finding(AppAttestEvidence(key.key_id, _APPLE.enrolment(key, binding)))
    assert made.lasting_key is not None
    used = AppAttestAssertionEvidence(key.key_id, key.assertion(binding, counter=3))
    outcomes = {check.name: check.outcome for check in (await apple.finding(used)).checks}
    assert outcomes.pop("app_attest_receipt.risk") is DeviceFinding.NOT_EVALUATED
    assert set(outcomes.values()) == {DeviceFinding.PASS}
    again = await apple.reasons(used)
    assert (again["enrolment"], again["counter"]) == ("KEY_ENROLLED", "COUNTER_NOT_GREATER")
    later = AppAttestAssertionEvidence(key.key_id, key.assertion(binding, counter=4))
    for changes in ({"scope": "other"}, {"sandbox": False}):
        assert await apple.reasons(later, **changes) == {"enrolment": "KEY_NOT_ENROLLED"}
    apple.trust = replace(apple.trust, apple_app_ids=frozenset())
    assert await apple.reasons(later) == {"enrolment": "ENROLMENT_NOT_ALLOWED"}


async def test_a_person_stays_the_same_when_the_memory_key_is_rotated(apple: _Bench) -> None:
    key, binding = SoftwareKey(), apple.context.challenge
    await apple.finding(AppAttestEvidence(key.key_id, _APPLE.enrolment(key, binding)))
    apple.memory_key = MemoryKey(bytes([1]) * 32, earlier=(bytes(32),))
    for counter, subject, expected in (
        (1, "anna", "KEY_SAME_SUBJECT"),
        (2, "bert", "KEY_OF_ANOTHER_SUBJECT"),
    ):
        used = AppAttestAssertionEvidence(key.key_id, key.assertion(binding, counter=counter))
        assert (await apple.reasons(used, subject=subject))["key_use"] == expected


async def test_an_enrolled_key_that_signs_for_another_person_is_reported(apple: _Bench) -> None:
    key, binding = SoftwareKey(), apple.context.challenge
    await apple.finding(AppAttestEvidence(key.key_id, _APPLE.enrolment(key, binding)))
    expected = {}
    for counter, subject in enumerate(("anna", "bert", ""), start=1):
        used = AppAttestAssertionEvidence(key.key_id, key.assertion(binding, counter=counter))
        finding = await apple.finding(used, subject=subject)
        (expected[subject],) = [check for check in finding.checks if check.name.endswith(".key_use")]
        assert finding.lasting_key is not None
    assert [(check.reason, check.outcome, check.soft) for check in expected.values()] == [
        ("KEY_SAME_SUBJECT", DeviceFinding.PASS, False),
        ("KEY_OF_ANOTHER_SUBJECT", DeviceFinding.FAIL, True),
        ("KEY_USE_UNKNOWN", DeviceFinding.NOT_EVALUATED, False),
    ]


async def test_a_test_root_is_refused_under_a_production_policy(apple: _Bench) -> None:
    key = SoftwareKey()
    evidence = AppAttestEvidence(key.key_id, _APPLE.enrolment(key, apple.context.challenge))
    finding = await apple.finding(evidence, sandbox=False)
    assert finding.failed
    assert finding.lasting_key is None


def _registration(device: Authenticator, binding: bytes) -> WebAuthnEvidence:
    words = client_data(binding, kind="webauthn.create")
    return WebAuthnEvidence(
        credential_id=device.credential_id,
        client_data_json=words,
        attestation_object=device.attestation(words, device.data(attested=True)),
        authenticator_data=b"",
        signature=b"",
    )


def _authentication(device: Authenticator, binding: bytes, count: int) -> WebAuthnEvidence:
    words, data = client_data(binding, kind="webauthn.get"), device.data(sign_count=count)
    return WebAuthnEvidence(
        credential_id=device.credential_id,
        client_data_json=words,
        attestation_object=b"",
        authenticator_data=data,
        signature=device.assertion(words, data),
    )


async def test_a_credential_is_registered_once_and_then_used(web: _Bench) -> None:
    device, binding = Authenticator(), web.context.challenge
    unknown = await web.reasons(_authentication(device, binding, 0))
    assert unknown == {"credential": "CREDENTIAL_NOT_ENROLLED"}
    made = await web.finding(_registration(device, binding))
    assert (made.failed, made.ceiling) == (False, Assurance.LOW)
    stranger = Authenticator()
    assert (await web.reasons(_registration(stranger, binding)))["credential"] == "USED_BEFORE"
    used = await web.finding(_authentication(device, binding, 5))
    assert (used.failed, used.lasting_key) == (False, made.lasting_key)
    assert (await web.reasons(_authentication(device, binding, 5)))["counter"] == "COUNTER_NOT_GREATER"


async def test_pages_need_a_site_in_the_settings(bench: _Bench) -> None:
    assert await bench.reasons(_registration(Authenticator(), bytes(32))) == {"origin": "NO_SITE"}
    assert await bench.reasons(WebCryptoEvidence(b"", b"", ORIGIN)) == {"origin": "NO_SITE"}


async def test_a_browsers_key_that_is_the_sessions_proves_nothing(web: _Bench) -> None:
    key = new_key("a page")
    evidence = WebCryptoEvidence(public_key_der(key.public_key()), b"", ORIGIN)
    reasons = await web.reasons(evidence, session_public_key=evidence.public_key)
    assert reasons["independent_key"] == "KEY_IS_SESSION_KEY"
    assert (await web.finding(evidence)).lasting_key is None


async def test_the_origin_of_the_stream_is_compared_with_the_pages(web: _Bench) -> None:
    evidence = WebCryptoEvidence(public_key_der(new_key("a page").public_key()), b"", ORIGIN)
    device, binding = Authenticator(), web.context.challenge
    await web.finding(_registration(device, binding))
    for header, expected in (
        (None, "ORIGIN_HEADER_ABSENT"),
        (ORIGIN, "ORIGIN_HEADER_MATCHES"),
        ("https://evil.example", "ORIGIN_HEADER_DIFFERS"),
    ):
        for made in (evidence, _registration(Authenticator(), binding), _authentication(device, binding, 9)):
            assert (await web.reasons(made, header_origin=header))["page"] == expected


async def test_rubbish_of_every_kind_is_a_finding(web: _Bench) -> None:
    junk = base64.b64decode(b"AAAA")
    for evidence in (
        AndroidKeyEvidence((junk, junk, junk), junk),
        AndroidKeyEvidence((), b""),
        AppAttestEvidence(bytes(32), junk),
        WebAuthnEvidence(
            credential_id=junk,
            client_data_json=junk,
            attestation_object=junk,
            authenticator_data=junk,
            signature=junk,
        ),
        WebCryptoEvidence(junk, junk, "o"),
    ):
        assert (await web.finding(evidence)).failed


async def test_unavailable_evidence_is_reported(bench: _Bench) -> None:
    assert await bench.reasons(EvidenceUnavailable("TIMED_OUT")) == {"evidence": "ATTESTATION_UNAVAILABLE"}
    assert await bench.reasons(UnknownEvidence()) == {"evidence": "EVIDENCE_UNKNOWN"}


# Google's decoder with a real HTTP server that plays Google's accounts and service.

_PACKAGE = "org.example.bank"
_PAYLOAD = {"requestDetails": {"requestPackageName": _PACKAGE, "timestampMillis": "1675655009345"}}


class _GooglePlayGoogle:
    """The answers of the server, and the requests that it received."""

    def __init__(self) -> None:
        self.status = 200
        self.body = json.dumps({"tokenPayloadExternal": _PAYLOAD}).encode()
        self.account_status = 200
        self.hold = threading.Event()
        self.hold.set()
        self.asked: list[tuple[str, str | None, bytes]] = []
        self.url = ""


@pytest.fixture
def google() -> Iterator[_GooglePlayGoogle]:
    state = _GooglePlayGoogle()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.asked.append((self.path, self.headers["Authorization"], body))
            state.hold.wait(5)
            if self.path == "/token":
                answer = json.dumps({"access_token": "access", "expires_in": 3600, "token_type": "Bearer"})
                self._answer(state.account_status, answer.encode())
            else:
                self._answer(state.status, state.body)

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{state.url}/elsewhere")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Ignore errors, because clients that give up are part of the tests."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield state
    state.hold.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def secret() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def account(google: _GooglePlayGoogle, secret: str, tmp_path: Path) -> Path:
    return private(
        tmp_path / "account.json",
        json.dumps(
            {
                "type": "service_account",
                "client_email": "facegate@example.iam.gserviceaccount.com",
                "private_key": secret,
                "private_key_id": "1",
                "token_uri": f"{google.url}/token",
            }
        ),
    )


@contextmanager
def _opened(
    google: _GooglePlayGoogle, account: Path, timeout_seconds: float = 60.0
) -> Iterator[GooglePlayDecoder]:
    decoder = GooglePlayDecoder(
        service_account_file=account, base_url=google.url, timeout_seconds=timeout_seconds
    )
    try:
        yield decoder
    finally:
        google.hold.set()
        decoder.close()


async def test_a_token_is_decoded_with_the_accounts_access_token(
    google: _GooglePlayGoogle, account: Path
) -> None:
    with _opened(google, account) as decoder:
        for _ in range(2):
            answer = await decoder.decode(package=_PACKAGE, token="a.token")
            assert parse_payload(answer).request.package == _PACKAGE
    paths = [path for path, _, _ in google.asked]
    assert paths[0] == "/token"
    assert set(paths[1:]) - {"/token"} == {f"/v1/{_PACKAGE}:decodeIntegrityToken"}
    grant = parse_qs(google.asked[0][2].decode())
    assert grant["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    _, authorization, body = google.asked[-1]
    assert authorization == "Bearer access"
    assert json.loads(body) == {"integrityToken": "a.token"}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, PlayTokenMalformed),
        (403, PlayDecoderUnavailable),
        (302, PlayDecoderUnavailable),
        (500, PlayDecoderUnavailable),
    ],
)
async def test_error_answers_of_google_are_errors(
    google: _GooglePlayGoogle, account: Path, status: int, error: type[Exception]
) -> None:
    google.status = status
    with _opened(google, account) as decoder, pytest.raises(error) as caught:
        await decoder.decode(package=_PACKAGE, token="a.token")
    assert "a.token" not in str(caught.value)
    assert "/elsewhere" not in {path for path, _, _ in google.asked}


async def test_an_account_that_google_does_not_know(google: _GooglePlayGoogle, account: Path) -> None:
    google.account_status = 403
    with _opened(google, account) as decoder, pytest.raises(PlayDecoderUnavailable):
        await decoder.decode(package=_PACKAGE, token="a.token")


async def test_an_answer_that_is_too_long(google: _GooglePlayGoogle, account: Path) -> None:
    google.body = b" " * 100_000
    with _opened(google, account) as decoder, pytest.raises(PlayDecoderUnavailable, match="more than"):
        await decoder.decode(package=_PACKAGE, token="a.token")


async def test_a_google_that_hangs(google: _GooglePlayGoogle, account: Path) -> None:
    google.hold.clear()
    with _opened(google, account, timeout_seconds=0.2) as decoder, pytest.raises(PlayDecoderUnavailable):
        await decoder.decode(package=_PACKAGE, token="a.token")


async def test_a_google_that_is_not_there(google: _GooglePlayGoogle, account: Path) -> None:
    decoder = GooglePlayDecoder(service_account_file=account, base_url="http://127.0.0.1:1")
    with pytest.raises(PlayDecoderUnavailable):
        await decoder.decode(package=_PACKAGE, token="a.token")
    decoder.close()


async def test_too_many_tokens_at_once_are_turned_away(google: _GooglePlayGoogle, account: Path) -> None:
    google.hold.clear()
    with _opened(google, account) as decoder:
        waiting = [asyncio.create_task(decoder.decode(package=_PACKAGE, token="a.token")) for _ in range(64)]
        await asyncio.sleep(0)
        with pytest.raises(PlayDecoderUnavailable, match="too many"):
            await decoder.decode(package=_PACKAGE, token="a.token")
        google.hold.set()
        assert len(await asyncio.gather(*waiting)) == 64


@pytest.mark.parametrize(
    ("package", "token"),
    [
        ("", "a"),
        ("org.example/../bank", "a"),
        ("org." + "a" * 300, "a"),
        (_PACKAGE, ""),
        (_PACKAGE, "é"),
        (_PACKAGE, "a" * 70_000),
    ],
)
async def test_malformed_tokens_are_not_sent_to_google(
    google: _GooglePlayGoogle, account: Path, package: str, token: str
) -> None:
    with _opened(google, account) as decoder, pytest.raises(PlayTokenMalformed):
        await decoder.decode(package=package, token=token)
    assert google.asked == []


@pytest.mark.parametrize("text", ["", "[]", "1", "{}", '{"type": "service_account"}', "[" * 100_000])
@pytest.mark.usefixtures("without_collection")
def test_a_file_that_is_no_account(tmp_path: Path, text: str) -> None:
    file = private(tmp_path / "account.json", text)
    with pytest.raises(ConfigurationError, match="service account"):
        GooglePlayDecoder(service_account_file=file)
    with pytest.raises(ConfigurationError):
        GooglePlayDecoder(service_account_file=tmp_path / "nothing")

"""Apple's receipts, with a real database and a real HTTP server that plays Apple."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from facegate.v1 import result_pb2, scan_pb2

from device_integrity.apple import Environment, ReceiptKind, parse_receipt
from device_integrity.device_test import DeviceFinding
from device_integrity.errors import ReceiptExchangeUnavailable
from lab.simulator.phone import SimulatedPhone
from server.base.errors import ConfigurationError
from server.base.worker_pool import WorkerPool
from server.configuration.device import DeviceIntegritySettings
from server.device.apple_receipts import AppleReceiptExchange
from server.device.evidence import (
    AppAttestAssertionEvidence,
    AppAttestEvidence,
    EvidenceContext,
    EvidenceFinding,
)
from server.device.revocation import RevocationFile
from server.device.trust import open_device_trust
from server.device.verification import DeviceVerifier
from server.keyring.keys import MemoryKey
from server.running.assembly import Tuning
from server.storage.database import open_database
from server.storage.devices import DeviceRepository, HeldReceipt
from server.storage.records import KeyKind
from server.storage.repository import CheckRepository
from tests.device_integrity.apple import apple_in_software as apples
from tests.device_integrity.apple.apple_in_software import APP, NOW, SoftwareApple, SoftwareKey
from tests.ports import held_port
from tests.server.databases import make_tables
from tests.server.device.devices import (
    APPLE,
    IPHONE,
    KEY_ID,
    TEAM_ID,
    AppleAttestor,
    ReceiptServer,
    at_time,
    believing_server,
    playing_apple,
    scan,
    write_key,
)
from tests.server.flash_phone import phone
from tests.server.live import FAST, LiveServer
from tests.server.private_files import private
from tests.server.storage.samples import new_check

# Receipts with a real database and a real HTTP server that plays Apple.

_APPLE = SoftwareApple()
_BINDING = bytes(range(32))
_RISK, _EXCHANGE = "app_attest_receipt.risk", "app_attest_receipt.exchange"


class _Bench:
    """A verifier, an iPhone, and a server that plays Apple."""

    def __init__(
        self, devices: DeviceRepository, pool: WorkerPool, context: EvidenceContext, folder: Path
    ) -> None:
        self.now = NOW
        self.key = SoftwareKey()
        self.counter = 0
        self.devices = devices
        self._pool, self.context, self._folder = pool, context, folder
        self._trust = replace(
            open_device_trust(DeviceIntegritySettings(), now=lambda: self.now),
            test_apple=_APPLE.anchors,
            apple_app_ids=frozenset([APP]),
        )

    def ask(self, apple: ReceiptServer) -> None:
        """Exchange receipts with Apple from now on."""
        exchange = AppleReceiptExchange(
            key_file=write_key(apple, self._folder),
            key_id=KEY_ID,
            team_id=TEAM_ID,
            now=lambda: self.now,
        )
        self._trust = replace(self._trust, receipt_exchange=exchange)

    @property
    def _verifier(self) -> DeviceVerifier:
        return DeviceVerifier(
            trust=self._trust,
            revocation=RevocationFile(None),
            devices=self.devices,
            workers=self._pool,
            tenant_key=lambda _tenant: bytes(32),
            hash_subject=MemoryKey(bytes(32)).subject_hash,
            now=lambda: self.now,
        )

    async def enrol(self, receipt: bytes | None = None) -> EvidenceFinding:
        if receipt is None:
            receipt = _APPLE.receipt(self.key, app_id=APP, made=self.now, client_data_hash=_BINDING)
        made = _APPLE.attestation(self.key, _BINDING, receipt=receipt)
        return await self._verifier.verify(AppAttestEvidence(self.key.key_id, made), self.context)

    async def scan(self) -> EvidenceFinding:
        self.counter += 1
        made = self.key.assertion(_BINDING, counter=self.counter)
        return await self._verifier.verify(AppAttestAssertionEvidence(self.key.key_id, made), self.context)

    async def held(self) -> HeldReceipt | None:
        key = await self.devices.find_key("default", KeyKind.APP_ATTEST, self.key.key_id)
        assert key is not None
        return key.receipt


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[_Bench]:
    url = f"sqlite:///{tmp_path / 'checks.db'}"
    await make_tables(url)
    database, pool = open_database(url), WorkerPool(workers=1)
    check = await CheckRepository(database).create(new_check(), None)
    context = EvidenceContext(
        check_id=check.check_id,
        scope="default",
        subject="anna",
        challenge=_BINDING,
        session_public_key=b"",
        app_id="",
        sandbox=True,
    )
    yield _Bench(DeviceRepository(database), pool, context, tmp_path)
    pool.close()
    await database.close()


@pytest_asyncio.fixture
async def apple(bench: _Bench) -> AsyncIterator[ReceiptServer]:
    async with playing_apple(_APPLE, lambda: bench.now) as server:
        server.know(bench.key)
        yield server


def _reasons(finding: EvidenceFinding) -> dict[str, str]:
    """Return the reasons of the receipt tests; assert that each test occurs once."""
    found = [check for check in finding.checks if check.name.startswith("app_attest_receipt.")]
    assert len({check.name for check in found}) == len(found)
    return {check.name: check.reason for check in found}


def _failed(finding: EvidenceFinding) -> list[str]:
    return [check.name for check in finding.checks if check.outcome is DeviceFinding.FAIL]


async def test_the_first_receipt_is_verified_and_kept(bench: _Bench) -> None:
    first = await bench.enrol()
    assert _failed(first) == []
    assert len(_reasons(first)) == 9
    assert _reasons(first)[_RISK] == "RISK_NOT_STATED"
    held = await bench.held()
    assert held is not None
    assert (held.time, held.due) == (NOW, NOW)
    # No exchange is possible because the settings name no key; later scans report so and are no worse.
    later = await bench.scan()
    assert (_failed(later), _reasons(later)) == ([], {_RISK: "RISK_NOT_STATED"})


async def test_a_receipt_of_another_key_or_scan_shows_that_it_was_put_there(bench: _Bench) -> None:
    stolen = _APPLE.receipt(SoftwareKey(), app_id=APP, made=NOW, client_data_hash=_BINDING)
    finding = await bench.enrol(stolen)
    assert _failed(finding) == ["app_attest_receipt.key"]
    assert finding.failed
    assert await bench.held() is None
    assert _reasons(await bench.scan()) == {_RISK: "RECEIPT_MISSING"}
    bench.key = SoftwareKey()
    other_scan = _APPLE.receipt(bench.key, app_id=APP, made=NOW, client_data_hash=bytes(32))
    assert _failed(await bench.enrol(other_scan)) == ["app_attest_receipt.challenge"]


async def test_a_malformed_receipt_does_not_prevent_enrolment(bench: _Bench) -> None:
    finding = await bench.enrol(b"receipt")
    assert _failed(finding) == ["app_attest_receipt.format"]
    assert finding.lasting_key is not None


async def test_apple_is_asked_at_once_and_then_once_a_day(bench: _Bench, apple: ReceiptServer) -> None:
    bench.ask(apple)
    apple.risk_metric = 2
    assert _reasons(await bench.enrol())[_RISK] == "RISK_LOW"
    held = await bench.held()
    assert held is not None
    assert parse_receipt(held.data).receipt.risk_metric == 2
    assert held.due == NOW + timedelta(days=1)

    apple.risk_metric = 40
    bench.now = NOW + timedelta(hours=23)
    assert _reasons(await bench.scan()) == {_RISK: "RISK_LOW"}
    assert len(apple.asked) == 1
    bench.now = NOW + timedelta(days=1)
    risky = await bench.scan()
    (doubt,) = (check for check in risky.checks if check.name == _RISK)
    assert (doubt.reason, doubt.soft) == ("RISK_HIGH", True)
    assert "about 40 keys" in doubt.detail
    assert len(apple.asked) == 2


async def test_of_two_scans_at_once_one_asks(bench: _Bench, apple: ReceiptServer) -> None:
    await bench.enrol()
    bench.ask(apple)
    key = await bench.devices.find_key("default", KeyKind.APP_ATTEST, bench.key.key_id)
    assert key is not None
    until = bench.now + timedelta(hours=1)
    won = await asyncio.gather(
        *(bench.devices.claim_exchange(key, now=bench.now, until=until) for _ in range(4))
    )
    assert sorted(won) == [False, False, False, True]
    assert _reasons(await bench.scan()) == {_RISK: "RISK_NOT_STATED"}
    assert apple.asked == []


async def test_an_apple_that_does_not_answer_is_asked_again_after_an_hour(
    bench: _Bench, apple: ReceiptServer
) -> None:
    bench.ask(apple)
    apple.status = 404
    first = await bench.enrol()
    assert _failed(first) == []
    assert _reasons(first)[_EXCHANGE] == "EXCHANGE_UNAVAILABLE"
    apple.status = 200
    bench.now = NOW + timedelta(minutes=59)
    assert _reasons(await bench.scan()) == {_RISK: "RISK_NOT_STATED"}
    bench.now = NOW + timedelta(hours=1)
    assert _reasons(await bench.scan()) == {_RISK: "RISK_LOW"}
    assert len(apple.asked) == 2


async def test_an_answer_for_another_key_is_not_taken(bench: _Bench, apple: ReceiptServer) -> None:
    bench.ask(apple)
    apple.keys[bench.key.public_key] = SoftwareKey()
    finding = await bench.enrol()
    assert _failed(finding) == []
    (reported,) = (check for check in finding.checks if check.name == _EXCHANGE)
    assert "KEY_MISMATCH" in reported.detail
    held = await bench.held()
    assert held is not None
    assert parse_receipt(held.data).receipt.risk_metric is None


async def test_an_old_metric_is_ignored_and_an_expired_receipt_is_not_exchanged(
    bench: _Bench, apple: ReceiptServer
) -> None:
    bench.ask(apple)
    apple.risk_metric = 40
    await bench.enrol()
    apple.status = 404
    bench.now = NOW + timedelta(days=31)
    assert _reasons(await bench.scan()) == {_RISK: "RISK_OUT_OF_DATE", _EXCHANGE: "EXCHANGE_UNAVAILABLE"}
    bench.now = NOW + timedelta(days=91)
    assert _reasons(await bench.scan()) == {_RISK: "RISK_OUT_OF_DATE"}
    assert len(apple.asked) == 2


# The exchange of receipts with a real HTTP server that plays Apple.

_EXCHANGE_APPLE, _KEY = SoftwareApple(), SoftwareKey()
_FIRST = _EXCHANGE_APPLE.receipt(_KEY, app_id=APP, made=NOW, client_data_hash=bytes(32))
_ENVIRONMENT = Environment.PRODUCTION


@pytest_asyncio.fixture
async def exchange_apple() -> AsyncIterator[ReceiptServer]:
    async with playing_apple(_EXCHANGE_APPLE, lambda: NOW) as server:
        server.know(_KEY)
        yield server


def _opened(apple: ReceiptServer, folder: Path, timeout_seconds: float = 60.0) -> AppleReceiptExchange:
    return AppleReceiptExchange(
        key_file=write_key(apple, folder),
        key_id=KEY_ID,
        team_id=TEAM_ID,
        now=lambda: NOW,
        timeout_seconds=timeout_seconds,
    )


async def test_a_receipt_is_exchanged_with_the_teams_token(
    exchange_apple: ReceiptServer, tmp_path: Path
) -> None:
    exchange_apple.risk_metric = 4
    answer = await _opened(exchange_apple, tmp_path).exchange(_FIRST, environment=_ENVIRONMENT)
    assert exchange_apple.asked == [base64.b64encode(_FIRST)]
    parsed = parse_receipt(answer).receipt
    assert (parsed.kind, parsed.risk_metric, parsed.public_key) == (ReceiptKind.RECEIPT, 4, _KEY.public_key)


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_a_refusal_by_apple_is_reported(
    exchange_apple: ReceiptServer, tmp_path: Path, status: int
) -> None:
    exchange_apple.status = status
    with pytest.raises(ReceiptExchangeUnavailable, match=f"status {status}: "):
        await _opened(exchange_apple, tmp_path).exchange(_FIRST, environment=_ENVIRONMENT)
    assert len(exchange_apple.asked) == 1


@pytest.mark.parametrize(
    ("body", "expected"), [(b"<html>", "not base64"), (b"A" * 70_000, "more than 65536 bytes")]
)
async def test_an_answer_that_is_no_receipt(
    exchange_apple: ReceiptServer, tmp_path: Path, body: bytes, expected: str
) -> None:
    exchange_apple.body = body
    with pytest.raises(ReceiptExchangeUnavailable, match=expected):
        await _opened(exchange_apple, tmp_path).exchange(_FIRST, environment=_ENVIRONMENT)


async def test_a_server_that_keeps_silent_is_not_waited_for(tmp_path: Path) -> None:
    async def keep_silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await released.wait()
        finally:
            writer.close()

    released = asyncio.Event()
    silent = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    host, port = silent.sockets[0].getsockname()
    async with playing_apple(_EXCHANGE_APPLE, lambda: NOW, at=f"http://{host}:{port}") as apple:
        with pytest.raises(ReceiptExchangeUnavailable, match="in time"):
            await _opened(apple, tmp_path, 0.2).exchange(_FIRST, environment=_ENVIRONMENT)
    released.set()
    silent.close()
    await silent.wait_closed()


async def test_a_server_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with held_port() as port:
        async with playing_apple(_EXCHANGE_APPLE, lambda: NOW, at=f"http://127.0.0.1:{port}") as apple:
            with pytest.raises(ReceiptExchangeUnavailable, match="cannot be reached"):
                await _opened(apple, tmp_path).exchange(_FIRST, environment=_ENVIRONMENT)


def _pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    "content",
    [
        b"hunter2",
        b"",
        _pem(ec.generate_private_key(ec.SECP384R1())),
        _pem(ed25519.Ed25519PrivateKey.generate()),
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ],
    ids=["text", "empty", "P-384", "Ed25519", "public"],
)
def test_a_file_that_is_no_key_for_devicecheck(tmp_path: Path, content: bytes) -> None:
    file = private(tmp_path / "AuthKey.p8", content)
    with pytest.raises(ConfigurationError, match=r"AuthKey\.p8: not a") as caught:
        AppleReceiptExchange(key_file=file, key_id=KEY_ID, team_id=TEAM_ID, now=lambda: NOW)
    assert "hunter2" not in str(caught.value)


# Whole scans of an iPhone on a real server that exchanges its receipts.

_SUCCESS, _FAILURE = scan_pb2.SCAN_STATUS_SUCCESS, scan_pb2.SCAN_STATUS_FAILURE
_MEDIUM = result_pb2.DEVICE_ASSURANCE_MEDIUM


@asynccontextmanager
async def _asking(
    folder: Path, *, tuning: Tuning = FAST
) -> AsyncIterator[tuple[LiveServer, ReceiptServer, AppleAttestor]]:
    """A server at the time of the test Apple, which it uses, and an iPhone."""
    attestor = AppleAttestor()
    async with (
        playing_apple(APPLE, lambda: apples.NOW) as apple,
        believing_server(folder, tuning=tuning, receipts=apple) as live,
    ):
        at_time(live, apples.NOW)
        apple.now = live.clock
        apple.know(attestor.key)
        yield live, apple, attestor


async def _scanned(
    live: LiveServer, attestor: AppleAttestor, policy: str, flash: SimulatedPhone | None = None
) -> tuple[int, result_pb2.CheckResult, dict[str, result_pb2.DeviceCheck]]:
    upload = await live.upload(policy=policy, subject_reference="anna")
    outcome = await scan(live, upload, IPHONE, attestor, flash=flash)
    result = (await live.finish(upload.check_id)).result
    return outcome.status, result, {check.name: check for check in result.device.checks}


async def test_a_scan_reports_the_number_of_keys_of_the_device_where_the_policy_asks(tmp_path: Path) -> None:
    async with _asking(tmp_path) as (live, apple, attestor):
        status, _, _ = await _scanned(live, AppleAttestor(), "without-apple")
        assert (status, apple.asked) == (_SUCCESS, [])
        status, _, found = await _scanned(live, attestor, "hardware")
        assert (status, found["app_attest_receipt.risk"].reason) == (_SUCCESS, "RISK_LOW")
        assert found["app_attest_receipt.challenge"].reason == "CHALLENGE_MATCHES"

        at_time(live, apples.NOW + timedelta(days=1, minutes=5))
        apple.risk_metric = 40
        status, result, found = await _scanned(live, attestor, "hardware")
        assert (status, found["app_attest_receipt.risk"].reason) == (_SUCCESS, "RISK_HIGH")
        assert result.device.assurance == _MEDIUM
        assert len(apple.asked) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("risk_metric", "expected"), [(1, _SUCCESS), (40, _FAILURE)])
async def test_a_device_of_many_keys_does_not_reach_high(
    tmp_path: Path, risk_metric: int, expected: int
) -> None:
    async with _asking(tmp_path, tuning=Tuning()) as (live, apple, attestor):
        apple.risk_metric = risk_metric
        status, result, _ = await _scanned(live, attestor, "highest", phone(live.world))
        assert status == expected
        assert (result.device.assurance == _MEDIUM) is (expected == _FAILURE)
        if expected == _FAILURE:
            assert result.reasons == [result_pb2.FAILURE_REASON_DEVICE_NOT_TRUSTED]

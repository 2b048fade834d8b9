"""Receipts with a real database and a real HTTP server that plays Apple."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest_asyncio

from device_integrity.apple import parse_receipt
from device_integrity.check import DeviceFinding
from server.base.worker_pool import WorkerPool
from server.configuration.device import DeviceIntegritySettings
from server.device.apple_receipts import open_apple_receipt_exchange
from server.device.enrolled_keys import EnrolledKeyVerifier
from server.device.evidence import (
    AppAttestAssertionEvidence,
    AppAttestEvidence,
    EvidenceContext,
    EvidenceFinding,
)
from server.device.trust import open_device_trust
from server.keyring.keys import MemoryKey
from server.storage.database import open_database
from server.storage.devices import DeviceRepository, HeldReceipt, KeyKind
from server.storage.repository import CheckRepository
from tests.device_integrity.apple.apple_in_software import APP, NOW, SoftwareApple, SoftwareKey
from tests.server.databases import make_tables
from tests.server.device.receipt_server import KEY_ID, TEAM_ID, ReceiptServer, playing_apple, write_key
from tests.server.storage.samples import new_check

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
        """Exchanges receipts with Apple from now on."""
        exchange = open_apple_receipt_exchange(
            key_file=write_key(apple, self._folder),
            key_id=KEY_ID,
            team_id=TEAM_ID,
            now=lambda: self.now,
            server=apple.url,
        )
        self._trust = replace(self._trust, test_receipt_exchange=exchange)

    @property
    def _verifier(self) -> EnrolledKeyVerifier:
        return EnrolledKeyVerifier(
            trust=self._trust,
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
        return await self._verifier.app_attest(AppAttestEvidence(self.key.key_id, made), self.context)

    async def scan(self) -> EvidenceFinding:
        self.counter += 1
        made = self.key.assertion(_BINDING, counter=self.counter)
        return await self._verifier.assertion(AppAttestAssertionEvidence(self.key.key_id, made), self.context)

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
    """Returns the reasons of the receipt tests; asserts that each test occurs once."""
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


async def test_apple_is_not_asked_if_the_policy_ignores_the_receipt(
    bench: _Bench, apple: ReceiptServer
) -> None:
    bench.ask(apple)
    bench.context = replace(bench.context, asks_apple=False)
    assert _reasons(await bench.enrol())[_RISK] == "RISK_NOT_STATED"
    assert not apple.asked


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

"""The device's tests of the server's challenge before it sends a frame."""

from collections.abc import Callable

import pytest
from facegate.v1 import scan_pb2

from facegate_client import (
    ProtocolViolatedError,
    ScanTicket,
    ServerNotTrustedError,
)
from tests.client.conftest import Scanning
from tests.client.fake_server import FakeServer
from tests.client.stream_plan import StreamPlan


@pytest.mark.parametrize(
    "plan", [StreamPlan(other_key=True), StreamPlan(bad_signature=True)], ids=["key", "signature"]
)
async def test_untrusted_challenge_gets_no_frame(scanning: Scanning, plan: StreamPlan) -> None:
    fake = FakeServer(plan)
    async with scanning(fake) as scanner:
        with pytest.raises(ServerNotTrustedError):
            await scanner.scan()
    assert fake.frames == []
    assert fake.attestations == []


async def test_wrong_pin_refuses_the_genuine_server(scanning: Scanning) -> None:
    fake = FakeServer()
    ticket = ScanTicket(token=fake.token, challenge_key_sha256=bytes(32))
    async with scanning(fake, ticket=ticket) as scanner:
        with pytest.raises(ServerNotTrustedError, match="pinned"):
            await scanner.scan()


def _other_version(body: scan_pb2.ChallengeBody) -> None:
    body.protocol_version = 2


def _short_nonce(body: scan_pb2.ChallengeBody) -> None:
    body.nonce = bytes(31)


def _small_order_share(body: scan_pb2.ChallengeBody) -> None:
    body.key_share = bytes(32)


@pytest.mark.parametrize("change", [_other_version, _short_nonce, _small_order_share])
async def test_unusable_challenge_is_a_violation(
    scanning: Scanning, change: Callable[[scan_pb2.ChallengeBody], None]
) -> None:
    async with scanning(FakeServer(StreamPlan(body_changes=change))) as scanner:
        with pytest.raises(ProtocolViolatedError):
            await scanner.scan()


async def test_first_message_must_be_the_challenge(scanning: Scanning) -> None:
    first = scan_pb2.ScanFaceResponse(credit=scan_pb2.Credit(frames=1))
    async with scanning(FakeServer(StreamPlan(first=first))) as scanner:
        with pytest.raises(ProtocolViolatedError, match="not a Challenge"):
            await scanner.scan()


async def test_flash_that_was_not_announced_is_a_violation(scanning: Scanning) -> None:
    async with scanning(FakeServer(StreamPlan(plan=scan_pb2.PLAN_FLASH))) as scanner:
        with pytest.raises(ProtocolViolatedError, match="PLAN_FLASH"):
            await scanner.scan()

"""Connections that really break during a scan."""

import pytest
from facegate.v1 import scan_pb2

from facegate_client import FaceScanner, ScanEvents, ScanTicket, generated_source, open_channel
from tests.client.conftest import FAST, pictures
from tests.client.cut_proxy import CutProxy, cutting
from tests.client.fake_server import FakeServer, serving
from tests.client.stream_plan import StreamPlan


class _CutAt(ScanEvents):
    """Cuts the connection after each frame with one of these numbers in the scan."""

    def __init__(self, proxy: CutProxy, *frames: int) -> None:
        self._proxy, self._frames, self._sent = proxy, frames, 0
        self.losses = 0

    def frame_sent(self, attempt: int, index: int, size: int) -> None:
        self._sent += 1
        if self._sent in self._frames:
            self._proxy.cut()

    def connection_lost(self, reconnect: int, wait_s: float, cause: str) -> None:
        self.losses += 1


class _CutAfterEnd(ScanEvents):
    """Cuts the connection once, right after the first AttemptEnd."""

    def __init__(self, proxy: CutProxy) -> None:
        self._proxy, self._cut = proxy, False

    def capture_finished(self, attempt: int, frames: int, dropped: int) -> None:
        if not self._cut:
            self._cut = True
            self._proxy.cut()


@pytest.mark.parametrize("cuts", [(3,), (1, 4, 8)])
async def test_scan_survives_a_cut_connection(cuts: tuple[int, ...]) -> None:
    fake = FakeServer(StreamPlan(frames_wanted=10))
    async with (
        serving(fake) as target,
        cutting(target) as (proxy, through),
        open_channel(through) as channel,
    ):
        events = _CutAt(proxy, *cuts)
        scanner = FaceScanner(
            channel=channel,
            ticket=ScanTicket(token=fake.token, challenge_key_sha256=fake.challenge_key_sha256),
            source=generated_source(pictures(80), pace="fast"),
            events=events,
            settings=FAST,
        )
        outcome = await scanner.scan()
    assert fake.violations == []
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert outcome.streams == len(cuts) + 1 == fake.resume_proofs + 1
    assert events.losses >= len(cuts)
    assert proxy.connections >= len(cuts) + 1


async def test_scan_survives_a_cut_while_the_server_decides() -> None:
    slow = StreamPlan(frames_wanted=4, decide_s=0.3)
    fake = FakeServer(slow, StreamPlan(frames_wanted=4))
    async with (
        serving(fake) as target,
        cutting(target) as (proxy, through),
        open_channel(through) as channel,
    ):
        scanner = FaceScanner(
            channel=channel,
            ticket=ScanTicket(token=fake.token, challenge_key_sha256=fake.challenge_key_sha256),
            source=generated_source(pictures(80), pace="fast"),
            events=_CutAfterEnd(proxy),
            settings=FAST,
        )
        outcome = await scanner.scan()
    assert fake.violations == []
    assert (outcome.status, outcome.streams) == (scan_pb2.SCAN_STATUS_SUCCESS, 2)

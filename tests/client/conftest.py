"""Frames and scanners for the client's tests."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import numpy as np
import pytest

from facegate_client import (
    FaceScanner,
    GetReady,
    Pixels,
    ReconnectPolicy,
    ScanEvents,
    ScanSettings,
    ScanTicket,
    generated_source,
    open_channel,
)
from facegate_client.frame_source import Pace
from tests.client.fake_server import FakeServer, serving

FAST = ScanSettings(
    max_field=64,
    handshake_timeout_s=60.0,
    result_timeout_s=60.0,
    reconnect=ReconnectPolicy(initial_s=0.01, cap_s=0.02),
)


def pictures(count: int, *, fps: float = 25.0) -> list[tuple[Pixels | bytes, float]]:
    """``count`` small, distinct frames at ``fps``."""
    rng = np.random.default_rng(7)
    return [(rng.integers(0, 255, (48, 32, 3), dtype=np.uint8), index / fps) for index in range(count)]


Scanning = Callable[..., AbstractAsyncContextManager[FaceScanner]]


@pytest.fixture
def scanning() -> Scanning:
    """Serve a `FakeServer` and yield a scanner that is connected to it."""

    @asynccontextmanager
    async def _scanning(
        fake: FakeServer,
        *,
        frames: int = 12,
        pace: Pace = "fast",
        events: ScanEvents | None = None,
        settings: ScanSettings = FAST,
        ticket: ScanTicket | None = None,
        get_ready: GetReady | None = None,
    ) -> AsyncIterator[FaceScanner]:
        async with serving(fake) as target, open_channel(target) as channel:
            yield FaceScanner(
                channel=channel,
                ticket=ticket or ScanTicket(token=fake.token, challenge_key_sha256=fake.challenge_key_sha256),
                source=generated_source(pictures(frames), pace=pace),
                get_ready=get_ready,
                events=events,
                settings=settings,
            )

    return _scanning

"""A device and what is around it: frames, a screen, a recorder of events, a connection that is cut."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from facegate.v1 import device_pb2, feedback_pb2, scan_pb2

from facegate_client import (
    DisplayedStep,
    FaceScanner,
    Pixels,
    ReconnectPolicy,
    ScanEvents,
    ScanOutcome,
    ScanSettings,
    TlsSettings,
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


@contextlib.asynccontextmanager
async def scanning(
    fake: FakeServer,
    *,
    target: str | None = None,
    tls: TlsSettings | None = None,
    frames: int = 12,
    fps: float = 25.0,
    pace: Pace = "fast",
    **options: Any,
) -> AsyncIterator[FaceScanner]:
    """A scanner that is connected to ``fake``, at its own address or at ``target``."""
    given: dict[str, Any] = {
        "ticket": fake.ticket,
        "source": generated_source(pictures(frames, fps=fps), pace=pace),
        "settings": FAST,
    }
    async with (
        contextlib.nullcontext(target) if target else serving(fake) as at,
        open_channel(at, tls=tls) as channel,
    ):
        yield FaceScanner(channel=channel, **given | options)


async def scanned(fake: FakeServer, **options: Any) -> ScanOutcome:
    """The outcome of a scan that kept the protocol."""
    async with scanning(fake, **options) as scanner:
        outcome = await scanner.scan()
    assert fake.violations == []
    return outcome


# A screen that records its steps, and shows them after a fixed delay.

_DELAY_US = 5_000


class FakeScreen:
    """Implements `facegate_client.FlashScreen` over the monotonic clock, as recordings in real time do.

    Attributes:
        received: Number of each step and the loop's time at which it came; 0 for "back to normal".
    """

    def __init__(self, *, oval: bool = True, read: bool = False) -> None:
        self._oval = oval
        self._read = read
        self._shown: list[DisplayedStep] = []
        self.received: list[tuple[int, float]] = []
        self.ovals: list[scan_pb2.OvalChange] = []
        self.hints: list[feedback_pb2.Feedback] = []

    @property
    def profile(self) -> device_pb2.ScreenProfile:
        return device_pb2.ScreenProfile(width=1080, height=2340, brightness=1.0)

    @property
    def capabilities(self) -> tuple[scan_pb2.Capability.ValueType, ...]:
        drawn = (scan_pb2.CAPABILITY_OVAL_CHANGE,) if self._oval else ()
        gestures = scan_pb2.CAPABILITY_OPEN_MOUTH, scan_pb2.CAPABILITY_TURN_HEAD
        return (*drawn, *gestures) if self._read else drawn

    def show_step(self, step: scan_pb2.FlashStep) -> None:
        self._tell(step.step)

    def show_oval(self, change: scan_pb2.OvalChange) -> None:
        self.ovals.append(change)

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        self.hints.append(feedback)

    def restore(self) -> None:
        if self.received and self.received[-1][0]:
            self._tell(0)

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        shown = [step for step in self._shown if step.since_us <= capture_time_us]
        return shown[-1] if shown and shown[-1].number else DisplayedStep()

    def _tell(self, number: int) -> None:
        self.received.append((number, asyncio.get_running_loop().time()))
        self._shown.append(DisplayedStep(number, time.monotonic_ns() // 1000 + _DELAY_US))


class Recorder(ScanEvents):
    """Records the events of a scan."""

    def __init__(self) -> None:
        self.hints: list[int] = []
        self.losses: list[str] = []
        self.waits: list[tuple[int, float]] = []
        self.lost = asyncio.Event()
        self.finished: list[int] = []
        self.pauses: list[bool] = []
        self.sent = 0

    def feedback(self, feedback: feedback_pb2.Feedback) -> None:
        self.hints.append(feedback.code)

    def connection_lost(self, reconnect: int, wait_s: float, cause: str) -> None:
        self.losses.append(cause)
        self.waits.append((reconnect, wait_s))
        self.lost.set()

    def attempt_finished(self, result: scan_pb2.ScanResult) -> None:
        self.finished.append(result.attempt)

    def paused(self, pause: scan_pb2.CapturePause) -> None:
        self.pauses.append(pause.paused)

    def frame_sent(self, attempt: int, index: int, size: int) -> None:
        self.sent += 1


# A TCP proxy that can cut its connections, as a network does, start them slowly, or delay them.


class CutProxy:
    """Forwards connections to a target until they are cut.

    Args:
        target: ``host:port``.
        silent_s: Seconds in which a new connection receives nothing.
        delay_s: Delay in each direction, seconds: half of the added round-trip time.
    """

    def __init__(self, target: str, *, silent_s: float = 0.0, delay_s: float = 0.0) -> None:
        host, _, port = target.rpartition(":")
        self._silent_s = silent_s
        self._delay_s = delay_s
        self._target = (host, int(port))
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[object]] = set()
        self.connections = 0

    def cut(self) -> None:
        """Reset every open connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        """Cut all connections and wait until they are closed."""
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        if task := asyncio.current_task():
            self._tasks.add(task)
        both = {writer}
        self._writers.add(writer)
        try:
            await asyncio.sleep(self._silent_s)
            remote_reader, remote_writer = await asyncio.open_connection(*self._target)
            both.add(remote_writer)
            self._writers.add(remote_writer)
            await asyncio.gather(
                _carry(reader, remote_writer, delay_s=self._delay_s),
                _carry(remote_reader, writer, delay_s=self._delay_s),
            )
        finally:
            self._writers -= both
            for one in both:
                one.transport.abort()


@contextlib.asynccontextmanager
async def cutting(
    target: str, *, silent_s: float = 0.0, delay_s: float = 0.0
) -> AsyncIterator[tuple[CutProxy, str]]:
    """A proxy to ``target`` on a free port of loopback, with its ``host:port``."""
    proxy = CutProxy(target, silent_s=silent_s, delay_s=delay_s)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield proxy, f"127.0.0.1:{port}"
    finally:
        server.close()
        await proxy.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, delay_s: float) -> None:
    """Forward data ``delay_s`` later, at the same rate. End the writer's side at the end of the data."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    arrivals = asyncio.create_task(_arrive(under_way, writer))
    try:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536):
                under_way.put_nowait((loop.time() + delay_s, chunk))
        under_way.put_nowait((loop.time() + delay_s, b""))
        await arrivals
    finally:
        arrivals.cancel()


async def _arrive(under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while True:
            due, chunk = await under_way.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not chunk:
                break
            writer.write(chunk)
            await writer.drain()
        # The other direction may still be active.
        writer.write_eof()

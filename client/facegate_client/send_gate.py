"""When the device may send: credit, pauses, and the end of an attempt."""

import asyncio

from facegate.v1 import scan_pb2

__all__ = ["SendGate", "StopSignal"]


class StopSignal:
    """Says once why an attempt is to end; the first cause stays."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._cause = scan_pb2.AttemptEndBody.CAUSE_UNSPECIFIED

    @property
    def cause(self) -> scan_pb2.AttemptEndBody.Cause.ValueType:
        """Why; CAUSE_UNSPECIFIED where nothing was said yet or the stream is over."""
        return self._cause

    @property
    def is_set(self) -> bool:
        """Whether the attempt is to end."""
        return self._event.is_set()

    def set(self, cause: scan_pb2.AttemptEndBody.Cause.ValueType) -> None:
        """Ends the attempt, if nothing ended it before."""
        if not self._event.is_set():
            self._cause = cause
            self._event.set()

    async def wait(self) -> None:
        """Waits for the end."""
        await self._event.wait()


class SendGate:
    """The device's side of the credit ledger.

    Sending beyond the credit is an error of the protocol, so the gate counts down before each frame.
    """

    def __init__(self, credit: scan_pb2.Credit) -> None:
        """Opens with the credit of an AttemptStart, which replaces whatever was left."""
        self._frames = credit.frames
        self._bytes = credit.bytes
        self._paused = False
        self._changed = asyncio.Event()

    @property
    def paused(self) -> bool:
        """Whether the server asked to hold frames back."""
        return self._paused

    def add(self, credit: scan_pb2.Credit) -> None:
        """Adds the room of a Credit message."""
        self._frames += credit.frames
        self._bytes += credit.bytes
        self._changed.set()

    def pause(self, paused: bool) -> None:
        """Holds frames back, or lets them go on."""
        self._paused = paused
        self._changed.set()

    def has_room(self, size: int = 1) -> bool:
        """Whether a frame of ``size`` bytes may be sent now."""
        return not self._paused and self._frames >= 1 and self._bytes >= size

    def take(self, size: int) -> bool:
        """Takes the room for a frame of ``size`` bytes; False where there is none."""
        if not self.has_room(size):
            return False
        self._frames -= 1
        self._bytes -= size
        return True

    async def wait_for_room(self, size: int, stop: StopSignal) -> bool:
        """Waits until a frame of ``size`` bytes may be sent; False where the attempt ended before."""
        while not stop.is_set and not self.has_room(size):
            self._changed.clear()
            stopped = asyncio.ensure_future(stop.wait())
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait({stopped, changed}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped.cancel()
                changed.cancel()
        return not stop.is_set

"""Controls when the device may send: credit, pauses, and the end of an attempt."""

import asyncio

from facegate.v1 import scan_pb2

__all__ = ["SendGate", "StopSignal"]


class StopSignal:
    """Signals the end of an attempt with its cause. Only the first cause counts."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._cause = scan_pb2.AttemptEndBody.CAUSE_UNSPECIFIED

    @property
    def cause(self) -> scan_pb2.AttemptEndBody.Cause.ValueType:
        """The cause; CAUSE_UNSPECIFIED without a signal, or if the stream is over."""
        return self._cause

    @property
    def is_set(self) -> bool:
        """Whether the attempt is to end."""
        return self._event.is_set()

    def set(self, cause: scan_pb2.AttemptEndBody.Cause.ValueType) -> None:
        """Ends the attempt, unless it was ended before."""
        if not self._event.is_set():
            self._cause = cause
            self._event.set()

    async def wait(self) -> None:
        """Waits for the end."""
        await self._event.wait()


class SendGate:
    """The device's side of the credit.

    Sending beyond the credit violates the protocol, so the gate counts down before each frame.
    """

    def __init__(self, credit: scan_pb2.Credit) -> None:
        """Opens with the credit of an AttemptStart, which replaces any credit left."""
        self._frames = credit.frames
        self._bytes = credit.bytes
        self._paused = False
        self._changed = asyncio.Event()

    @property
    def paused(self) -> bool:
        """Whether the server paused the capture."""
        return self._paused

    def add(self, credit: scan_pb2.Credit) -> None:
        """Adds the credit of a Credit message."""
        self._frames += credit.frames
        self._bytes += credit.bytes
        self._changed.set()

    def pause(self, paused: bool) -> None:
        """Pauses or resumes sending."""
        self._paused = paused
        self._changed.set()

    def has_room(self, size: int = 1) -> bool:
        """Returns whether a frame of ``size`` bytes may be sent now."""
        return not self._paused and self._frames >= 1 and self._bytes >= size

    def take_credit(self, size: int) -> bool:
        """Takes the credit for a frame of ``size`` bytes; returns False if there is too little."""
        if not self.has_room(size):
            return False
        self._frames -= 1
        self._bytes -= size
        return True

    async def wait_for_room(self, size: int, stop: StopSignal) -> bool:
        """Waits until a frame of ``size`` bytes may be sent; returns False if the attempt ended before."""
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

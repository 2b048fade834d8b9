"""Limits the streams that are open while their first message has not arrived.

Anyone who can reach a port may open streams and send nothing, or a message that never ends, which grpc keeps
in memory. The message of an honest client arrives within milliseconds, so each stream may wait for a short
moment without a limit. After that moment only a few streams may wait: the oldest of them is refused in favour
of the next.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from server.base.errors import Reason, Refusal
from server.telemetry.metrics import Metrics

__all__ = ["WaitingRoom"]

_MOMENT_SECONDS = 0.01
_RETRY_SECONDS = 1.0

_Message = TypeVar("_Message")


def _retrieve(reading: "asyncio.Future[Any]") -> None:
    """Looks at how a task ended, so that asyncio does not log its error as one that nobody noticed."""
    if not reading.cancelled():
        reading.exception()


class WaitingRoom:
    """The streams of one kind whose first message has not arrived. Use it on the event loop only."""

    def __init__(
        self, what: str, *, places: int, seconds: float, metrics: Metrics, moment: float = _MOMENT_SECONDS
    ) -> None:
        """Creates an empty room.

        Args:
            what: The awaited message, as a label of the metrics: ``scan_start``, ``message`` of unknown
                callers, or ``request`` of known callers.
            places: The maximum number of streams that wait longer than ``moment``.
            seconds: The maximum wait.
            metrics: Counts the streams that wait and those that are refused.
            moment: Seconds that any stream may wait.
        """
        self._what = what
        self._most = places
        self._seconds = seconds
        self._moment = min(moment, seconds)
        self._metrics = metrics
        # In order of age. A future that is done marks a stream that must end for a newer one.
        self._places: dict[asyncio.Future[None], None] = {}

    async def wait_for_message(self, coming: Callable[[], Coroutine[Any, Any, _Message]]) -> _Message:
        """Waits for a message.

        Args:
            coming: Returns a coroutine that reads the message.

        Raises:
            Refusal: The message did not arrive in time (STREAM_IDLE), or a newer stream took the place
                (OVERLOADED).
        """
        reading = asyncio.ensure_future(coming())
        try:
            with self._metrics.calls.waiting(self._what):
                arrived, _ = await asyncio.wait({reading}, timeout=self._moment)
                if not arrived:
                    await self._take_place(reading)
            return reading.result()
        finally:
            # It may fail although nobody waits for it any more, if the call has ended.
            reading.add_done_callback(_retrieve)
            reading.cancel()
            # The traceback of an exception refers to the message; no reference cycle may keep it alive.
            del reading

    async def _take_place(self, reading: "asyncio.Future[Any]") -> None:
        if len(self._places) >= self._most:
            oldest = next(iter(self._places))
            del self._places[oldest]
            oldest.set_result(None)
        place = asyncio.get_running_loop().create_future()
        self._places[place] = None
        try:
            await asyncio.wait(
                {reading, place}, timeout=self._seconds - self._moment, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            self._places.pop(place, None)
        if reading.done():
            return
        if place.done():
            self._metrics.calls.sent_away(self._what, "gave_way")
            raise Refusal(
                Reason.OVERLOADED,
                f"the server waits for {self._most} messages of other callers and this one did not arrive at "
                "once; try again",
                details={"limit": self._most},
                retry_after=_RETRY_SECONDS,
            )
        self._metrics.calls.sent_away(self._what, "too_late")
        raise Refusal(
            Reason.STREAM_IDLE,
            f"the whole message did not arrive within {self._seconds:g} seconds of the call",
            details={"idleSeconds": self._seconds},
        )

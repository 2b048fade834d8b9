"""Where those wait who have opened a stream and not yet sent the message that it is about.

Whoever reaches a port may open streams and send nothing, or a message that never ends, which grpc keeps in
memory. What a genuine client sends is there within milliseconds, so that everybody has a moment without
further ado. After it there is room for a few only: the oldest of them gives way to the next.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from server.errors import Reason, Refusal
from server.telemetry.metrics import Metrics

__all__ = ["WaitingRoom"]

_MOMENT_SECONDS = 0.01
_RETRY_SECONDS = 1.0

_Message = TypeVar("_Message")


class WaitingRoom:
    """The streams of one kind whose first message has not arrived. Used on the event loop only."""

    def __init__(
        self, what: str, *, places: int, seconds: float, metrics: Metrics, moment: float = _MOMENT_SECONDS
    ) -> None:
        """Nobody waits.

        Args:
            what: What is awaited, as label of the metrics: ``scan_start``, ``message`` of strangers or
                ``request`` of callers that are known.
            places: How many may wait longer than a moment.
            seconds: How long.
            metrics: Counts those that wait and those that are sent away.
            moment: Seconds that everybody may wait.
        """
        self._what = what
        self._most = places
        self._seconds = seconds
        self._moment = min(moment, seconds)
        self._metrics = metrics
        # By age; a future that is done has to give way.
        self._places: dict[asyncio.Future[None], None] = {}

    async def wait(self, coming: Callable[[], Coroutine[Any, Any, _Message]]) -> _Message:
        """Waits for a message.

        Args:
            coming: Starts to read it.

        Raises:
            Refusal: It did not come in time (STREAM_IDLE), or others need the place (OVERLOADED).
        """
        reading = asyncio.ensure_future(coming())
        try:
            with self._metrics.calls.waiting(self._what):
                arrived, _ = await asyncio.wait({reading}, timeout=self._moment)
                if not arrived:
                    await self._take_place(reading)
            return reading.result()
        finally:
            if not reading.done():
                reading.cancel()
            # A failure's trace leads to what was sent; not kept by a circle of references.
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

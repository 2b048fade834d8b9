import asyncio

from facegate.v1 import scan_pb2

from facegate_client import CameraDescription, CapturedImage, Pace
from facegate_client.attempt import FrameFeed, StopSignal

CAUSE = scan_pb2.AttemptEndBody.CAUSE_COMPLETE


class Slow:
    """A source that delivers an image on request of the test."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.camera = CameraDescription(label="slow")
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.asked = self.began = self.closed = 0

    def begin_attempt(self) -> None:
        self.began += 1

    def __aiter__(self) -> "Slow":
        return self

    async def __anext__(self) -> CapturedImage:
        self.asked += 1
        return CapturedImage(image=b"", capture_time_us=await self.queue.get())

    async def aclose(self) -> None:
        self.closed += 1


async def _stopped_while_waiting(feed: FrameFeed) -> None:
    stop = StopSignal()
    waiting = asyncio.create_task(feed.next(stop))
    await asyncio.sleep(0.01)
    stop.set(CAUSE)
    assert await waiting is None


async def test_image_that_was_waited_for_is_not_lost_in_fast() -> None:
    source = Slow("fast")
    feed = FrameFeed(source)
    feed.begin_attempt()
    await _stopped_while_waiting(feed)
    feed.begin_attempt()
    source.queue.put_nowait(1)
    image = await feed.next(StopSignal())
    assert image is not None
    assert (image.capture_time_us, source.asked) == (1, 1)
    await feed.aclose()


async def test_image_from_before_the_attempt_is_stale_in_real_time() -> None:
    source = Slow("realtime")
    feed = FrameFeed(source)
    feed.begin_attempt()
    await _stopped_while_waiting(feed)
    feed.begin_attempt()
    source.queue.put_nowait(1)
    source.queue.put_nowait(2)
    image = await feed.next(StopSignal())
    assert image is not None
    assert image.capture_time_us == 2
    await feed.aclose()


async def test_closing_gives_up_the_waiting() -> None:
    source = Slow("realtime")
    feed = FrameFeed(source)
    await _stopped_while_waiting(feed)
    await feed.aclose()
    assert source.closed == 1

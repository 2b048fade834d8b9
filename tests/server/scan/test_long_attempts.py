"""Attempts that last as long as the server allows, with large frames, against a real server."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from facegate.v1 import scan_pb2

from server.scan.messages import CaptureBudget
from tests.server.live import FAST, Picture, serving, settings_for
from tests.server.models_once import remembering_pack
from tests.server.raw_device import RawDevice, RawStream
from vision.face import BgrImage, DetectedFace
from vision.image import encode_jpeg
from vision.packs import FaceDetector

_LARGE, _RATE = 46_000, 20.0
_WIDTH, _HEIGHT = 240, 320


class _Blind:
    """Finds no face in this camera's images without a search, which would take most of the test's time."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        return () if image.shape[:2] == (_HEIGHT, _WIDTH) else self._detector.detect(image)


class _Camera:
    """Takes images without a face, so that no attempt succeeds; complies with requests for smaller frames."""

    def __init__(self, stream: RawStream) -> None:
        self._stream = stream
        self._noise = np.random.default_rng(0)
        self.bytes = 0
        self.requests: list[scan_pb2.CaptureAdjustment] = []

    async def attempt(self, *, seconds: float) -> int:
        """Runs one attempt of the longest duration; returns the bytes of its frames."""
        await self._stream.begin()
        before, start, time, seen = (
            self.bytes,
            30.0 * self._stream.attempt.attempt,
            0.0,
            len(self._stream.seen),
        )
        self._rate, self._size = _RATE, _LARGE
        while time <= seconds and not self._stream.complete:
            image = self._image()
            picture = Picture(image, round((start + time) * 1e6), _WIDTH, _HEIGHT)
            await self._stream.send_frames([picture])
            self.bytes += len(image)
            for request in self._requests(seen):
                self._follow(request)
            seen = len(self._stream.seen)
            time += 1 / self._rate
        return self.bytes - before

    def _requests(self, seen: int) -> Iterator[scan_pb2.CaptureAdjustment]:
        for message in self._stream.seen[seen:]:
            if message.WhichOneof("message") == "capture_adjustment":
                yield message.capture_adjustment

    def _follow(self, request: scan_pb2.CaptureAdjustment) -> None:
        self.requests.append(request)
        self._rate = min(self._rate, request.max_frames_per_second or math.inf)
        self._size = min(self._size, request.max_frame_bytes or self._size)

    def _image(self) -> bytes:
        """A JPEG of the current size; a comment fills it up. No two images are alike."""
        blocks = self._noise.integers(60, 120, (20, 15, 1), dtype=np.uint8)
        jpeg = encode_jpeg(np.repeat(blocks.repeat(16, axis=0).repeat(16, axis=1), 3, axis=2), quality=60)
        filling = self._size - len(jpeg) - 4
        return jpeg[:2] + b"\xff\xfe" + (filling + 2).to_bytes(2, "big") + bytes(filling) + jpeg[2:]


@pytest.mark.slow
async def test_three_long_attempts_of_large_frames_fit(tmp_path: Path) -> None:
    budget, pack = CaptureBudget(), remembering_pack()
    blind = replace(pack, detector=_Blind(pack.detector))
    async with serving(settings_for(tmp_path), pack=blind, tuning=replace(FAST, budget=budget)) as live:
        stream = await RawDevice(live.device, await live.upload()).open()
        camera = _Camera(stream)
        again, used = True, []
        for number in range(1, 4):
            assert again, f"attempt {number} is refused"
            used.append(await camera.attempt(seconds=budget.max_attempt_seconds))
            await stream.send(stream.end(cause=scan_pb2.AttemptEndBody.CAUSE_TIMED_OUT))
            again = (await stream.result()).another_attempt
        assert await stream.outcome() is None
    assert sum(used) <= budget.max_scan_bytes
    assert used == sorted(used, reverse=True)
    assert {request.max_frames_per_second for request in camera.requests} == {0.0, 12.0}

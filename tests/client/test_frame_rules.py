import numpy as np
import pytest
from facegate.v1 import scan_pb2

from facegate_client.attempt import FrameRules
from facegate_client.encoding import CaptureLimits
from facegate_client.frame_source import CapturedImage


def _rules(*, rate: float = 0.0, frames: int = 0, scan_bytes: int = 0) -> FrameRules:
    budget = scan_pb2.CaptureBudget(max_frames_per_attempt=frames, max_scan_bytes=scan_bytes)
    return FrameRules(CaptureLimits(max_frames_per_second=rate), quality=85, budget=budget)


def test_images_are_thinned_out_to_the_highest_rate_with_some_play() -> None:
    rules = _rules(rate=10)
    times = [0, 33_000, 66_000, 99_000, 132_000, 180_000, 400_000, 433_000, 466_000]
    early = [False, True, True, False, True, False, False, False, True]
    assert [rules.too_early(time) for time in times] == early


def test_without_a_rate_no_image_is_too_early() -> None:
    rules = _rules()
    assert not any(rules.too_early(time) for time in (0, 1, 2))


@pytest.mark.parametrize(
    ("frames", "scan_bytes", "room"), [(9, 0, True), (10, 0, False), (0, 900, True), (0, 901, False)]
)
def test_a_budget_ends_by_frames_and_by_bytes(frames: int, scan_bytes: int, room: bool) -> None:
    rules = _rules(frames=10, scan_bytes=1000)
    assert rules.has_room(100, frames=frames, scan_bytes=scan_bytes) is room


def test_a_budget_of_zero_allows_no_frame() -> None:
    assert _rules().has_room(10**9, frames=10**6, scan_bytes=10**9)


async def test_an_adjustment_holds_for_the_next_image() -> None:
    rules = _rules()
    image = CapturedImage(image=np.zeros((480, 640, 3), np.uint8), capture_time_us=0)
    rules.adjust(scan_pb2.CaptureAdjustment(max_side=320))
    encoded = await rules.encode(image)
    assert encoded is not None
    assert (encoded.width, encoded.height) == (320, 240)


async def test_frames_that_had_to_be_scaled_down_stay_so() -> None:
    rules = _rules()
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3)).astype(np.uint8)
    sizes = []
    for at, (pixels, most) in enumerate([(noise, 0), (noise, 60_000), (noise // 2, 0), (noise // 16, 0)]):
        rules.adjust(scan_pb2.CaptureAdjustment(max_frame_bytes=most))
        encoded = await rules.encode(CapturedImage(image=pixels, capture_time_us=at))
        assert encoded is not None
        sizes.append((encoded.width, encoded.height))
    assert sizes[0] == (640, 480) > sizes[1]
    assert sizes[1] == sizes[2] == sizes[3]

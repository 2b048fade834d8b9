import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.scan.messages import AdjustmentMessage, CaptureBudget
from server.scan.scan_bytes import AttemptShare, ScanBytes

_MIB = 1024 * 1024
_SMALLEST = 8 * 1024


def _after(*, frames: int, size: int, earlier: int = 0) -> ScanBytes:
    taken = ScanBytes(used=earlier)
    for _ in range(frames):
        taken.add(size)
    return taken


def test_frames_are_counted_beside_those_of_earlier_streams() -> None:
    taken = _after(frames=3, size=10, earlier=100)
    assert (taken.used, taken.own, taken.frames) == (130, 30, 3)


@pytest.mark.parametrize(
    ("frames", "size", "earlier", "attempts", "scarce"),
    [
        (0, 0, 0, 3, False),  # Nothing is known of the frames' size.
        (0, 0, 19 * _MIB, 1, False),
        (100, 10_000, 0, 2, False),  # 2 attempts of 12 s are 4.8 MB, and 19 are left.
        (275, 38_000, 0, 2, True),  # 18.2 MB, and 10.5 are left.
        (275, 38_000, 0, 1, False),  # 9.1 MB.
        (275, 38_000, 2 * _MIB, 1, True),
    ],
)
def test_bytes_are_scarce_where_the_attempts_that_are_left_may_take_more(
    frames: int, size: int, earlier: int, attempts: int, scarce: bool
) -> None:
    taken = _after(frames=frames, size=size, earlier=earlier)
    assert taken.scarce(seconds=6.0, attempts=attempts, budget=CaptureBudget()) is scarce


@pytest.mark.parametrize(
    ("frames", "size", "earlier", "suffice"),
    [
        (0, 0, 0, True),
        (0, 0, 20 * _MIB, False),
        (275, 38_000, 0, True),
        (480, 38_000, 0, False),  # 2.7 MB left, and 6 s of 12 frames are 2.74 MB.
        (479, 38_000, 0, True),
        (100, 10_000, 19 * _MIB, False),
    ],
)
def test_another_attempt_is_worth_it_where_a_good_one_fits(
    frames: int, size: int, earlier: int, suffice: bool
) -> None:
    taken = _after(frames=frames, size=size, earlier=earlier)
    assert taken.suffice(seconds=6.0, budget=CaptureBudget()) is suffice


def _longest_attempt(
    share: float, *, size: int, rate: float, longest: float = 20.0, fewer: bool = False
) -> tuple[float, list[tuple[float, AdjustmentMessage]]]:
    """The bytes that a device uses in the longest attempt, and the requests, with which it complies."""
    plan, used, asked, now = (
        AttemptShare(share, longest=longest, smallest=_SMALLEST, fewer=fewer),
        0.0,
        [],
        0.0,
    )
    rate = min(rate, 12.0) if fewer else rate
    while now <= longest:
        plan.add(size)
        used += size
        if (request := plan.request(now)) is not None:
            asked.append((now, request))
            rate = min(rate, request.max_frames_per_second or math.inf)
            size = min(size, request.max_frame_bytes or size)
        now += 1 / rate
    return used, asked


@pytest.mark.parametrize("attempts", [3, 4])
def test_the_longest_attempts_of_large_frames_fit(attempts: int) -> None:
    budget, scan = CaptureBudget(), ScanBytes()
    for left in range(attempts, 0, -1):
        used, _ = _longest_attempt(scan.share(attempts=left, budget=budget), size=46_000, rate=20.0)
        scan.used += round(used)
    assert scan.used <= budget.max_scan_bytes


def test_an_attempt_has_more_bytes_than_each_later_one() -> None:
    budget, scan = CaptureBudget(), ScanBytes(used=6 * _MIB)
    shares = [scan.share(attempts=left, budget=budget) for left in (1, 2, 3)]
    assert shares[0] == 14 * _MIB
    for left, share in enumerate(shares[1:], start=1):
        assert share > (14 * _MIB - share) / left
    assert ScanBytes(used=21 * _MIB).share(attempts=1, budget=budget) == 0.0


def test_both_are_requested_at_once_if_smaller_frames_are_due() -> None:
    _, asked = _longest_attempt(20 * _MIB / 4, size=90_000, rate=20.0)
    (_, first), *later = asked
    assert first.max_frames_per_second == 12.0
    assert _SMALLEST < first.max_frame_bytes < 90_000 / 3
    assert later == []


def test_fewer_frames_are_requested_first_and_smaller_ones_late() -> None:
    _, asked = _longest_attempt(20 * _MIB / 3, size=46_000, rate=20.0)
    assert [(request.max_frames_per_second, request.max_frame_bytes > 0) for _, request in asked] == [
        (12.0, False),
        (0.0, True),
    ]
    (first, _), (second, leaner) = asked
    assert first == pytest.approx(1.0, abs=0.1)
    assert second > 6.0, "most attempts are over"
    assert leaner.max_frame_bytes == pytest.approx(46_000 / 3, rel=0.01)
    assert leaner.max_side == 0


@pytest.mark.parametrize(("size", "rate"), [(20_000, 12.0), (12_000, 20.0)])
def test_frames_that_fit_are_left_alone(size: int, rate: float) -> None:
    assert _longest_attempt(20 * _MIB / 3, size=size, rate=rate)[1] == []


def test_a_device_with_few_frames_is_asked_for_smaller_ones_only() -> None:
    for rate, fewer in ((10.0, False), (20.0, True)):
        _, asked = _longest_attempt(20 * _MIB / 3, size=90_000, rate=rate, fewer=fewer)
        assert [request.max_frames_per_second for _, request in asked] == [0.0] * len(asked)
        assert asked


def test_a_device_that_ignores_requests_is_asked_again_and_for_nothing_unusable() -> None:
    plan, asked = AttemptShare(1 * _MIB, longest=20.0, smallest=_SMALLEST, fewer=False), []
    for number in range(400):
        plan.add(46_000)
        if (request := plan.request(number / 20)) is not None:
            asked.append(request)
    assert 3 <= len(asked) <= 20
    assert all(request.max_frame_bytes >= _SMALLEST for request in asked)


@settings(max_examples=50, deadline=None)
@given(
    size=st.integers(1_000, 512 * 1024),
    rate=st.floats(8.0, 24.0),
    longest=st.floats(5.0, 60.0),
    share=st.integers(4 * _MIB, 20 * _MIB),
    fewer=st.booleans(),
)
def test_an_attempt_keeps_its_share_whatever_the_frames(
    size: int, rate: float, longest: float, share: int, fewer: bool
) -> None:
    used, _ = _longest_attempt(share, size=size, rate=rate, longest=longest, fewer=fewer)
    # It takes two requests, a second each, to reach the least pace; and the smallest frames have a size.
    if 2.2 * size * rate + 12 * max(size / 3, _SMALLEST) * longest <= 0.8 * share:
        assert used <= share + 3 * size

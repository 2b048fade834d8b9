import pytest

from server.scan.messages import CaptureBudget
from server.scan.scan_bytes import ScanBytes

_MIB = 1024 * 1024


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

"""The random sample of the frames that are not measured."""

import random
from collections import Counter

from attempt.sample import FrameSample
from tests.attempt.frames import frame_of


def test_every_frame_has_the_same_chance_to_be_drawn() -> None:
    draws = random.Random(7)
    drawn: Counter[int] = Counter()
    for _ in range(3000):
        sample = FrameSample(random=draws.randbytes, size=4)
        for index in range(20):
            sample.offer(frame_of(index))
        assert len({frame.index for frame in sample.drawn}) == 4
        drawn.update(frame.index for frame in sample.drawn)
    assert set(drawn) == set(range(20))
    # 600 each, with a standard deviation of 22.
    assert all(abs(count - 600) < 110 for count in drawn.values())


def test_fewer_frames_than_wanted_are_all_drawn() -> None:
    sample = FrameSample(random=bytes, size=4)
    for index in range(3):
        sample.offer(frame_of(index))
    assert [frame.index for frame in sample.drawn] == [0, 1, 2]

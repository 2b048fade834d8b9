import numpy as np
import pytest

from research.temporal_cues.repeated import Replay, repeat
from vision.face import BgrImage


def _clip(count: int) -> list[tuple[float, BgrImage]]:
    return [(at / 10, np.full((16, 16, 3), 10 * at, np.uint8)) for at in range(count)]


@pytest.mark.parametrize(
    ("how", "order"),
    [
        (Replay.LOOPED, [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]),
        (Replay.BACK_AND_FORTH, [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]),
    ],
)
def test_a_part_of_the_clip_fills_the_scan(how: Replay, order: list[int]) -> None:
    shown = list(repeat(_clip(10), how, 0.4))
    assert [time for time, _ in shown] == [at / 10 for at in range(10)]
    assert [round(float(picture.mean()) / 10) for _, picture in shown] == order

import numpy as np

from liveness.express.interface import FrameEmbedding
from research.temporal_cues.drawn import with_leap


def test_a_leap_is_one_template() -> None:
    person, other = np.eye(2, 8, dtype=np.float32)
    embeddings = tuple(FrameEmbedding(index, index / 3, person) for index in range(5))
    leaping = with_leap(embeddings, other, 2)
    assert [one.embedding is other for one in leaping] == [False, False, True, False, False]
    assert [one.frame_index for one in leaping] == [0, 1, 2, 3, 4]

import numpy as np

from simulator.backdrop import paint_room
from vision.packs.pack import Pack


def test_a_seed_gives_one_room_and_another_seed_another() -> None:
    first = paint_room(np.random.default_rng(1), width=300, height=400)
    assert first.shape == (400, 300, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, paint_room(np.random.default_rng(1), width=300, height=400))
    assert not np.array_equal(first, paint_room(np.random.default_rng(2), width=300, height=400))


def test_no_face_is_seen_in_an_empty_room(embedded: Pack) -> None:
    for seed in range(4):
        room = paint_room(np.random.default_rng(seed), width=480, height=640)
        assert embedded.detector.detect(room) == ()

import pytest

from research.screens_in_time.separation import Clip, separation


def _clips(values: dict[str, tuple[bool, float]]) -> list[Clip]:
    return [Clip(name, name[0], live, {"cue": value}) for name, (live, value) in values.items()]


def test_sources_count_once_and_a_left_out_one_sets_no_line() -> None:
    clips = _clips(
        {"a1": (True, 0.1), "a2": (True, 0.3), "b1": (True, 0.4), "b2": (False, 0.9), "c1": (False, 0.8)}
    )
    found = separation(clips, "cue")
    assert found is not None
    assert (found.live, found.screens, found.auc) == (3, 2, 1.0)
    # Two live and two screen sources: 6 orders, of which 2 are as extreme.
    assert found.p == pytest.approx(2 / 6)
    assert found.pairs == (1, 1)
    # Without c, the line is 0.9; without b, it is 0.8.
    assert (found.found, found.alarms) == (1, 0)


def test_without_screens_there_is_no_separation() -> None:
    assert separation(_clips({"a1": (True, 0.1)}), "cue") is None
    assert separation(_clips({"a1": (True, 0.1)}), "other") is None

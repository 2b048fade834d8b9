import pytest

from research.screens_in_time.scans import Scan
from research.screens_in_time.separation import curve_over_sources, separation

_CUE = "common steps"


def _clips(values: dict[str, tuple[bool, float]]) -> list[Scan]:
    return [
        Scan(name, 0, name[0], live, "", 0.0, False, {_CUE: value}) for name, (live, value) in values.items()
    ]


def test_sources_count_once_and_a_left_out_one_sets_no_line() -> None:
    clips = _clips(
        {"a1": (True, 0.1), "a2": (True, 0.3), "b1": (True, 0.4), "b2": (False, 0.9), "c1": (False, 0.8)}
    )
    found = separation(clips, _CUE)
    assert found is not None
    assert (found.live, found.screens, found.auc) == (3, 2, 1.0)
    # Two live and two screen sources: 6 orders, of which 2 are as extreme.
    assert found.p == pytest.approx(2 / 6)
    assert found.pairs == (1, 1)
    # Without c, the line is 0.9; without b, it is 0.8.
    assert (found.found, found.alarms) == (1, 0)


def test_without_screens_there_is_no_separation() -> None:
    assert separation(_clips({"a1": (True, 0.1)}), _CUE) is None
    assert separation(_clips({"a1": (True, 0.1)}), "fixed layer") is None


def test_bounds_are_wider_where_the_values_of_few_sources_disagree() -> None:
    values, live = [0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6], [True, False] * 4
    every = curve_over_sources(values, live, list("aabbccdd"))
    mixed = curve_over_sources([0.9, 0.1, *values[2:]], live, list("aabbccdd"))
    assert every == (1.0, (1.0, 1.0))
    assert mixed[1][0] < mixed[0] < mixed[1][1]

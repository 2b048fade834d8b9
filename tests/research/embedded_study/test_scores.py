import numpy as np
import pytest

from research.embedded_study.scores import Pairs, difference, draw_persons, fnmr_at

NAMES = np.array(["a", "a", "b", "b", "c"])


def scores(pairs: Pairs, *, genuine: list[float], impostors: list[float]) -> np.ndarray:
    found = np.empty(pairs.rows.size)
    found[pairs.genuine] = genuine
    found[~pairs.genuine] = impostors
    return found


class TestPairs:
    def test_every_pair_once(self) -> None:
        pairs = Pairs.among(NAMES)
        assert pairs.rows.size == 10
        assert pairs.genuine.sum() == 2
        assert pairs.persons == 3

    def test_pairs_that_may_be_one_person_are_left_out(self) -> None:
        pairs = Pairs.among(NAMES, unsure=frozenset({frozenset({"a", "c"})}))
        assert pairs.rows.size == 8
        assert pairs.genuine.sum() == 2

    def test_both_ways_exchanges_the_sides(self) -> None:
        pairs = Pairs.among(NAMES)
        both = pairs.both_ways()
        np.testing.assert_array_equal(both.rows[pairs.rows.size :], pairs.columns)
        np.testing.assert_array_equal(both.second[pairs.rows.size :], pairs.first)


class TestFnmrAt:
    def test_the_threshold_lies_above_the_impostors_that_are_too_many(self) -> None:
        # 8 impostor comparisons of 3 pairs of persons: a-b has 4 of them, a-c and b-c have 2 each.
        pairs = Pairs.among(NAMES)
        impostors = [0.1] * 8
        impostors[0] = 0.6
        some = scores(pairs, genuine=[0.5, 0.7], impostors=impostors)
        draws = np.ones((1, 3))
        strict = fnmr_at(0.01, scores=some, pairs=pairs, draws=draws)
        assert strict.threshold > 0.6
        assert strict.fnmr == 0.5
        assert strict.missed.tolist() == [True, False]
        # The one high comparison weighs a quarter or a half of one pair of persons in three.
        loose = fnmr_at(0.2, scores=some, pairs=pairs, draws=draws)
        assert 0.1 < loose.threshold < 0.5
        assert loose.fnmr == 0.0

    def test_samples_weigh_persons(self) -> None:
        pairs = Pairs.among(NAMES)
        some = scores(pairs, genuine=[0.2, 0.9], impostors=[0.5] * 8)
        rate = fnmr_at(0.01, scores=some, pairs=pairs, draws=np.array([[3.0, 1.0, 1.0], [1.0, 3.0, 1.0]]))
        assert rate.samples.tolist() == [0.75, 0.25]
        assert 0.25 <= rate.interval[0] <= rate.interval[1] <= 0.75

    @pytest.mark.parametrize("names", [["a", "a"], ["a", "b"]])
    def test_both_kinds_of_comparisons_are_needed(self, names: list[str]) -> None:
        pairs = Pairs.among(np.array(names))
        with pytest.raises(ValueError, match="genuine and impostor"):
            fnmr_at(0.01, scores=np.zeros(1), pairs=pairs, draws=np.ones((1, pairs.persons)))


def test_a_difference_is_taken_sample_by_sample() -> None:
    pairs = Pairs.among(NAMES)
    draws = draw_persons(3, samples=50, seed=1)
    bad = fnmr_at(
        0.01, scores=scores(pairs, genuine=[0.2, 0.9], impostors=[0.5] * 8), pairs=pairs, draws=draws
    )
    good = fnmr_at(
        0.01, scores=scores(pairs, genuine=[0.8, 0.9], impostors=[0.5] * 8), pairs=pairs, draws=draws
    )
    change = difference(good, bad)
    assert change.change == -0.5
    assert (change.gained, change.lost) == (1, 0)
    assert change.interval[1] <= 0
    assert difference(bad, bad).interval == (0.0, 0.0)

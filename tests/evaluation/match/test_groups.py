import numpy as np
import pytest

from evaluation.match.evaluation import Bootstrap, evaluate_sets
from evaluation.match.groups import GroupResult, evaluate_groups
from evaluation.match.operating_points import FmrAt, Promise, promise_of
from tests.evaluation.match.crowds import crowd

BOOTSTRAP = Bootstrap(resamples=300, confidence=0.95, seed=1)


@pytest.mark.parametrize(
    ("lower", "fmr", "upper", "lowest", "expected"),
    [
        (0.0, 0.005, 0.01, 0.001, Promise.KEPT),
        (0.0, 0.005, 0.02, 0.001, Promise.NOT_SHOWN),
        (0.005, 0.02, 0.03, 0.001, Promise.ABOVE),
        (0.011, 0.02, 0.03, 0.001, Promise.BROKEN),
        (0.0, 0.0, 0.02, 0.02, Promise.NOT_SUPPORTED),
        # Few persons cannot show that a promise is kept, but many matches show that it is broken.
        (0.1, 0.3, 0.6, 0.02, Promise.BROKEN),
    ],
)
def test_whether_a_promise_is_kept(
    lower: float, fmr: float, upper: float, lowest: float, expected: Promise
) -> None:
    found = FmrAt(0.3, fmr, upper, lower, None)
    assert promise_of(0.01, found, lowest_bound=lowest) is expected


def grouped(*, cosine: float, target: float) -> tuple[GroupResult, ...]:
    run, comparisons = crowd(persons=40, photos=2, seed=6, spread=0.8)
    odd = (np.arange(run.photos) // 2) % 2 == 1
    return evaluate_groups(
        comparisons,
        groups={("kind", "even"): ~odd, ("kind", "odd"): odd},
        failed=(),
        main=evaluate_sets(comparisons, BOOTSTRAP)[0],
        calibrated=[(target, cosine)],
        bootstrap=BOOTSTRAP,
    )


def test_a_broken_promise_is_named_with_its_group() -> None:
    found = grouped(cosine=0.0, target=0.1)
    assert [(group.value, group.pooled) for group in found] == [("even", False), ("odd", False), ("", True)]
    for group in found:
        (broken,) = group.broken
        assert broken.target == 0.1
        assert broken.rates.lower_bound > 0.1


def test_what_few_persons_cannot_show_is_not_supported() -> None:
    even, odd, pooled = grouped(cosine=0.9, target=0.01)
    assert even.promises[0].promise is odd.promises[0].promise is Promise.NOT_SUPPORTED
    # 2 times 190 pairs of persons support what 190 do not.
    assert pooled.lowest_bound < 0.01 < even.lowest_bound
    assert pooled.promises[0].promise is Promise.KEPT
    assert pooled.broken == ()


def test_pooled_comparisons_are_those_within_each_group() -> None:
    even, odd, pooled = grouped(cosine=0.5, target=0.1)
    assert pooled.impostors == even.impostors + odd.impostors
    assert pooled.genuine == even.genuine + odd.genuine
    assert pooled.persons == 40


def test_a_person_in_two_groups_is_not_compared_across_them() -> None:
    run, comparisons = crowd(persons=10, photos=2, seed=6)
    within = comparisons.within(np.arange(run.photos) % 2)
    assert within.identities == 20
    assert within.same.cosines.size == 0
    assert within.impostors.comparisons == 2 * 10 * 9 // 2

from pathlib import Path

import numpy as np
import pytest

from evaluation.match.comparisons import Comparisons
from evaluation.match.evaluation import (
    MAIN_SET,
    SEPARATE_SET,
    Bootstrap,
    SetResult,
    differences,
    evaluate_sets,
)
from evaluation.match.groups import evaluate_groups, group_photos
from evaluation.match.operating_points import NotSupported
from evaluation.match.photos import FacePhoto, NothingToMeasure, PhotoListError
from tests.evaluation.match.crowds import crowd

BOOTSTRAP = Bootstrap(resamples=300, confidence=0.95, seed=1)


def main_of(comparisons: Comparisons) -> SetResult:
    return evaluate_sets(comparisons, BOOTSTRAP)[0]


def test_sets_have_thresholds_and_persons_of_their_own() -> None:
    _, comparisons = crowd(persons=30, photos=3, seed=1, apart=12)
    main, apart = evaluate_sets(comparisons, BOOTSTRAP)
    assert (main.name, apart.name) == (MAIN_SET, SEPARATE_SET)
    assert (main.comparisons.identities, apart.comparisons.identities) == (18, 12)
    assert main.fmr.person_pairs == 18 * 17 // 2
    assert apart.fmr.person_pairs == 12 * 11 // 2
    # Alone they have the same figures as with the others.
    kept = main.comparisons
    assert np.array_equal(main_of(kept).fmr.upper_bounds, main.fmr.upper_bounds)


def test_points_end_with_the_first_that_is_not_supported() -> None:
    result = main_of(crowd(persons=30, photos=2, seed=1)[1])
    assert [point.target for point in result.points] == [0.1, 0.01, 0.001]
    assert isinstance(result.points[-1], NotSupported)
    assert [point.target for point in result.supported] == [0.1, 0.01]


def test_one_person_in_the_main_set_is_too_few() -> None:
    _, comparisons = crowd(persons=4, photos=2, seed=1, apart=3)
    with pytest.raises(NothingToMeasure, match="at least two"):
        evaluate_sets(comparisons, BOOTSTRAP)


def photos(*values: str) -> list[FacePhoto]:
    return [FacePhoto(Path(f"{n}.jpg"), f"p{n}", False, {"sex": value}) for n, value in enumerate(values)]


def test_groups_are_the_values_of_a_column() -> None:
    groups = group_photos(photos("f", "m", "f", ""), ["sex"], known=("file", "identity", "sex"))
    assert {key: mask.tolist() for key, mask in groups.items()} == {
        ("sex", ""): [False, False, False, True],
        ("sex", "f"): [True, False, True, False],
        ("sex", "m"): [False, True, False, False],
    }


def test_columns_that_cannot_name_groups_are_refused() -> None:
    with pytest.raises(PhotoListError, match="the manifest has file, sex"):
        group_photos(photos("f"), ["age"], known=("file", "sex"))
    with pytest.raises(PhotoListError, match=r"groups need a manifest\.csv"):
        group_photos(photos("f"), ["sex"], known=())
    with pytest.raises(PhotoListError, match="names 41 groups"):
        group_photos(photos(*(str(n) for n in range(41))), ["sex"], known=("sex",))


def test_groups_are_reported_at_the_thresholds_of_all() -> None:
    failing = (0, 40)
    run, comparisons = crowd(persons=30, photos=3, seed=5, spread=0.9, failing=failing)
    main = main_of(comparisons)
    masks = {}
    for number, value in enumerate(("odd", "even")):
        masks["kind", value] = (np.arange(run.photos) // 3) % 2 != number
    masks["kind", "one"] = np.arange(run.photos) < 3
    odd, even, one, pooled = evaluate_groups(
        comparisons, groups=masks, failed=failing, main=main, calibrated=(), bootstrap=BOOTSTRAP
    )
    assert (pooled.pooled, pooled.value, pooled.photos) == (True, "", 90)
    for group in (odd, even):
        assert (group.persons, group.photos) == (15, 45)
        assert group.impostors < main.fmr.comparisons / 3
        assert [rates.threshold for rates in group.rates] == [p.measured.threshold for p in main.supported]
        # Fewer persons, wider bounds.
        assert group.lowest_bound > main.fmr.upper_bounds[-1]
    assert (odd.failures, even.failures) == (1, 1)
    assert (one.failures, one.persons, one.impostors, one.rates) == (1, 1, 0, ())


def acquired(photos: int, failing: tuple[int, ...]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    found = np.ones(photos, dtype=np.bool_)
    found[list(failing)] = False
    return found


def test_a_worse_pack_is_seen_to_be_worse_on_the_same_comparisons() -> None:
    _, good = crowd(persons=40, photos=3, seed=7, spread=0.8, failing=(1,))
    _, bad = crowd(persons=40, photos=3, seed=7, spread=1.6, failing=(5, 9))
    all_acquired = (acquired(120, (5, 9)), acquired(120, (1,)))
    found = differences(bad, good, acquired=all_acquired, bootstrap=BOOTSTRAP)
    assert [each.target for each in found] == [0.1, 0.01]
    for each in found:
        assert each.change > 0
        assert each.lower > 0
        assert each.lower <= each.change <= each.upper
        # Three photos are missing on one side or the other.
        assert each.genuine == 40 * 3 - 3 * 2
        assert (each.only_first, each.only_second) == (1, 2)
    # In the other order the sign is reversed.
    other = differences(good, bad, acquired=all_acquired[::-1], bootstrap=BOOTSTRAP)
    assert [-each.change for each in other] == pytest.approx([each.change for each in found])


def test_a_pack_does_not_differ_from_itself_and_that_proves_little() -> None:
    _, same = crowd(persons=30, photos=2, seed=8)
    found = differences(same, same, acquired=(acquired(60, ()),) * 2, bootstrap=BOOTSTRAP)
    assert found
    for each in found:
        assert each.change == 0.0
        assert each.lower < -0.05
        assert each.upper > 0.05


def test_without_two_photos_of_anybody_there_is_no_difference_to_tell() -> None:
    _, same = crowd(persons=30, photos=1, seed=9)
    assert differences(same, same, acquired=(acquired(30, ()),) * 2, bootstrap=BOOTSTRAP) == ()

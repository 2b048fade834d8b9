import numpy as np
import pytest

from evaluation.pad.points import area_under_curve, bpcer_at
from evaluation.pad.resampling import (
    Bootstrap,
    draw,
    interval_of,
    resampled_auc,
    resampled_bpcer,
)
from tests.evaluation.pad.samples import attack, crowd, live, scored

BOOTSTRAP = Bootstrap(resamples=300, confidence=0.95, seed=5)


def test_drawing_everything_once_gives_the_figure_itself() -> None:
    run = scored(crowd(sources=2, persons=3, each=4), apart=0.5)
    scores, is_live = run.scores, run.live
    groups = np.arange(scores.size)
    once = np.ones((2, scores.size), np.uint16)
    areas = resampled_auc(scores, is_live, groups=groups, counts=once)
    assert areas == pytest.approx(area_under_curve(scores[is_live], scores[~is_live]))
    rates = resampled_bpcer(
        0.1, scores, is_live, species={"print": ~is_live}, least=1, groups=groups, counts=once
    )
    assert rates == pytest.approx(bpcer_at(0.1, live=scores[is_live], attacks=scores[~is_live]))


def test_counting_twice_is_having_it_twice() -> None:
    scores = np.array([0.1, 0.4, 0.4, 0.9, 0.3])
    is_live = np.array([False, False, True, True, True])
    counts = np.array([[2, 1, 3, 0, 1]], np.uint16)
    again = np.repeat(np.arange(5), counts[0])
    found = resampled_auc(scores, is_live, groups=np.arange(5), counts=counts)
    kept, labels = scores[again], is_live[again]
    assert found[0] == pytest.approx(area_under_curve(kept[labels], kept[~labels]))


def test_a_sample_without_one_class_is_ignored() -> None:
    counts = np.array([[0, 1], [1, 0], [1, 1]], np.uint16)
    scores, is_live, groups = np.array([0.2, 0.8]), np.array([False, True]), np.arange(2)
    assert np.isnan(resampled_auc(scores, is_live, groups=groups, counts=counts)).tolist() == [
        True,
        True,
        False,
    ]
    rates = resampled_bpcer(
        0.1, scores, is_live, species={"print": ~is_live}, least=1, groups=groups, counts=counts
    )
    assert np.isnan(rates).tolist() == [True, True, False]


def test_groups_are_drawn_whole_and_within_their_source_and_kind() -> None:
    samples = crowd(sources=3, persons=4, each=2, species=("print", "screen"))
    draws = draw(samples, BOOTSTRAP)
    of: dict[int, set[tuple[str, bool, str]]] = {}
    for at, sample in enumerate(samples):
        of.setdefault(int(draws.groups[at]), set()).add((sample.source, sample.live, sample.group))
    assert all(len(kinds) == 1 for kinds in of.values())
    for source in {sample.source for sample in samples}:
        for is_live in (True, False):
            members = [
                number for number, kinds in of.items() for kind in kinds if kind[:2] == (source, is_live)
            ]
            assert (draws.within[:, members].sum(axis=1) == len(members)).all()
    # Over sources a source is drawn as a whole: both its kinds, or neither.
    first = [number for number, kinds in of.items() for kind in kinds if kind[0] == "o0/r"]
    totals = draws.across[:, first].sum(axis=1)
    assert set((totals % len(first)).tolist()) == {0}
    assert 0 in totals


def test_the_same_seed_draws_the_same() -> None:
    samples = crowd(sources=2, persons=3, each=2)
    assert (draw(samples, BOOTSTRAP).within == draw(samples, BOOTSTRAP).within).all()


def test_few_persons_or_sources_give_nothing_to_draw_from() -> None:
    few = crowd(sources=2, persons=3, each=2)
    many = crowd(sources=6, persons=3, each=2)
    for samples, expected in ((few, (False, False)), (many, (True, True))):
        is_live = np.array([sample.live for sample in samples])
        within, across = draw(samples, BOOTSTRAP).counts((is_live, ~is_live))
        assert (within is not None, across is not None) == expected


def test_an_interval_needs_samples_that_tell() -> None:
    values = np.linspace(0.0, 1.0, 101)
    found = interval_of(values, 0.9)
    assert found is not None
    assert (found.lower, found.upper) == pytest.approx((0.05, 0.95))
    assert interval_of(np.where(values < 0.2, np.nan, values), 0.9) is None
    assert interval_of(np.full(50, 0.5), 0.9) is None


def test_persons_that_are_alike_make_the_interval_wider() -> None:
    """The same scores, once of 60 persons and once of 12 with five equal images each."""
    rng = np.random.default_rng(2)
    own = rng.normal(size=(12, 2))
    samples = [live(at, person=f"p{at // 5}") for at in range(60)]
    samples += [attack(at, session=f"s{at // 5}") for at in range(60)]
    scores = np.concatenate([np.repeat(own[:, 0] + 1, 5), np.repeat(own[:, 1], 5)])
    is_live = np.array([sample.live for sample in samples])
    widths = []
    for groups in (draw(samples, BOOTSTRAP).groups, np.arange(120)):
        counts = np.random.default_rng(3).multinomial(
            groups.max() + 1, np.full(groups.max() + 1, 1 / (groups.max() + 1)), size=300
        )
        found = interval_of(
            resampled_auc(scores, is_live, groups=groups, counts=counts.astype(np.uint16)), 0.95
        )
        assert found is not None
        widths.append(found.upper - found.lower)
    assert widths[0] > 1.5 * widths[1]

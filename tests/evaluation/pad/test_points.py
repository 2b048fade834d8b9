import numpy as np
import pytest

from evaluation.pad.dataset import PadSample
from evaluation.pad.points import FixedApcer, NotSupported, held_out, in_sample
from evaluation.pad.resampling import Bootstrap, draw
from tests.evaluation.pad.samples import crowd, scored

BOOTSTRAP = Bootstrap(resamples=200, confidence=0.95, seed=5)


def points(samples: list[PadSample], *, apart: float = 1.0) -> tuple[FixedApcer | NotSupported, ...]:
    run = scored(samples, apart=apart)
    return in_sample(
        run,
        basis="all",
        species=run.species_masks(injected=False),
        draws=draw(samples, BOOTSTRAP),
        bootstrap=BOOTSTRAP,
    )


def test_no_more_is_claimed_than_the_counts_allow() -> None:
    for attacks, supported in ((29, 0), (30, 1), (59, 1), (60, 2), (299, 2), (300, 3)):
        found = points(crowd(sources=1, persons=1, each=attacks))
        assert sum(isinstance(point, FixedApcer) for point in found) == supported
        for point in found[: 3 - supported]:
            assert isinstance(point, NotSupported)
            assert point.attacks == attacks
            assert point.needed == {0.01: 300, 0.05: 60, 0.1: 30}[point.target]


def test_scans_of_one_clip_are_no_further_attacks() -> None:
    samples = crowd(sources=1, persons=1, each=40)
    first = next(sample for sample in samples if not sample.live)
    again = [sample if sample.live else first for sample in samples]
    assert all(isinstance(point, NotSupported) and point.attacks == 1 for point in points(again))


def test_the_hardest_species_sets_the_threshold() -> None:
    samples = crowd(sources=1, persons=20, each=3, species=("print", "screen"))
    found = points(samples)
    point = found[-1]
    assert isinstance(point, FixedApcer)
    assert set(point.apcer) == {"print", "screen"}
    assert max(apcer.rate for apcer in point.apcer.values()) <= 0.1
    run = scored(samples, apart=1.0)
    is_live = run.live
    assert point.bpcer.rate == pytest.approx((run.scores[is_live] <= point.threshold).mean())
    # One species alone requires no more than both.
    alone = in_sample(
        run,
        basis="print",
        species={"print": run.species_masks(injected=False)["print"]},
        draws=draw(samples, BOOTSTRAP),
        bootstrap=BOOTSTRAP,
    )[-1]
    assert isinstance(alone, FixedApcer)
    assert alone.threshold <= point.threshold
    assert point.within is not None
    assert point.within.lower <= point.bpcer.rate <= point.within.upper
    assert point.across is None


def test_thresholds_come_from_other_sources() -> None:
    samples = crowd(sources=6, persons=4, each=3)
    run = scored(samples, apart=1.0)
    (found,) = [
        each
        for each in held_out(run, species=run.species_masks(injected=False), bootstrap=BOOTSTRAP)
        if each.target == 0.1
    ]
    assert found.parts == 6
    assert found.bpcer.trials == int(run.live.sum())
    sources = np.array([sample.source for sample in samples])
    for rates in found.sources:
        own = sources == rates.source
        attacks = np.sort(run.scores[~run.live & ~own])[::-1]
        threshold = attacks[int(0.1 * attacks.size)]
        assert rates.bpcer is not None
        assert rates.bpcer.rate == pytest.approx((run.scores[own & run.live] <= threshold).mean())
        assert rates.apcer["print"].rate == pytest.approx((run.scores[own & ~run.live] > threshold).mean())


def test_a_source_with_most_files_is_cut_by_persons() -> None:
    samples = crowd(sources=1, persons=12, each=10) + crowd(sources=3, persons=1, each=5)[10:]
    run = scored(samples, apart=1.0)
    found = held_out(run, species=run.species_masks(injected=False), bootstrap=BOOTSTRAP)
    assert {each.parts for each in found} == {5}
    alone = scored(crowd(sources=1, persons=12, each=10), apart=1.0)
    parts = {
        each.parts
        for each in held_out(alone, species=alone.species_masks(injected=False), bootstrap=BOOTSTRAP)
    }
    assert parts == {5}


def test_one_person_cannot_be_held_out() -> None:
    run = scored(
        crowd(sources=1, persons=1, each=200)[:1] + crowd(sources=1, persons=1, each=200)[1::2], apart=1.0
    )
    assert held_out(run, species=run.species_masks(injected=False), bootstrap=BOOTSTRAP) == ()

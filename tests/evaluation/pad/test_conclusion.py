import pytest

from evaluation.pad.conclusion import Ruling, conclude
from evaluation.pad.evaluation import evaluate_run
from evaluation.pad.resampling import draw
from evaluation.pad.runs import ScorerKind
from tests.evaluation.pad.samples import BOOTSTRAP, SAMPLES, crowd, scored


@pytest.mark.parametrize(
    ("fusion", "part", "ruling"),
    [(2.5, 0.7, Ruling.FUSION), (1.0, 1.05, Ruling.EQUAL), (0.4, 2.5, Ruling.PART)],
)
def test_the_conclusion_follows_from_the_intervals(fusion: float, part: float, ruling: Ruling) -> None:
    draws = draw(SAMPLES, BOOTSTRAP)
    runs = [
        scored(SAMPLES, apart=0.1, seed=7, name="weak"),
        scored(SAMPLES, apart=part, seed=2, name="best"),
        scored(SAMPLES, apart=fusion, seed=1, name="fusion", kind=ScorerKind.FUSION),
    ]
    results = [evaluate_run(run, draws=draws, bootstrap=BOOTSTRAP) for run in runs]
    found = conclude(runs, results, draws=draws, bootstrap=BOOTSTRAP)
    assert found is not None
    assert (found.fusion, found.best, found.ruling) == ("fusion", "best", ruling)
    assert [each.second for each in found.differences] == ["best", "weak"]
    other = scored(SAMPLES, apart=3.0, seed=3, name="other", kind=ScorerKind.OTHER_NETWORK)
    also = evaluate_run(other, draws=draws, bootstrap=BOOTSTRAP)
    beside = conclude([*runs, other], [*results, also], draws=draws, bootstrap=BOOTSTRAP)
    assert beside is not None
    # A network outside the pack is compared, and does not change the conclusion.
    assert beside.differences[0].second == "other"
    assert (beside.best, beside.ruling) == ("best", ruling)
    assert conclude(runs[:2], results[:2], draws=draws, bootstrap=BOOTSTRAP) is None
    alone = conclude(runs[2:], results[2:], draws=draws, bootstrap=BOOTSTRAP)
    assert alone is not None
    assert alone.ruling is Ruling.ALONE


def test_few_persons_decide_nothing() -> None:
    samples = crowd(sources=2, persons=2, each=10)
    draws = draw(samples, BOOTSTRAP)
    runs = [
        scored(samples, apart=0.3, name="part"),
        scored(samples, apart=3.0, name="fusion", kind=ScorerKind.FUSION),
    ]
    results = [evaluate_run(run, draws=draws, bootstrap=BOOTSTRAP) for run in runs]
    found = conclude(runs, results, draws=draws, bootstrap=BOOTSTRAP)
    assert found is not None
    assert found.ruling is Ruling.UNDECIDED
    assert found.differences[0].auc > 0

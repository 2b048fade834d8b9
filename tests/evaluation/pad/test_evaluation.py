import numpy as np
import pytest

from evaluation.pad.evaluation import EVERY_SPECIES, POOLED, VerdictCounts, evaluate_run
from evaluation.pad.points import area_under_curve
from evaluation.pad.resampling import draw
from evaluation.pad.runs import NonResponse
from tests.evaluation.pad.samples import BOOTSTRAP, SAMPLES, crowd, scored


def test_every_figure_of_a_scorer_is_computed() -> None:
    run = scored(SAMPLES, apart=1.0, silent=(0, 1, 9), decides=True)
    found = evaluate_run(run, draws=draw(SAMPLES, BOOTSTRAP), bootstrap=BOOTSTRAP)
    assert (found.live, found.attacks) == (72, 144)
    assert found.live_no_response is not None
    assert (found.live_no_response.hits, found.live_no_response.trials) == (2, 72)
    by_name = {each.species: each for each in found.species}
    assert list(by_name) == ["deepfake", "print", "screen"]
    assert by_name["print"].no_response.hits == 1
    assert (by_name["screen"].groups, by_name["screen"].sources) == (24, 6)
    assert by_name["deepfake"].injected
    assert found.absent == ("paper mask", "3-D mask")
    assert found.milliseconds == 2.0
    # Injected attacks are in no figure of presentation attacks.
    instruments = run.answered & ~run.live & np.array([each.species != "deepfake" for each in SAMPLES])
    area = area_under_curve(run.scores[run.live & run.answered], run.scores[instruments])
    assert found.auc == pytest.approx(area)
    assert found.auc_within is not None
    assert found.auc_across is not None
    assert found.auc_within.lower < area < found.auc_within.upper
    bases = {point.basis for point in found.points}
    assert bases == {EVERY_SPECIES, "print", "screen", POOLED, "deepfake"}
    assert [source.source for source in found.sources] == [f"o{number}/r" for number in range(6)]
    assert found.auc_of_sources == pytest.approx(np.mean([source.auc for source in found.sources]))
    assert found.live_verdicts is not None
    assert found.live_verdicts.no_response == 2
    assert found.live_verdicts.live + found.live_verdicts.spoof == 70
    area_of_half, assessed = found.parts["half"]
    assert area_of_half == pytest.approx(area)
    assert assessed == 72 + 144 - 3


def test_varieties_stand_below_their_species() -> None:
    samples = crowd(sources=1, persons=2, each=2, species=("print:a4", "print:matt", "print"))
    run = scored(samples, apart=1.0)
    found = evaluate_run(run, draws=draw(samples, BOOTSTRAP), bootstrap=BOOTSTRAP)
    assert [(each.species, each.variety, each.presentations) for each in found.species] == [
        ("print", False, 12),
        ("print, variety unknown", True, 4),
        ("print:a4", True, 4),
        ("print:matt", True, 4),
    ]
    assert {point.basis for point in found.points} == {EVERY_SPECIES}


def test_a_scorer_that_never_answers() -> None:
    samples = crowd(sources=1, persons=2, each=2)
    run = scored(samples, apart=1.0, silent=range(len(samples)))
    found = evaluate_run(run, draws=draw(samples, BOOTSTRAP), bootstrap=BOOTSTRAP)
    assert (found.auc, found.eer, found.curve, found.milliseconds) == (None, None, None, None)
    assert (found.points, found.held_out) == ((), ())
    assert run.fault_counts == {NonResponse.NO_FACE: 8}


def test_without_verdicts_there_is_no_conclusion() -> None:
    samples = crowd(sources=1, persons=2, each=2)
    found = evaluate_run(scored(samples, apart=1.0), draws=draw(samples, BOOTSTRAP), bootstrap=BOOTSTRAP)
    assert found.live_verdicts is None
    decided = evaluate_run(
        scored(samples, apart=9.0, decides=True), draws=draw(samples, BOOTSTRAP), bootstrap=BOOTSTRAP
    )
    assert decided.live_verdicts == VerdictCounts(live=4, spoof=0, inconclusive=0, no_response=0)
    assert decided.species[0].verdicts == VerdictCounts(live=0, spoof=4, inconclusive=0, no_response=0)

"""The rates of an evaluation, and its report."""

import json
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lab.evaluation import Chart, Sheet
from lab.evaluation.pad.charts import det_chart, draw_charts, histogram_chart
from lab.evaluation.pad.conclusion import Ruling, conclude, difference
from lab.evaluation.pad.dataset import PadSample
from lab.evaluation.pad.evaluation import EVERY_SPECIES, POOLED, VerdictCounts, evaluate_run
from lab.evaluation.pad.mistakes import mistakes_sheet, worst_mistakes
from lab.evaluation.pad.points import (
    FixedApcer,
    HeldOut,
    NotSupported,
    area_under_curve,
    bpcer_at,
    det_curve,
    equal_error_rate,
    held_out,
    in_sample,
    threshold_at,
    threshold_for_all,
)
from lab.evaluation.pad.report import describe, describe_material, sheets
from lab.evaluation.pad.resampling import draw, interval_of, resampled_auc, resampled_bpcer
from lab.evaluation.pad.runs import NonResponse, ScorerKind, ScoreRun
from lab.report import render_page
from lab.tests.evaluation.pad.samples import BOOTSTRAP, SAMPLES, attack, crowd, live, made_report, scored
from tests.server.pages.reading import Page


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


def test_a_scorer_does_not_differ_from_itself() -> None:
    run = scored(SAMPLES, apart=1.0)
    found = difference(run, run, draws=draw(SAMPLES, BOOTSTRAP), bootstrap=BOOTSTRAP)
    assert found is not None
    assert (found.auc, found.bpcer) == (0.0, 0.0)
    assert not found.better
    assert found.not_worse


def test_a_difference_uses_samples_that_both_scored() -> None:
    first, second = scored(SAMPLES, apart=1.0, silent=(0,)), scored(SAMPLES, apart=1.0, silent=(3,))
    found = difference(first, second, draws=draw(SAMPLES, BOOTSTRAP), bootstrap=BOOTSTRAP)
    assert found is not None
    assert (found.live, found.attacks) == (70, 144)
    with pytest.raises(ValueError, match="same presentations"):
        difference(first, scored(SAMPLES[1:], apart=1.0), draws=draw(SAMPLES, BOOTSTRAP), bootstrap=BOOTSTRAP)


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


SCORES = arrays(np.float64, st.integers(1, 40), elements=st.integers(0, 8).map(lambda at: at / 8))


def test_an_area_needs_both_classes() -> None:
    with pytest.raises(ValueError, match="bona fide and attack"):
        area_under_curve(np.array([0.3]), np.array([]))


@given(live=SCORES, attacks=SCORES)
def test_the_area_is_the_share_of_pairs(live: np.ndarray, attacks: np.ndarray) -> None:
    above = (live[:, None] > attacks[None, :]).mean() + (live[:, None] == attacks[None, :]).mean() / 2
    assert area_under_curve(live, attacks) == pytest.approx(above)


def test_bpcer_at_an_apcer_matches_known_values() -> None:
    live, attacks = np.array([0.2, 0.6, 0.9]), np.arange(20) / 32
    # One attack of twenty may pass, at 19/32; the threshold is the next one's score, 18/32.
    assert bpcer_at(0.05, live=live, attacks=attacks) == pytest.approx(1 / 3)
    assert bpcer_at(0.0, live=live, attacks=attacks + 0.05) == pytest.approx(2 / 3)


@given(attacks=SCORES, other=SCORES, apcer=st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.5]))
def test_a_threshold_keeps_every_species_out_and_is_the_lowest(
    attacks: np.ndarray, other: np.ndarray, apcer: float
) -> None:
    threshold = threshold_at(apcer, attacks)
    assert (attacks > threshold).mean() <= apcer
    lower = attacks[attacks < threshold]
    if lower.size:
        assert (attacks > lower.max()).mean() > apcer
    both = threshold_for_all(apcer, {"print": attacks, "screen": other})
    assert both == max(threshold, threshold_at(apcer, other))


@given(live=SCORES, attacks=SCORES)
def test_the_curve_holds_both_rates(live: np.ndarray, attacks: np.ndarray) -> None:
    curve = det_curve(live, attacks)
    assert (curve.apcer[0], curve.bpcer[0]) == (1.0, 0.0)
    assert (curve.apcer[-1], curve.bpcer[-1]) == (0.0, 1.0)
    for at, threshold in enumerate(curve.thresholds):
        assert curve.apcer[at] == pytest.approx((attacks > threshold).mean())
        assert curve.bpcer[at] == pytest.approx((live <= threshold).mean())


def test_equal_error_rate_matches_known_values() -> None:
    assert equal_error_rate(np.array([0.8, 0.9]), np.array([0.1, 0.2])) == 0.0
    assert equal_error_rate(np.array([0.1, 0.9, 0.8, 0.7]), np.array([0.95, 0.2, 0.15, 0.3])) == 0.25


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR))


def test_charts_are_pictures_and_come_out_the_same() -> None:
    pytest.importorskip("matplotlib")
    samples = crowd(sources=1, persons=4, each=5, species=("print", "deepfake"))
    run = scored(samples, apart=1.0)
    silent = scored(samples, apart=1.0, silent=range(len(samples)), name="silent")
    draws = draw(samples, BOOTSTRAP)
    results = [evaluate_run(each, draws=draws, bootstrap=BOOTSTRAP) for each in (run, silent)]
    det, scores = det_chart(results, title="t"), histogram_chart([run, silent], title="t")
    assert pixels(det).shape[1] == pixels(scores).shape[1]
    assert pixels(det).std() > 5
    assert det == det_chart(results, title="t")
    assert det != det_chart(results[1:], title="t")


def test_the_worst_come_first_and_each_file_once(tmp_path: Path) -> None:
    samples = crowd(sources=1, persons=3, each=10)
    samples = [
        replace(sample, path=samples[0].path) if at < 8 and sample.live else sample
        for at, sample in enumerate(samples)
    ]
    run = scored(samples, apart=0.5)
    found = worst_mistakes(run)
    lives = [mistake for mistake in found if mistake.sample.live]
    attacks = [mistake for mistake in found if not mistake.sample.live]
    assert len({mistake.sample.path for mistake in found}) == len(found)
    assert lives[0].score == run.scores[run.live].min()
    assert attacks[0].score == run.scores[~run.live].max()
    assert [mistake.score for mistake in lives] == sorted(mistake.score for mistake in lives)
    assert worst_mistakes(scored(samples, apart=1.0, silent=range(len(samples)))) == ()


def test_the_sheet_shows_the_readable_images(tmp_path: Path) -> None:
    samples = crowd(sources=1, persons=1, each=2)
    run = scored(samples, apart=0.5)
    path = tmp_path / "blue.png"
    cv2.imwrite(str(path), np.full((40, 30, 3), (255, 0, 0), np.uint8))
    shown = worst_mistakes(run)
    there = [replace(mistake, sample=replace(mistake.sample, path=path)) for mistake in shown]
    content, grey = mistakes_sheet(there), mistakes_sheet(shown)
    assert content is not None
    assert grey is not None
    blue = (pixels(content)[..., 0] > 200) & (pixels(content)[..., 2] < 60)
    assert blue.sum() > 180 * 100
    assert not ((pixels(grey)[..., 0] > 200) & (pixels(grey)[..., 2] < 60)).any()
    assert mistakes_sheet([]) is None


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
    for attacks, supported in ((29, 0), (30, 1), (300, 3)):
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


def held(run: ScoreRun) -> tuple[HeldOut, ...]:
    return held_out(run, species=run.species_masks(injected=False), bootstrap=BOOTSTRAP)


def test_thresholds_come_from_other_sources() -> None:
    samples = crowd(sources=6, persons=4, each=3)
    run = scored(samples, apart=1.0)
    (found,) = (each for each in held(run) if each.target == 0.1)
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
    alone = crowd(sources=1, persons=12, each=10)
    for samples in (alone, alone + crowd(sources=3, persons=1, each=5)[10:]):
        assert {each.parts for each in held(scored(samples, apart=1.0))} == {5}


def test_one_person_cannot_be_held_out() -> None:
    samples = crowd(sources=1, persons=1, each=200)
    assert held(scored(samples[:1] + samples[1::2], apart=1.0)) == ()


def test_the_document_has_every_figure_and_shows_no_person() -> None:
    report = made_report()
    text = report.to_json()
    (each,) = json.loads(text)["packs"][0]["sets"]
    network, fusion = each["scorers"]
    result = report.packs[0].sets[0].results[0]
    supported = [point for point in result.points if isinstance(point, FixedApcer)]
    assert [point["supported"] for point in network["points"]].count(True) == len(supported) > 0
    assert network["species"][1]["auc"] == result.species[1].auc
    assert network["no_response"] == {"no face": 1}
    assert network["not_evaluated"] == ["paper mask", "3-D mask"]
    assert network["curve"]["bpcer"][-1] == 1.0
    assert fusion["signals"]["half"]["assessed"] == len(
        crowd(sources=6, persons=4, each=3, species=("a", "b"))
    )
    assert each["conclusion"]["best"] == "net<work>"
    assert each["material"]["left_out"] == 2
    assert ".jpg" not in text
    assert '"p1"' not in text


def test_a_set_is_described_by_its_counts() -> None:
    samples = crowd(sources=1, persons=3, each=2) + crowd(sources=2, persons=1, each=1)[2:]
    found = describe_material("pictures", samples, left_out=0)
    assert (found.files, found.live, dict(found.attacks)) == (14, 7, {"print": 7})
    assert found.largest == ("o0/r", 12 / 14)
    assert (found.sources, found.groups, found.live_groups) == (2, 8, 4)


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
    areas = resampled_auc(scores, is_live, groups=groups, counts=counts)
    assert np.isnan(areas).tolist() == [True, True, False]
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


def titled() -> dict[str, Sheet]:
    return {sheet.title.partition(":")[0]: sheet for sheet in sheets(made_report())}


def test_every_question_has_a_table() -> None:
    tables = titled()
    assert list(tables) == [
        "Measured on",
        "Scorers",
        "BPCER at a fixed APCER, threshold set on the same files",
        "The same, each threshold set on other files",
        "Species",
        "Decided at the shipped thresholds",
        "AUC by source",
        "BPCER / APCER by source, %, at thresholds from other files",
        "Signals alone",
        "fusion less each other scorer",
    ]
    for sheet in tables.values():
        assert sheet.rows
        assert all(len(row) == len(sheet.columns) for row in sheet.rows)


def test_the_measured_data_are_described() -> None:
    sheet = titled()["Measured on"]
    rows = {row[0]: row[1:] for row in sheet.rows}
    assert rows["bona fide"] == ("72", "-", "24", "6")
    assert rows["deepfake (injected)"][0] == "4"
    assert rows["3-D mask"][0] == "0, not evaluated"
    assert "Omitted as not usable: 2." in sheet.notes


def test_unsupported_figures_are_named_and_not_shown() -> None:
    sheet = titled()["BPCER at a fixed APCER, threshold set on the same files"]
    assert {row[2] for row in sheet.rows if row[1] == "screen"} == {"5%", "10%"}
    assert "screen at 1%: 72 attacks allow no APCER below 4.2%, 300 are needed" in sheet.notes[1]
    assert "deepfake at 10%: 4 attacks allow no APCER below 75.0%, 30 are needed" in sheet.notes[1]


def test_non_responses_and_decisions() -> None:
    tables = titled()
    assert "net<work>: 1 no face" in tables["Scorers"].notes[1]
    species = {(row[0], row[1]): row for row in tables["Species"].rows}
    assert species["net<work>", "bona fide"][4].startswith("1.4 [0.0, ")
    assert species["fusion", "bona fide"][4].startswith("0.0 [")
    decided = [row for row in tables["Decided at the shipped thresholds"].rows if row[1] == "bona fide"]
    (row,) = decided
    assert sum(map(int, row[2:])) == 72
    assert "Therefore: the fusion is better" in tables["fusion less each other scorer"].notes[1]


def test_the_page_is_one_file_and_shows_no_person() -> None:
    page = Page(render_page(describe(made_report()), [Chart(name="det", png=b"PNG", caption="a <b>")]))
    assert page.open == []
    assert "net&lt;work&gt;" in page.source
    assert "<work>" not in page.source
    assert "for evaluation only" in page.text
    assert ".jpg" not in page.source
    assert not re.search(r"\{[a-z]+\}", page.source)


def test_a_chart_names_its_pack_and_files() -> None:
    charts = {chart.name: chart for chart in draw_charts(made_report())}
    assert list(charts) == ["det_open_pictures", "scores_open_pictures"]
    assert all("(open, pictures)" in chart.caption for chart in charts.values())
    assert all(chart.png.startswith(b"\x89PNG") for chart in charts.values())

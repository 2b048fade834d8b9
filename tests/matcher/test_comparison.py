import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.comparison import MatchPolicy, compare, cosine_similarity, require_calibration_support
from matcher.errors import CalibrationTooWeak, PortraitPolicyInvalid, TemplateInvalid, TemplateMismatch
from research.photo_match.cohort import fit_cohort
from tests.matcher.calibrations import THREE_DECADES, calibration
from vision.face import Embedding
from vision.packs import Template
from vision.packs.calibration import ScanRange, ScorePoint

POLICY = MatchPolicy(max_fmr=1e-2)


def at_cosine(cosine: float) -> tuple[Template, Template]:
    """Two unit templates with this cosine."""
    one = np.array([1.0, 0.0, 0.0], dtype=np.float32)
    other = np.array([cosine, math.sqrt(1 - cosine**2), 0.0], dtype=np.float32)
    return Template(one, "form"), Template(other, "form")


def test_above_the_threshold_it_is_the_same_person() -> None:
    portrait, scan = at_cosine(0.35)
    result = compare(portrait=portrait, scan=scan, calibration=THREE_DECADES, policy=POLICY)
    assert result.same_person
    assert result.cosine == pytest.approx(0.35)
    assert result.fmr_bound == pytest.approx(10**-2.5, rel=1e-4)
    assert result.similarity == pytest.approx(75, abs=0.01)
    assert result.threshold_similarity == pytest.approx(70)
    assert result.provenance == "measured"


def test_other_people_are_those_of_scans_and_never_fewer_than_those_of_photos() -> None:
    points = (ScorePoint(cosine=0.2, fmr_upper_bound=0.5), ScorePoint(cosine=0.34, fmr_upper_bound=2e-3))
    scans = ScanRange(points=points, scans=9, persons=40, genuine_pairs=9, impostor_pairs=900)
    measured = replace(calibration((0.0, 1.0), (0.3, 1e-2), (0.4, 1e-4)), scans=scans)
    for cosine, photos in ((0.35, 1e-3), (0.9, 1e-4)):
        portrait, scan = at_cosine(cosine)
        result = compare(portrait=portrait, scan=scan, calibration=measured, policy=POLICY)
        # The decision and the similarity stay those of photos, on which the policy's demand rests.
        assert result.fmr_bound == pytest.approx(photos, rel=1e-4)
        assert result.scan_fmr_bound == 2e-3
    portrait, scan = at_cosine(0.25)
    result = compare(portrait=portrait, scan=scan, calibration=measured, policy=POLICY)
    assert result.scan_fmr_bound is not None
    assert result.scan_fmr_bound >= result.fmr_bound


def test_without_scans_nothing_is_said_of_other_people() -> None:
    portrait, scan = at_cosine(0.35)
    result = compare(portrait=portrait, scan=scan, calibration=THREE_DECADES, policy=POLICY)
    assert result.scan_fmr_bound is None


def test_below_the_threshold_it_is_not() -> None:
    portrait, scan = at_cosine(0.29)
    result = compare(portrait=portrait, scan=scan, calibration=THREE_DECADES, policy=POLICY)
    assert not result.same_person
    assert result.similarity < result.threshold_similarity


@given(st.floats(-1.0, 1.0), st.floats(1e-3, 0.99))
def test_the_decision_agrees_with_the_numbers_shown(cosine: float, max_fmr: float) -> None:
    portrait, scan = at_cosine(cosine)
    policy = MatchPolicy(max_fmr=max_fmr)
    result = compare(portrait=portrait, scan=scan, calibration=THREE_DECADES, policy=policy)
    assert result.same_person == (result.fmr_bound <= max_fmr)
    if result.same_person:
        assert result.similarity >= result.threshold_similarity
    else:
        assert result.similarity <= result.threshold_similarity


@given(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0))
def test_a_higher_cosine_never_turns_a_match_into_a_non_match(one: float, other: float) -> None:
    low, high = (
        compare(portrait=a, scan=b, calibration=THREE_DECADES, policy=POLICY)
        for a, b in (at_cosine(cosine) for cosine in sorted((one, other)))
    )
    assert low.same_person <= high.same_person


def test_comparison_is_symmetric() -> None:
    one, other = at_cosine(0.31)
    assert compare(portrait=one, scan=other, calibration=THREE_DECADES, policy=POLICY) == compare(
        portrait=other, scan=one, calibration=THREE_DECADES, policy=POLICY
    )


def test_a_calibration_without_enough_data_is_refused_with_its_numbers() -> None:
    with pytest.raises(CalibrationTooWeak) as caught:
        require_calibration_support(THREE_DECADES, MatchPolicy(max_fmr=1e-4))
    assert caught.value.demanded_fmr == 1e-4
    assert caught.value.supported_fmr == 1e-3
    assert "0.0001" in str(caught.value)
    assert "5000 impostor pairs of 50 identities" in str(caught.value)


def test_comparing_with_such_a_calibration_is_refused_too() -> None:
    portrait, scan = at_cosine(0.9)
    with pytest.raises(CalibrationTooWeak):
        compare(portrait=portrait, scan=scan, calibration=THREE_DECADES, policy=MatchPolicy(max_fmr=1e-4))


def test_the_lowest_bound_itself_is_supported() -> None:
    require_calibration_support(THREE_DECADES, MatchPolicy(max_fmr=1e-3))


def test_assumed_figures_are_refused_only_by_policy() -> None:
    assumed = calibration((0.2, 1e-1), (0.4, 1e-3), provenance="assumed")
    require_calibration_support(assumed, MatchPolicy(max_fmr=1e-3))
    with pytest.raises(CalibrationTooWeak) as caught:
        require_calibration_support(assumed, MatchPolicy(max_fmr=1e-3, require_measured=True))
    assert caught.value.provenance == "assumed"


@pytest.mark.parametrize("max_fmr", [0.0, 1.0, -1e-3, math.nan])
def test_a_policy_out_of_range_is_refused(max_fmr: float) -> None:
    with pytest.raises(PortraitPolicyInvalid):
        MatchPolicy(max_fmr=max_fmr)


@pytest.mark.parametrize("bad", [np.zeros(3), np.array([np.nan, 0, 0]), np.array([np.inf, 0, 0])])
def test_a_template_without_direction_is_refused(bad: Embedding) -> None:
    with pytest.raises(TemplateInvalid):
        cosine_similarity(at_cosine(0.5)[0].vector, bad.astype(np.float32))


def test_templates_of_two_embedders_are_refused() -> None:
    with pytest.raises(TemplateMismatch):
        cosine_similarity(np.ones(128, dtype=np.float32), np.ones(512, dtype=np.float32))


def test_rounding_never_leaves_the_range_of_a_cosine() -> None:
    template = np.full(512, 1 / math.sqrt(512), dtype=np.float32)
    assert cosine_similarity(template, template) <= 1.0
    assert cosine_similarity(template, -template) >= -1.0


def test_templates_of_two_forms_are_refused_whatever_their_length() -> None:
    portrait, scan = at_cosine(0.9)
    other = replace(scan, form_id="form+mirror")
    with pytest.raises(TemplateMismatch, match=r"form\+mirror"):
        compare(portrait=portrait, scan=other, calibration=THREE_DECADES, policy=POLICY)


def test_with_a_cohort_likeness_to_everybody_counts_less() -> None:
    drawn = np.random.default_rng(1).normal(size=(300, 16))
    drawn[:, 0] += 3.0
    people = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    scored = replace(THREE_DECADES, cohort=fit_cohort(people, directions=4))
    one, other = (Template(people[index], "form") for index in (0, 1))
    plain = compare(portrait=one, scan=other, calibration=THREE_DECADES, policy=POLICY)
    result = compare(portrait=one, scan=other, calibration=scored, policy=POLICY)
    assert result.cosine < plain.cosine
    vectors = scored.vectors(people[:2])
    assert result.cosine == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-6)
    assert result == compare(portrait=other, scan=one, calibration=scored, policy=POLICY)

"""Templates of several frames: one of their person, or of two in any order."""

import math
from dataclasses import replace
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from matcher.constancy import SWAP_MAX_FMR, measure_constancy
from matcher.errors import TemplateInvalid, TemplateMismatch
from matcher.similarity import fmr_bound
from matcher.template import TemplateSample, fuse_templates, is_comparable, sample_quality
from tests.matcher.calibrations import THREE_DECADES, calibration
from vision.face import Embedding, HeadPose
from vision.packs import Template
from vision.packs.calibration import ScanRange, ScorePoint

FRONTAL = HeadPose(yaw=0.0, pitch=0.0, roll=0.0)
QUALITIES = st.floats(0.05, 1.0)


def unit(seed: int, dimensions: int = 64) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    vector = np.random.default_rng(seed).normal(size=dimensions)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def sample(vector: Embedding, quality: float) -> TemplateSample:
    return TemplateSample(Template(vector, "form"), quality)


SAMPLES = st.lists(st.builds(sample, st.integers(0, 10**6).map(unit), QUALITIES), min_size=1, max_size=9)


@given(SAMPLES)
def test_the_result_has_length_1(samples: list[TemplateSample]) -> None:
    assert np.linalg.norm(fuse_templates(samples).vector) == pytest.approx(1.0, abs=1e-5)


@given(SAMPLES, st.randoms())
def test_the_order_of_the_frames_does_not_matter(samples: list[TemplateSample], random: Random) -> None:
    shuffled = list(samples)
    random.shuffle(shuffled)
    np.testing.assert_allclose(fuse_templates(samples).vector, fuse_templates(shuffled).vector, atol=1e-6)


@given(SAMPLES, st.floats(0.1, 1.0))
def test_only_the_ratio_of_the_qualities_matters(samples: list[TemplateSample], factor: float) -> None:
    scaled = [replace(each, quality=each.quality * factor) for each in samples]
    np.testing.assert_allclose(fuse_templates(samples).vector, fuse_templates(scaled).vector, atol=1e-5)


@given(st.integers(0, 10**6), st.lists(QUALITIES, min_size=1, max_size=8))
def test_equal_frames_give_their_own_template(seed: int, qualities: list[float]) -> None:
    fused = fuse_templates([sample(unit(seed), quality) for quality in qualities]).vector
    np.testing.assert_allclose(fused, unit(seed), atol=1e-6)


def test_the_better_frame_pulls_the_template_to_its_side() -> None:
    good, poor = unit(1), unit(2)
    fused = fuse_templates([sample(good, 1.0), sample(poor, 0.1)]).vector
    assert float(fused @ good) > 0.9 > float(fused @ poor)


def test_fusion_of_noisy_frames_comes_closer_to_the_person_than_a_frame() -> None:
    person, rng = unit(7).astype(np.float64), np.random.default_rng(3)
    frames = [person + rng.normal(scale=0.1, size=person.size) for _ in range(8)]
    samples = [sample((f / np.linalg.norm(f)).astype(np.float32), 1.0) for f in frames]
    fused = fuse_templates(samples).vector
    assert float(fused @ person) > max(float(each.template.vector @ person) for each in samples)


def test_no_frame_is_refused() -> None:
    with pytest.raises(TemplateInvalid):
        fuse_templates([])


def test_frames_of_two_embedders_are_refused() -> None:
    one, other = (TemplateSample(Template(unit(1), form), 1.0) for form in ("one/128", "other/128"))
    assert fuse_templates([one, one]).form_id == "one/128"
    with pytest.raises(TemplateMismatch):
        fuse_templates([one, other])
    with pytest.raises(TemplateMismatch):
        fuse_templates([sample(unit(1, 128), 1.0), sample(unit(1, 512), 1.0)])


def test_frames_that_cancel_each_other_out_are_refused() -> None:
    with pytest.raises(TemplateInvalid):
        fuse_templates([sample(unit(1), 0.5), sample(-unit(1), 0.5)])


@pytest.mark.parametrize("quality", [0.0, -0.1, 1.1, math.nan])
def test_a_quality_out_of_range_is_refused(quality: float) -> None:
    with pytest.raises(TemplateInvalid):
        fuse_templates([sample(unit(1), quality)])


@pytest.mark.parametrize("factor", [0.5, 0.0, math.nan])
def test_a_template_not_of_length_1_is_refused(factor: float) -> None:
    with pytest.raises(TemplateInvalid):
        fuse_templates([sample((unit(1) * factor).astype(np.float32), 1.0)])


@pytest.mark.parametrize(
    ("sharpness", "yaw", "pitch", "eye_distance", "comparable"),
    [
        (40.0, 0.0, 0.0, 60.0, True),
        (40.0, -35.0, 25.0, 60.0, True),
        (40.0, -36.0, 0.0, 60.0, False),
        (40.0, 0.0, 26.0, 60.0, False),
        (9.0, 0.0, 0.0, 60.0, False),
        (40.0, 0.0, 0.0, 14.0, False),
        (40.0, np.nan, 0.0, 60.0, False),
    ],
)
def test_a_frame_unlike_the_calibrations_photos_is_not_comparable(
    sharpness: float, yaw: float, pitch: float, eye_distance: float, comparable: bool
) -> None:
    pose = HeadPose(yaw=yaw, pitch=pitch, roll=0.0)
    assert is_comparable(sharpness=sharpness, pose=pose, eye_distance=eye_distance) is comparable


def test_a_sharp_large_frontal_frame_counts_fully() -> None:
    assert sample_quality(sharpness=1e4, pose=FRONTAL, eye_distance=200.0) == 1.0


@pytest.mark.parametrize(
    ("sharpness", "yaw", "pitch", "eye_distance"),
    [(0.0, 0.0, 0.0, 200.0), (1e4, 90.0, 0.0, 200.0), (1e4, 0.0, 120.0, 200.0), (1e4, 0.0, 0.0, 0.0)],
)
def test_a_frame_without_any_of_it_hardly_counts(
    sharpness: float, yaw: float, pitch: float, eye_distance: float
) -> None:
    pose = HeadPose(yaw=yaw, pitch=pitch, roll=0.0)
    assert sample_quality(sharpness=sharpness, pose=pose, eye_distance=eye_distance) == 0.05


@given(st.floats(0, 1e5), st.floats(-180, 180), st.floats(-90, 90), st.floats(0, 1e4))
def test_a_quality_can_always_be_fused(sharpness: float, yaw: float, pitch: float, eyes: float) -> None:
    pose = HeadPose(yaw=yaw, pitch=pitch, roll=0.0)
    quality = sample_quality(sharpness=sharpness, pose=pose, eye_distance=eyes)
    assert 0.05 <= quality <= 1.0
    fuse_templates([sample(unit(1), quality)])


@given(st.floats(0, 80), st.floats(0, 80))
def test_turning_further_away_never_raises_the_quality(one: float, other: float) -> None:
    assume(one != other)
    near, far = sorted((one, other))
    qualities = [
        sample_quality(sharpness=30.0, pose=HeadPose(yaw=yaw, pitch=0.0, roll=0.0), eye_distance=50.0)
        for yaw in (near, far)
    ]
    assert qualities[0] >= qualities[1]


def test_a_measure_that_is_no_number_hardly_counts() -> None:
    pose = HeadPose(yaw=math.nan, pitch=0.0, roll=0.0)
    assert sample_quality(sharpness=1e4, pose=pose, eye_distance=200.0) == 0.05


_NOISE = 0.02


def _frames(letters: str, *, noise: float = _NOISE, quality: float = 0.8) -> list[TemplateSample]:
    """A frame for each letter; equal letters are one person, with the noise that frames have."""
    rng = np.random.default_rng(5)
    samples = []
    for letter in letters:
        vector = unit(ord(letter)).astype(np.float64) + rng.normal(scale=noise, size=64)
        samples.append(sample((vector / np.linalg.norm(vector)).astype(np.float32), quality))
    return samples


@pytest.mark.parametrize("letters", ["AA", "AAA", "AAAAAAAA", "A" * 16])
def test_one_person_is_one(letters: str) -> None:
    found = measure_constancy(_frames(letters), calibration=THREE_DECADES)
    assert found is not None
    assert found.constant
    assert found.cosine > 0.9
    assert found.samples == len(letters)
    assert found.max_fmr == SWAP_MAX_FMR


@pytest.mark.parametrize(
    ("letters", "apart"),
    [
        ("AB", (1,)),
        ("AAAABBBB", (4, 5, 6, 7)),
        ("AAAAAAAB", (7,)),
        ("BAAAAAAA", (0,)),
        ("AAABBAAA", (3, 4)),
        ("ABABABAB", (1, 3, 5, 7)),
        ("AABAABAA", (2, 5)),
    ],
)
def test_another_person_is_found_at_any_position(letters: str, apart: tuple[int, ...]) -> None:
    found = measure_constancy(_frames(letters), calibration=THREE_DECADES)
    assert found is not None
    assert not found.constant
    assert found.apart == apart
    assert found.fmr_bound == fmr_bound(found.cosine, calibration=THREE_DECADES)


def test_groups_that_both_match_the_portrait_are_one_person() -> None:
    frames = _frames("AAABBB")
    alone = measure_constancy(frames, calibration=THREE_DECADES)
    assert alone is not None
    assert not alone.constant
    both = measure_constancy(frames, calibration=THREE_DECADES, is_portrait=lambda _: True)
    assert both is not None
    assert both.constant
    assert both.fmr_bound > both.max_fmr


@pytest.mark.parametrize("portrait", ["A", "B"])
def test_one_group_that_does_not_match_the_portrait_is_another_person(portrait: str) -> None:
    template = unit(ord(portrait))
    found = measure_constancy(
        _frames("AABBAAAA"),
        calibration=THREE_DECADES,
        is_portrait=lambda fused: float(fused.vector @ template) > 0.5,
    )
    assert found is not None
    assert not found.constant
    assert found.apart == (2, 3)


@pytest.mark.parametrize("letters", ["ABCABCAB", "AABBCCDD", "ABBBBBBA", "ABACADAE"])
def test_three_and_more_are_not_one_either(letters: str) -> None:
    found = measure_constancy(_frames(letters), calibration=THREE_DECADES)
    assert found is not None
    assert not found.constant


def test_one_blurred_frame_is_outvoted_by_its_neighbours() -> None:
    # Its cosine to one other poor frame is that of a stranger; to all of them together it is not.
    person, first, second = np.eye(64)[:3]
    poor = [person + 1.2 * other for other in (first, second)]
    templates = [*[person] * 6, *(template / np.linalg.norm(template) for template in poor)]
    samples = [sample(template.astype(np.float32), 1.0) for template in templates]
    pairs = [float(a.template.vector @ b.template.vector) for a, b in combinations(samples, 2)]
    found = measure_constancy(samples, calibration=calibration((0.0, 1.0), (0.5, SWAP_MAX_FMR)))
    assert found is not None
    assert min(pairs) < 0.5 <= found.cosine
    assert found.constant


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("AB"), st.floats(0.05, 1.0)), min_size=2, max_size=6))
def test_no_division_of_two_persons_frames_is_less_alike(frames: list[tuple[str, float]]) -> None:
    noisy = _frames("".join(letter for letter, _ in frames))
    samples = [replace(one, quality=weight) for one, (_, weight) in zip(noisy, frames, strict=True)]
    cosines = [
        float(
            fuse_templates([samples[at] for at in chosen]).vector
            @ fuse_templates([samples[at] for at in rest]).vector
        )
        for size in range(1, len(samples))
        for chosen in combinations(range(len(samples)), size)
        if (rest := [at for at in range(len(samples)) if at not in chosen])
    ]
    found = measure_constancy(samples, calibration=THREE_DECADES)
    assert found is not None
    assert found.cosine == pytest.approx(min(cosines), abs=0.02)
    assert 1 <= len(found.apart) <= len(samples) / 2


@settings(deadline=None)
@given(st.integers(2, 12), st.integers(0, 10**6))
def test_the_order_of_the_frames_does_not_matter_for_constancy(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = [
        replace(each, quality=float(rng.uniform(0.1, 1)))
        for each in _frames("".join(rng.choice(list("ABC"), count)))
    ]
    ahead = measure_constancy(samples, calibration=THREE_DECADES)
    shuffled = [samples[place] for place in rng.permutation(count)]
    found = measure_constancy(shuffled, calibration=THREE_DECADES)
    assert ahead is not None
    assert found is not None
    assert ahead.cosine == pytest.approx(found.cosine, abs=1e-6)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_frames_are_not_assessed(count: int) -> None:
    assert measure_constancy(_frames("A" * count), calibration=THREE_DECADES) is None


def test_a_calibration_that_supports_less_is_used_as_far_as_it_goes() -> None:
    weak = calibration((0.0, 1.0), (0.5, 0.05))
    alike, strangers = (measure_constancy(_frames(letters), calibration=weak) for letters in ("AAAA", "AABB"))
    assert alike is not None
    assert strangers is not None
    assert alike.max_fmr == strangers.max_fmr == 0.05
    assert alike.constant
    assert not strangers.constant


def test_templates_that_cancel_each_other_out_are_not_of_one_person() -> None:
    samples = [sample(sign * unit(1), 1.0) for sign in (1, -1, 1, -1, 1)]
    found = measure_constancy(samples, calibration=THREE_DECADES)
    assert found is not None
    assert found.cosine == -1.0
    assert not found.constant


def test_incompatible_templates_are_refused() -> None:
    one, other = (TemplateSample(Template(unit(1), form), 1.0) for form in ("one", "other"))
    with pytest.raises(TemplateMismatch):
        measure_constancy([one, other], calibration=THREE_DECADES)
    with pytest.raises(TemplateMismatch):
        measure_constancy(
            [sample(unit(1, 64), 1.0), sample(unit(1, 32), 1.0)],
            calibration=THREE_DECADES,
        )
    with pytest.raises(TemplateInvalid):
        measure_constancy([sample(unit(1), 1.0), sample(unit(1), 0.0)], calibration=THREE_DECADES)


def test_frames_are_compared_by_the_range_of_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matcher.constancy.SWAP_MAX_FMR", 0.5)
    samples = [sample(unit(seed), 1.0) for seed in (1, 1, 2, 2)]
    lax = measure_constancy(samples, calibration=THREE_DECADES)
    points = (ScorePoint(-0.9, 0.4), ScorePoint(0.9, 0.01))
    scans = ScanRange(points, 3, 6, 3, 12)
    found = measure_constancy(samples, calibration=replace(THREE_DECADES, scans=scans))
    assert lax is not None
    assert found is not None
    assert found.cosine == lax.cosine
    assert found.fmr_bound == fmr_bound(found.cosine, calibration=replace(THREE_DECADES, points=points))
    assert found.fmr_bound != lax.fmr_bound

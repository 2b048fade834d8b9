import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from matcher.errors import TemplateInvalid, TemplateMismatch
from matcher.template import TemplateSample, fuse_templates, is_comparable, sample_quality
from vision.face import Embedding, HeadPose
from vision.packs import Template

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

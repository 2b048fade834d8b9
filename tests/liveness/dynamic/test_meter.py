"""The meter of a running flash, and the model and policy that it reads."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveness.dynamic.challenge.proof import Disturbance, Light
from liveness.dynamic.judge import judge_flash
from liveness.dynamic.meter import FlashMeter
from liveness.dynamic.model import FlashModel, load_flash_model, parse_flash_model
from liveness.dynamic.policy import DynamicPolicy
from liveness.dynamic.sample import LINEAR_LIGHT, FlashSample, Region
from liveness.errors import FlashModelError, LivenessPolicyError
from tests.liveness.builders import face_at
from tests.liveness.dynamic.light_scan import LAG, LightScan, light_scan
from tests.liveness.dynamic.synthetic import RenderedKind, exposure_claim, judged, rendered


def _fed(
    scan: LightScan,
    samples: Sequence[FlashSample] | None = None,
    model: FlashModel | None = None,
    *,
    asked: Callable[[FlashMeter], object] = FlashMeter.readings,
) -> FlashMeter:
    """A meter that was fed the scan, and asked after every frame."""
    meter = FlashMeter(model)
    waiting = list(scan.revealed)
    for sample in samples or scan.samples:
        while waiting and sample.arrival_time > waiting[0].at:
            one = waiting.pop(0)
            meter.note_drawn(one.step, one.at)
        meter.meter_frame(sample)
        asked(meter)
    return meter


def _rendered(kind: RenderedKind, lux: float = 150.0) -> LightScan:
    scan = rendered(kind, lux)
    return LightScan(tuple(scan.samples), tuple(scan.sent))


def test_a_face_is_read_step_by_step() -> None:
    scan = light_scan(1)
    meter = _fed(scan)
    coloured = {one.step.number: one.step for one in scan.revealed if one.step.bits}
    readings = {reading.step: reading for reading in meter.readings()}
    assert list(readings) == [one.step.number for one in scan.revealed]
    for number in list(coloured)[:-1]:
        assert readings[number].agrees is True
        assert readings[number].settled
        assert readings[number].frames >= 3
        assert not readings[number].disturbed
    assert readings[1].settled
    assert readings[1].agrees is None
    bits = [step.colour_bits for number, step in coloured.items() if readings[number].agrees]
    assert meter.verified_bits() == pytest.approx(sum(bits))
    assert meter.lag() == pytest.approx(LAG - 0.02, abs=0.03)
    assert meter.light() is Light.OK


def _faint(strength: float) -> LightScan:
    return light_scan(2, strength=strength, noise=0.02, steps=14)


@pytest.mark.parametrize(
    ("scan", "doubtful"),
    [
        (lambda: _rendered(RenderedKind.GENUINE), False),
        (lambda: _rendered(RenderedKind.GLASS), True),
        (lambda: _faint(0.0), False),
        (lambda: _faint(0.03), True),
        (lambda: _faint(0.3), False),
    ],
    ids=["a head", "glass", "no answer", "an answer too faint for a lag", "a clear answer"],
)
def test_doubts_of_the_judge_so_far_are_reported(scan: Callable[[], LightScan], doubtful: bool) -> None:
    # A challenge ends with its closing step, and doubts before.
    whole = scan()
    before = [sample for sample in whole.samples if sample.arrival_time <= whole.revealed[-1].at]
    assert _fed(whole, before, asked=lambda _: None).doubtful() is doubtful


def test_a_step_is_reported_while_it_is_on_display() -> None:
    """The challenge waits for it: it must be known when the step has been held."""
    scan = light_scan(2)
    seen: list[dict[int, bool | None]] = []
    _fed(scan, asked=lambda meter: seen.append({one.step: one.agrees for one in meter.readings()}))
    # What is known of each colour when the next one is drawn.
    known = [
        before[max(before)]
        for before, after in pairwise(seen)
        if len(after) > len(before) and max(before, default=0) > 2
    ]
    assert known.count(True) >= len(known) - 1 > 3


@pytest.mark.parametrize("seed", [2, 6])
@pytest.mark.parametrize("lost", [0, 1, 3])
def test_a_refreshed_meter_agrees_with_the_judge_of_the_whole_scan(seed: int, lost: int) -> None:
    """However often it was measured before, and however its lag was found."""
    scan = light_scan(seed, noise=0.02)
    samples = scan.samples[: len(scan.samples) - lost]
    asked, fresh = _fed(scan, samples), _fed(scan, samples, asked=lambda _: None)
    for meter in (asked, fresh):
        meter.refresh()
    assert asked.readings() == fresh.readings()
    assert asked.lag() == fresh.lag()
    judged = judge_flash(samples=samples, revealed=scan.revealed, model=load_flash_model())
    agreed = {one.step: one.agrees for one in fresh.readings()}
    assert {answer.number: answer.agrees for answer in judged.steps} == {
        answer.number: agreed[answer.number] for answer in judged.steps
    }


_GONE = np.full((len(Region), 3), np.nan, np.float32)


@pytest.mark.parametrize(
    ("change", "disturbance"),
    [
        (lambda one: replace(one, face=None, linear=_GONE), Disturbance.FACE_LOST),
        (lambda one: replace(one, face=face_at(150.0 + 60 * (one.index % 3))), Disturbance.MOVED),
    ],
)
def test_a_lost_or_moving_face_disturbs_its_step(
    change: Callable[[FlashSample], FlashSample], disturbance: Disturbance
) -> None:
    scan = light_scan(3)
    samples = [change(one) if one.step == 4 else one for one in scan.samples]
    reading = next(one for one in _fed(scan, samples).readings() if one.step == 4)
    assert disturbance in reading.disturbed
    assert (reading.settled, reading.agrees) == (False, None)


@pytest.mark.parametrize(
    ("kind", "lux", "light"),
    [
        (RenderedKind.GENUINE, 400.0, Light.OK),
        (RenderedKind.GENUINE, 30000.0, Light.TOO_BRIGHT),
        # No answer in a dim room is one of a dim screen.
        (RenderedKind.CLEAN, 20.0, Light.WEAK),
    ],
)
def test_the_answer_determines_the_light(kind: RenderedKind, lux: float, light: Light) -> None:
    assert _fed(_rendered(kind, lux)).light() is light


@pytest.mark.parametrize(("right_snr", "light"), [(1.0, Light.OK), (1e6, Light.TOO_BRIGHT)])
def test_faint_answers_that_agree_show_that_the_light_suffices(right_snr: float, light: Light) -> None:
    model = load_flash_model()
    faint = replace(model.response, least_snr=1e6, right_snr=right_snr)
    assert _fed(light_scan(1), model=replace(model, response=faint)).light() is light


@pytest.mark.parametrize(
    ("kind", "lux", "shows"),
    [
        (RenderedKind.GENUINE, 150.0, True),
        (RenderedKind.PRINT, 150.0, False),
        # The screen is all the light there is.
        (RenderedKind.GENUINE, 1.0, False),
    ],
)
def test_the_light_shows_the_shape_of_a_head_alone(kind: RenderedKind, lux: float, shows: bool) -> None:
    assert _fed(_rendered(kind, lux)).shape_shows() is shows
    assert not FlashMeter().shape_shows(), "nothing is known yet"


@pytest.mark.parametrize(("kind", "right"), [(RenderedKind.GENUINE, True), (RenderedKind.GLASS, False)])
def test_the_challenge_is_answered_if_the_judge_finds_so(kind: RenderedKind, right: bool) -> None:
    assert _fed(_rendered(kind)).right() is right


@pytest.mark.parametrize(("gain", "light"), [(0.005, Light.TOO_DARK_TO_SEE_FACE), (1.0, Light.OK)])
def test_a_black_face_is_too_dark(gain: float, light: Light) -> None:
    scan = light_scan(1)
    samples = [replace(one, linear=(one.linear * gain).astype(np.float32)) for one in scan.samples]
    assert _fed(scan, samples).light() is light


def test_saturated_skin_is_too_bright() -> None:
    scan = light_scan(1)
    samples = [replace(one, linear=_GONE, usable=np.zeros(len(Region), np.float32)) for one in scan.samples]
    assert _fed(scan, samples).light() is Light.TOO_BRIGHT


@pytest.mark.parametrize(
    ("iso", "light"), [(1600.0, Light.OK), (20.0, Light.TOO_BRIGHT), (0, Light.TOO_BRIGHT)]
)
def test_skin_that_the_screen_saturates_in_a_dim_room_is_no_bright_light(iso: float, light: Light) -> None:
    """Until the camera's exposure has followed, or if it was locked too early."""
    scan = light_scan(1)
    exposure = exposure_claim(1 / 30, iso)
    half = np.full(len(Region), 0.5, np.float32)
    samples = [replace(one, exposure=exposure, usable=half) for one in scan.samples]
    assert _fed(scan, samples).light() is light


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_order_of_claims_breaks_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scan = light_scan(4, steps=4)
    samples = [
        replace(
            one,
            step=int(rng.integers(0, 2**31)) if rng.random() < 0.2 else int(rng.integers(0, 8)),
            step_since=None if rng.random() < 0.2 else float(rng.normal(0, 10 ** rng.integers(0, 9))),
            capture_time=one.capture_time + float(rng.normal(0, 0.2)),
        )
        for one in scan.samples
    ]
    meter = _fed(scan, samples)
    honest = _fed(scan).verified_bits()
    assert meter.verified_bits() <= honest + 1e-9
    for reading in meter.readings():
        assert np.isfinite(reading.snr)
        assert reading.frames >= 0


TEXT = files("liveness.dynamic").joinpath("flash_model.toml").read_text(encoding="utf-8")


def test_every_signal_has_a_weight() -> None:
    names = {signal.name for signal in judged(RenderedKind.GENUINE).signals}
    assert names == set(load_flash_model().judge.weights)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("margin = 2.0", "margin = true"),
        ("margin = 2.0", 'margin = "4"'),
        ("margin = 2.0", "margin = nan"),
        ("margin = 2.0\n", ""),
        ("margin = 2.0", "margin = 2.0\nother = 1.0"),
        ("least_frames = 3", "least_frames = 3.5"),
        ("[glare]", "[glimmer]"),
        ("bend_degree = 5", "bend_degree = 5.5"),
        ("no_depth = 0.25\n", ""),
        ("[movement.came_closer]", "[movement.came_nearer]"),
        ("[record]", "[other]"),
        ('version = "14"', "version = 3"),
        ('version = "14"', ""),
        ("[judge.weights]", "[judge.weight]"),
        ("[lag]", "[lag"),
    ],
)
def test_a_broken_model_is_refused(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(FlashModelError):
        parse_flash_model(TEXT.replace(old, new, 1))


@pytest.mark.usefixtures("without_collection")
def test_a_model_nested_beyond_reason_is_refused() -> None:
    with pytest.raises(FlashModelError):
        parse_flash_model("a = " + "[" * 5000)


@given(text=st.text())
def test_no_text_breaks_it(text: str) -> None:
    with pytest.raises(FlashModelError):
        parse_flash_model(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"minimum_bits": 9.9},
        {"minimum_bits": 20.1},
        {"minimum_bits": float("nan")},
        {"maximum_steps": 3},
        {"maximum_steps": 15},
        {"maximum_seconds": 2.0},
        {"maximum_seconds": float("inf")},
        {"light_patience_seconds": -1.0},
        {"blink_patience_seconds": 31.0},
        {"blink_patience_seconds": float("nan")},
        {"depth_patience_seconds": 31.0},
        {"depth_patience_seconds": -1.0},
    ],
)
def test_policies_that_contradict_themselves_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(LivenessPolicyError):
        DynamicPolicy(**changes)  # type: ignore[arg-type]  # the class checks


def test_light_of_known_values() -> None:
    # 0.5 encoded is 21.4 % of the light; up to 10 of 255 the curve is a line.
    assert LINEAR_LIGHT[[0, 255]].tolist() == [0.0, 1.0]
    assert np.interp(127.5, np.arange(256), LINEAR_LIGHT) == pytest.approx(0.2140, abs=2e-4)
    assert LINEAR_LIGHT[10] == pytest.approx(10 / 255 / 12.92)


def test_light_rises_and_cannot_be_changed() -> None:
    assert (np.diff(LINEAR_LIGHT) > 0).all()
    with pytest.raises(ValueError, match="read-only"):
        LINEAR_LIGHT[0] = 1.0

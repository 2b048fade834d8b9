"""The times between screen and frames: lag, freshness and leaps."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.exposure import ExposureClaim
from liveness.dynamic.challenge import RevealedStep
from liveness.dynamic.judge import FlashResult, judge_flash
from liveness.dynamic.measurement.freshness import (
    Freshness,
    Leaps,
    answer_ages,
    find_leaps,
    freshness_signal,
    measure_freshness,
)
from liveness.dynamic.measurement.lag import (
    LagFinding,
    centring_within_detections,
    earliest_lag,
    find_lag,
    lag_signal,
    measure_lag,
    region_lags,
    step_lags,
)
from liveness.dynamic.measurement.response import fit_response
from liveness.dynamic.measurement.track import Appearance, FlashTrack, Sent, TrackView
from liveness.dynamic.meter import FlashMeter
from liveness.dynamic.model import load_flash_model
from liveness.dynamic.policy import ChallengeFinding
from liveness.dynamic.sample import FlashSample
from liveness.verdict import VerdictReason
from tests.liveness.dynamic.light_scan import LAG, OFFSET, LightScan, guessing, light_scan, seen, track_of
from tests.liveness.dynamic.synthetic import RenderedKind, exposure_claim, rendered
from tests.sampling import some_fast


def test_each_detection_interval_loses_its_own_mean() -> None:
    within = centring_within_detections(np.array([0, 0, 1, 1, 1, 2]))
    np.testing.assert_allclose(within @ [1.0, 3.0, 10.0, 11.0, 12.0, 7.0], [-1, 1, -1, 0, 1, 0], atol=1e-12)


MODEL = load_flash_model()
MARGIN = MODEL.lag.early
_DISPLAY = 0.01
"""From the claimed appearance of a colour to its light, seconds."""
_PIPELINE = 0.04
"""From the end of the read-out to the arrival at the app, seconds."""


def _filmed(stamp: str, *, fps: float, exposure: float, readout: float = 0.025, seed: int = 2) -> LightScan:
    """A genuine scan of a phone that stamps the start or middle of the exposure, or the arrival."""
    after = {
        "start": 0.0,
        "middle": (exposure + readout) / 2,
        "arrival": exposure + readout + _PIPELINE,
    }[stamp]
    scan = light_scan(
        seed, fps=fps, steps=10, lag=_DISPLAY, exposure=exposure, shown_after=readout / 2, stamped_after=after
    )
    return _claiming(scan, exposure_claim(exposure, readout=readout))


def _claiming(scan: LightScan, claim: ExposureClaim | None) -> LightScan:
    return replace(scan, samples=tuple(replace(sample, exposure=claim) for sample in scan.samples))


@pytest.mark.parametrize("stamp", ["start", "middle", "arrival"])
@pytest.mark.parametrize(("fps", "exposure"), [(20.0, 0.01), (20.0, 0.048), (8.3, 0.118)])
def test_every_honest_time_stamp_is_within_the_window(stamp: str, fps: float, exposure: float) -> None:
    scan = _filmed(stamp, fps=fps, exposure=exposure)
    track, shown = seen(scan)
    lag, explained = measure_lag(track, shown)
    assert lag is not None
    assert explained > 0.5
    assert earliest_lag(track, margin=MARGIN) < lag < MODEL.lag.longest
    # The margin is needed by none of them.
    assert lag > earliest_lag(track, margin=0.0) - 0.01


def _lag_score(scan: LightScan) -> float:
    (signal,) = (one for one in _judge(scan).signals if one.name == "flash_lag")
    assert signal.score is not None
    return signal.score


@pytest.mark.parametrize(("fps", "exposure"), [(20.0, 0.048), (8.3, 0.118)])
def test_a_long_exposure_is_no_early_answer(fps: float, exposure: float) -> None:
    assert _lag_score(_filmed("start", fps=fps, exposure=exposure)) > 0.5


@pytest.mark.parametrize("lag", [-0.15, -0.2])
def test_an_answer_before_any_exposure_is_early(lag: float) -> None:
    scan = light_scan(2, fps=20.0, steps=10, lag=lag)
    assert _lag_score(_claiming(scan, exposure_claim(0.01, readout=0.02))) == MODEL.lag.early_score


def test_longer_exposures_and_read_outs_explain_earlier_answers() -> None:
    scan = light_scan(1, fps=20.0)
    windows = [
        earliest_lag(
            track_of(_claiming(scan, exposure_claim(exposure, readout=readout))),
            margin=MARGIN,
        )
        for exposure, readout in ((0.01, 0.01), (0.03, 0.01), (0.03, 0.03))
    ]
    assert windows == sorted(windows, reverse=True)
    assert windows[0] == pytest.approx(-(0.05 + 0.01 + 0.01) / 2 - MARGIN, abs=0.001)


@pytest.mark.parametrize("claim", [0.0, -1.0, 0.2, 1e9])
def test_a_claim_gains_no_more_than_a_frame(claim: float) -> None:
    scan = light_scan(1, fps=20.0)
    silent = earliest_lag(track_of(scan), margin=MARGIN)
    most = exposure_claim(claim, readout=claim)
    assert earliest_lag(track_of(_claiming(scan, most)), margin=MARGIN) == silent
    assert silent == pytest.approx(-1.5 * 0.05 - MARGIN, abs=0.001)


SETTINGS = MODEL.lag


@pytest.mark.parametrize("lag", [0.0, 0.08, 0.5, 1.1])
def test_the_lag_is_found(lag: float) -> None:
    track, shown = seen(light_scan(2, lag=lag, steps=10))
    found, explained = measure_lag(track, shown)
    # A frame shows the scene at its capture: on average half a frame's time is blurred.
    assert found == pytest.approx(lag - 0.02, abs=0.025)
    assert explained > 0.5


def _spread(scan: LightScan, *, lag: float = LAG) -> float:
    """The spread of the steps' own lags."""
    track, shown = seen(scan)
    response = fit_response(track, shown, lag=lag, settings=MODEL.response)
    assert response is not None
    lags = [own for _, own in step_lags(track, shown, response.matrix, lag=lag)]
    assert len(lags) >= 3
    return float(np.std(lags))


def test_jitter_shows_step_by_step() -> None:
    steady, uneven = (
        _spread(light_scan(3, lag=0.15, lag_jitter=jitter, steps=12, noise=0.003), lag=0.13)
        for jitter in (0.0, 0.06)
    )
    assert steady < 0.02
    assert uneven > 0.03


def test_a_face_that_is_found_anew_has_not_answered() -> None:
    scans = [light_scan(seed, strength=0.15, steps=14, noise=0.003, leaps=0.06) for seed in range(12)]
    unaware = [
        LightScan(tuple(replace(sample, followed=False) for sample in scan.samples), scan.revealed)
        for scan in scans
    ]
    aware = [_spread(scan) for scan in scans]
    assert max(aware) < 0.01
    assert np.median([_spread(scan) for scan in unaware]) > 1.5 * np.median(aware)


def test_regions_agree() -> None:
    track, shown = seen(light_scan(4))
    lag, _ = measure_lag(track, shown)
    assert lag is not None
    lags = region_lags(track, shown, lag=lag)
    assert len(lags) == 5
    assert float(np.std(lags)) < 0.005


@pytest.mark.parametrize(("strength", "is_compared"), [(0.03, False), (0.3, True)])
def test_times_are_compared_where_the_answer_is_clear(strength: float, is_compared: bool) -> None:
    track, shown = seen(light_scan(2, strength=strength, noise=0.02, steps=14))
    lag, explained = measure_lag(track, shown)
    assert lag is not None
    response = fit_response(track, shown, lag=lag, settings=MODEL.response)
    assert response is not None
    found = find_lag(track, shown, response.matrix, lag=lag, explained=explained)
    assert (found.lag, found.explained, found.comparable) == (lag, explained, is_compared)
    for compared in (found.jitter, found.spread):
        assert (compared is not None) is is_compared
    assert LagFinding(lag, explained, 0.01, None).comparable
    assert LagFinding(lag, explained, None, 0.01).comparable


def test_no_answer_has_no_lag() -> None:
    track, shown = seen(light_scan(5, strength=0.0))
    _, explained = measure_lag(track, shown)
    assert explained < 0.2
    assert measure_lag(track, shown[:1]) == (None, 0.0)


@pytest.mark.parametrize(
    ("finding", "passed"),
    [
        (LagFinding(0.06, 0.9, 0.004, 0.003), True),
        (LagFinding(0.06, 0.9, 0.06, 0.003), False),
        (LagFinding(0.06, 0.9, 0.004, 0.08), False),
        (LagFinding(-0.12, 0.9, 0.004, 0.003), False),
        (LagFinding(0.5, 0.9, 0.004, 0.003), None),
        (LagFinding(0.5, 0.9, None, None), None),
        (LagFinding(0.5, 0.9, 0.06, 0.003), False),
        (LagFinding(0.9, 0.9, 0.004, 0.08), False),
        (LagFinding(0.06, 0.9, None, None), None),
        (LagFinding(None, 0.0, None, None), None),
        (LagFinding(0.06, 0.05, 0.004, 0.003), None),
    ],
)
def test_lateness_alone_proves_nothing(finding: LagFinding, passed: bool | None) -> None:
    assert lag_signal(finding, SETTINGS, earliest=-0.1).passed is passed


SCAN = light_scan(4)
FRAME = 1 / 25
DISPLAY = 0.039
"""The time from sending a step to its appearance in a light scan, seconds."""


def _ages(scan: LightScan) -> dict[int, float]:
    track, shown = seen(scan)
    lag, _ = measure_lag(track, shown)
    assert lag is not None
    sent = [Sent(one.step, one.at, 0.0) for one in scan.revealed]
    return answer_ages(track, sent, shown, lag=lag, round_trip=0.3)


def _judge(scan: LightScan) -> FlashResult:
    return judge_flash(samples=scan.samples, revealed=scan.revealed, model=MODEL)


def _later(scan: LightScan, seconds: float, *, round_trip: float = 0.0) -> LightScan:
    """The scan whose frames all arrive later."""
    later = (
        replace(one, arrival_time=one.arrival_time + seconds, round_trip=round_trip) for one in scan.samples
    )
    return replace(scan, samples=tuple(later))


def _on_another_clock(scan: LightScan, seed: int) -> LightScan:
    """The scan of a device whose clock rises in any way, with claims by that clock."""
    rng = np.random.default_rng(seed)
    true = [0.0, *(one.capture_time for one in scan.samples)]
    false = np.cumsum([0.0, *(np.diff(true) * rng.uniform(0.6, 1.6, len(true) - 1))])
    since = [
        None if one.step_since is None else float(np.interp(one.step_since, true, false))
        for one in scan.samples
    ]
    claimed = (
        replace(one, capture_time=float(time), step_since=claim)
        for one, time, claim in zip(scan.samples, false[1:], since, strict=True)
    )
    return replace(scan, samples=tuple(claimed))


def test_an_answer_is_as_old_as_display_camera_and_the_next_frame_make_it() -> None:
    unseen = RevealedStep(replace(SCAN.revealed[-2].step, number=90), OFFSET + 60.0)
    ages = _ages(replace(SCAN, revealed=(*SCAN.revealed, unseen)))
    assert set(ages) == {one.step.number for one in SCAN.revealed if one.step.bits > 0}
    for age in ages.values():
        assert DISPLAY + LAG - 0.02 <= age <= DISPLAY + LAG + 1.5 * FRAME


def test_the_round_trip_is_subtracted_up_to_its_limit() -> None:
    ages = np.array(list(_ages(SCAN).values()))
    slow = np.array(list(_ages(_later(SCAN, 0.2, round_trip=0.2)).values()))
    assert slow == pytest.approx(ages)
    slower = np.array(list(_ages(_later(SCAN, 0.5, round_trip=0.5)).values()))
    assert slower == pytest.approx(ages + 0.2)


def _waiting(scan: LightScan, since: float, until: float, *, round_trip: float = 0.0) -> LightScan:
    """The scan with frames that waited for credit, from and until times relative to their arrival."""
    waiting = (
        replace(one, waited=(one.arrival_time + since, one.arrival_time + until), round_trip=round_trip)
        for one in scan.samples
    )
    return replace(scan, samples=tuple(waiting))


def test_the_wait_for_credit_is_subtracted_from_the_sending_on() -> None:
    ages = np.array(list(_ages(_later(SCAN, 0.2)).values()))
    waited = np.array(list(_ages(_waiting(_later(SCAN, 0.2), -0.15, -0.05)).values()))
    assert waited == pytest.approx(ages - 0.1)
    since_before = np.array(list(_ages(_waiting(_later(SCAN, 0.2), -5.0, -0.05)).values()))
    assert since_before == pytest.approx(np.full(len(ages), 0.05))
    before = np.array(list(_ages(_waiting(_later(SCAN, 0.2), -5.0, -1.0)).values()))
    assert before == pytest.approx(ages)


@given(
    round_trip=st.floats(0.0, 5.0),
    since=st.floats(-10.0, 0.0),
    lasted=st.floats(0.0, 10.0),
    delay=st.floats(0.0, 3.0),
)
@settings(max_examples=50, deadline=None)
def test_no_delay_of_messages_and_no_lack_of_credit_gain_more_than_the_limit(
    round_trip: float, since: float, lasted: float, delay: float
) -> None:
    late = _later(SCAN, delay)
    true = _ages(late)
    excused = _ages(_waiting(late, since, min(0.0, since + lasted), round_trip=round_trip))
    assert excused.keys() == true.keys()
    for number, age in excused.items():
        assert true[number] - 0.3 - 1e-9 <= age <= true[number] + 1e-9


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), delay=st.floats(0.0, 1.5))
def test_no_clock_of_the_device_makes_an_answer_younger(seed: int, delay: float) -> None:
    late = _later(SCAN, delay)
    true, claimed = _ages(late), _ages(_on_another_clock(late, seed))
    for number in true.keys() & claimed.keys():
        assert claimed[number] == pytest.approx(true[number], abs=2.5 * FRAME)


def _late_in(scan: LightScan, *, queued: float) -> tuple[set[int], set[int]]:
    """The late steps by the meter and by the judge, if each step waits at the server before it is sent.

    Frames that arrive meanwhile wait, too.
    """
    meter, waiting = FlashMeter(), list(scan.revealed)
    for sample in scan.samples:
        while waiting and sample.arrival_time > waiting[0].at - queued:
            one = waiting.pop(0)
            meter.note_drawn(one.step, one.at - queued)
            meter.note_sent(one.at)
        meter.meter_frame(sample)
    meter.refresh()
    return {one.step for one in meter.readings() if one.late}, set(_judge(scan).late)


@pytest.mark.parametrize("queued", [0.0, 2.0])
@pytest.mark.parametrize(("delay", "late"), [(0.0, False), (0.25, False), (0.5, True)])
def test_the_time_that_a_step_waits_at_the_server_is_not_the_devices(
    queued: float, delay: float, late: bool
) -> None:
    coloured = {one.step.number for one in SCAN.revealed if one.step.bits > 0}
    expected = coloured if late else set()
    assert _late_in(_later(SCAN, delay), queued=queued) == (expected, expected)


@pytest.mark.parametrize("delay", [0.0, 0.25])
def test_an_answer_in_time_is_verified(delay: float) -> None:
    result = _judge(_later(SCAN, delay))
    assert result.finding is ChallengeFinding.RIGHT
    assert not result.late
    assert result.verified_bits == _judge(SCAN).verified_bits


@pytest.mark.parametrize("delay", [0.5, 3.0])
def test_a_late_answer_is_neither_verified_nor_an_attack(delay: float) -> None:
    """Its device claims times at which it looks punctual."""
    result = _judge(_later(SCAN, delay))
    assert (result.finding, result.reason) == (
        ChallengeFinding.NOT_MEASURABLE,
        VerdictReason.CHALLENGE_ANSWERED_LATE,
    )
    assert result.verified_bits == 0


def test_a_clock_that_was_ahead_for_one_frame_gains_nothing() -> None:
    """The fastest frame seems to need a second less than the others; until version 8 that hid a second."""
    late = _later(SCAN, 0.8)
    first, *rest = late.samples
    ahead = replace(first, arrival_time=first.arrival_time - 1.5)
    assert _judge(LightScan((ahead, *rest), late.revealed)).reason is VerdictReason.CHALLENGE_ANSWERED_LATE


def test_a_network_that_becomes_fast_verifies_the_later_answers() -> None:
    third = [one for one in SCAN.revealed if one.step.bits > 0][2]

    def arrives(sample: FlashSample) -> float:
        return max(sample.arrival_time, min(sample.arrival_time + 0.6, third.at + 0.9))

    samples = tuple(replace(one, arrival_time=arrives(one)) for one in SCAN.samples)
    result = _judge(replace(SCAN, samples=samples))
    assert result.finding is ChallengeFinding.RIGHT
    assert 0 < len(result.late) < 5
    assert 0 < result.verified_bits < _judge(SCAN).verified_bits


FRESHNESS_SETTINGS = MODEL.freshness


def test_an_honest_scan_is_fresh() -> None:
    scan = light_scan(1)
    track, shown = seen(scan)
    sent = [Sent(one.step, one.at, 0.0) for one in scan.revealed]
    fresh = measure_freshness(track, sent, shown, lag=LAG, settings=FRESHNESS_SETTINGS)
    # The light scan shows a step 39 ms after it was sent.
    # The first frame after that arrives up to a frame later.
    assert fresh.age == pytest.approx(0.039 + LAG + 0.02, abs=0.021)
    assert fresh.delay == pytest.approx(0, abs=1e-6)
    assert freshness_signal(fresh, FRESHNESS_SETTINGS).passed


def test_frames_that_somebody_held_back_are_delayed() -> None:
    scan = light_scan(1)
    rng = np.random.default_rng(1)
    track = FlashTrack()
    for sample in scan.samples:
        track.append_sample(replace(sample, arrival_time=sample.arrival_time + float(rng.uniform(0, 2))))
    fresh = measure_freshness(track.view(), [], [], lag=LAG, settings=FRESHNESS_SETTINGS)
    assert fresh.age is None
    assert fresh.delay > 1.5


@pytest.mark.parametrize(
    ("fresh", "passed"),
    [
        (Freshness({2: 0.2}, 0.05, 0.0), True),
        (Freshness({2: 0.2}, 0.05, 0.3), False),
        (Freshness({2: 2.0}, 0.05, 0.0), None),
        (Freshness({2: 0.4}, 0.55, 0.0), True),
        (Freshness({2: 0.4}, 1.5, 0.0), None),
        (Freshness({}, 0.0, 0.0), None),
    ],
)
def test_lateness_alone_proves_nothing_for_freshness(fresh: Freshness, passed: bool | None) -> None:
    signal = freshness_signal(fresh, FRESHNESS_SETTINGS)
    assert signal.passed is passed
    assert signal.score is None or signal.score >= 0.05


def _leaps(track: TrackView, shown: Sequence[Appearance], *, lag: float = MODEL.lag.usual) -> Leaps:
    return find_leaps(track, shown, lag=lag, settings=MODEL.leaps)


@pytest.mark.parametrize("seed", range(4))
def test_a_face_leaps_with_the_screen(seed: int) -> None:
    leaps = _leaps(*seen(light_scan(seed)), lag=LAG)
    assert leaps.all >= 4
    assert leaps.foreign <= 1


def test_a_late_leap_is_not_foreign() -> None:
    late = seen(light_scan(2, lag=0.8))
    assert _leaps(*late, lag=0.8).foreign <= 1
    assert _leaps(*late).foreign > 1


def test_other_colours_are_foreign() -> None:
    found = [_leaps(*seen(light_scan(seed, answer=guessing))) for seed in range(4)]
    assert sum(one.foreign for one in found) >= 0.3 * sum(one.all for one in found) > 0


def test_a_room_that_is_lit_as_well_does_not_count() -> None:
    assert _leaps(*seen(light_scan(1, room=1.0)), lag=LAG) == Leaps(0, 0, room_seen=True)


@pytest.mark.parametrize("lux", some_fast([30000.0, 100000.0], step=2))
def test_daylight_does_not_leap(lux: float) -> None:
    scan = rendered(RenderedKind.GENUINE, lux)
    assert _leaps(*seen(LightScan(tuple(scan.samples), tuple(scan.sent)))).foreign == 0


def test_brightness_is_not_colour() -> None:
    scan = light_scan(1, strength=0.0, gain=lambda time: 0.5 * (int(time * 2) % 2))
    assert _leaps(*seen(scan)) == Leaps(0, 0, room_seen=True)


def test_a_part_of_the_face_is_not_the_face() -> None:
    """Landmark noise moves a region to other skin, a beard or glasses."""
    track, shown = seen(light_scan(1, strength=0.0))
    track.skin[np.arange(len(track.times)) // 8 % 2 == 0, 2] += (0.3, 0.0, -0.3)
    assert _leaps(track, shown) == Leaps(0, 0, room_seen=True)


def _television(room_seen: slice) -> Leaps:
    """A face and a room that a television lights; the room is visible in some frames."""
    track, shown = seen(light_scan(1, strength=0.0))
    count = len(track.times)
    cuts = (np.arange(count) * 8 // count % 2)[:, None] * np.array((0.12, 0.0, -0.12))
    track.skin[:] += cuts[:, None]
    room = track.background + cuts
    track.background[:] = np.nan
    track.background[room_seen] = room[room_seen]
    return _leaps(track, shown)


@pytest.mark.parametrize("room_seen", [slice(None), slice(0, 60)])
def test_a_television_lights_the_room_as_well(room_seen: slice) -> None:
    """If the room is not visible, its leaps do not count either."""
    assert _television(room_seen) == Leaps(0, 0, room_seen=True)


@pytest.mark.parametrize("room_seen", [slice(0, 0), slice(0, 12), slice(0, None, 2)])
def test_a_room_that_is_rarely_visible_is_not_measured(room_seen: slice) -> None:
    leaps = _television(room_seen)
    assert leaps.foreign >= 3
    assert not leaps.room_seen


def test_a_few_frames_are_not_measured() -> None:
    track, shown = seen(light_scan(1))
    track.clean[:] = np.arange(len(track.clean)) < 8
    assert _leaps(track, shown) == Leaps(0, 0, room_seen=False)

"""Frames that repeat, by injection or by strong compression."""

import io
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from liveness.express.repetition import Recurrence, Repetition, find_recurrence, find_repetition
from liveness.express.settings import ExpressSettings
from liveness.express.signals import FrozenFrames, PassiveEvidence
from liveness.observation import FrameObservation, ScanObservations, SkippedFrame
from liveness.observe import sample_frame
from liveness.verdict import Signal
from tests.liveness.builders import observation, scan


def _samples(pictures: list[int], *, anew: float = 0.4, grain: float = 2.0) -> NDArray[np.uint8]:
    """Frames that show ``pictures`` with a camera's noise, each encoded anew."""
    rng = np.random.default_rng(2)
    scene = np.random.default_rng(0).integers(40, 210, 1024)
    rows = [
        scene + np.random.default_rng(picture).normal(0, grain, 1024) + rng.normal(0, anew, 1024)
        for picture in pictures
    ]
    return np.clip(rows, 0, 255).round().astype(np.uint8)


def test_a_period_is_named() -> None:
    found = _recurrence(_samples([at % 13 for at in range(40)]))
    assert found.period in {13, 26}
    assert found.period_ratio < 0.5


def test_a_turning_point_is_named_by_its_frame() -> None:
    found = _recurrence(_samples([*range(25), *range(23, 8, -1)]), start=100)
    assert found.turning == 124
    assert found.turning_ratio < 0.5
    assert found.period_ratio > 0.9


def test_a_camera_differs_from_itself_by_its_noise_however_that_changes() -> None:
    calm, restless = _samples(list(range(20)), grain=1), _samples(list(range(20, 40)), grain=5)
    for samples in (calm, np.concatenate([calm, restless]), np.concatenate([restless, calm])):
        found = _recurrence(samples)
        assert min(found.period_ratio, found.turning_ratio) > 0.9


def test_exposure_that_wanders_hides_no_loop() -> None:
    looped = _samples([at % 13 for at in range(40)]).astype(np.float64)
    wandering = looped + 12 * np.sin(np.arange(40) / 3)[:, None]
    found = _recurrence(np.clip(wandering, 0, 255).round().astype(np.uint8))
    assert found.period in {13, 26}
    assert found.period_ratio < 0.6


@pytest.mark.parametrize("count", [2, 8])
def test_too_few_pairs_give_no_ratio(count: int) -> None:
    found = _recurrence(_samples(list(range(count))))
    assert found.period_ratio == found.turning_ratio == np.inf


def test_pixels_without_noise_are_not_assessed() -> None:
    assert find_recurrence(range(30), np.full((30, 1024), 128, np.uint8)) is None


_SETTINGS = ExpressSettings()
_BASE = np.random.default_rng(0).integers(30, 220, (64, 64))


def _frames(pattern: list[int], noise: float = 0.0) -> tuple[FrameObservation, ...]:
    """Frames that show image ``pattern[i]``; images differ by a camera's noise."""
    fresh = np.random.default_rng(7)
    frames = []
    for index, picture in enumerate(pattern):
        grain = np.random.default_rng(picture).normal(0, 2, _BASE.shape) + fresh.normal(0, noise, _BASE.shape)
        frames.append(observation(index, samples=np.clip(_BASE + grain, 0, 255).astype(np.uint8)))
    return tuple(frames)


def _kind_of(seen: ScanObservations) -> Repetition:
    finding = find_repetition(seen, _SETTINGS)
    assert finding is not None
    return finding.kind


def _recurrence(samples: NDArray[np.uint8], *, start: int = 0) -> Recurrence:
    found = find_recurrence(range(start, start + len(samples)), samples)
    assert found is not None
    return found


def _assess(pattern: list[int]) -> Signal:
    return FrozenFrames().assess(PassiveEvidence(scan=scan(_frames(pattern))))


@pytest.mark.parametrize(
    ("pattern", "noise", "kind"),
    [
        (list(range(45)), 0.0, Repetition.NONE),
        ([0] * 45, 0.0, Repetition.FROZEN),
        ([*range(20), *([20] * 15)], 0.0, Repetition.FROZEN),
        ([index % 12 for index in range(45)], 0.0, Repetition.LOOPED),
        ([index % 12 for index in range(45)], 0.4, Repetition.LOOPED),
        ([*range(20), *reversed(range(20))], 0.0, Repetition.LOOPED),
        ([0, 1] * 10, 0.0, Repetition.LOOPED),
    ],
    ids=["a camera", "a frame", "a frame at the end", "a loop", "encoded anew", "there and back", "flutter"],
)
def test_frames_that_stay_are_frozen_and_those_that_come_back_looped(
    pattern: list[int], noise: float, kind: Repetition
) -> None:
    assert _kind_of(scan(_frames(pattern, noise))) is kind
    assert (_assess(pattern).score == 0) is (kind is not Repetition.NONE)


def test_a_camera_slower_than_its_reading_repeats_and_is_no_finding() -> None:
    doubled = [index // 2 for index in range(45)]
    assert _kind_of(scan(_frames(doubled))) is Repetition.NONE
    found = _assess(doubled)
    assert found.score == 0.5
    assert "slow camera" in found.detail


@pytest.mark.parametrize("turning", [14, 22, 28, 35])
def test_a_clip_played_backwards_after_its_end_is_a_loop(turning: int) -> None:
    there_and_back = [*range(turning + 1), *range(turning - 1, -1, -1)][:45]
    finding = find_repetition(scan(_frames(there_and_back, noise=0.4)), _SETTINGS)
    assert finding is not None
    assert finding.kind is Repetition.LOOPED
    assert finding.detail == f"The frames run backwards from frame {turning} on."


@pytest.mark.parametrize("turning", [20, 31, 45, 60])
def test_a_turning_point_shows_in_a_thinned_scan_where_enough_pairs_were_measured(turning: int) -> None:
    pictures = [*range(turning + 1), *range(turning - 1, -1, -1), *range(1, 96)][:96]
    assert _kind_of(_thinned(pictures, noise=0.4)) is Repetition.LOOPED


def test_too_few_frames_are_not_assessed() -> None:
    assert find_repetition(scan(_frames([0] * 7)), _SETTINGS) is None
    assert _assess([0] * 7).score is None


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=8, max_size=30))
def test_any_order_gives_a_finding_that_fits(pattern: list[int]) -> None:
    kind = _kind_of(scan(_frames(pattern)))
    runs = [value for at, value in enumerate(pattern) if at == 0 or value != pattern[at - 1]]
    returned = len(runs) - len(set(runs))
    if returned >= _SETTINGS.returned_frames:
        assert kind is Repetition.LOOPED
    if kind is Repetition.FROZEN:
        assert len(set(pattern)) < len(pattern)


def test_a_nodding_head_and_a_flickering_lamp_come_back_with_fresh_noise() -> None:
    frames = _frames(list(range(40)))
    nodding = []
    for frame in frames:
        samples = frame.samples.copy()
        samples[20:45] = np.roll(samples[20:45], frame.index % 5, axis=1)
        nodding.append(replace(frame, samples=samples))
    flickering = [
        replace(frame, samples=(frame.samples * (0.9 if frame.index % 2 else 1.0)).astype(np.uint8))
        for frame in frames
    ]
    for seen in (nodding, flickering):
        assert _kind_of(scan(seen)) is Repetition.NONE


def test_a_painted_background_without_noise_is_no_loop() -> None:
    frames = []
    for frame in _frames(list(range(40))):
        samples = np.full_like(frame.samples, 200)
        samples[:4] = frame.samples[:4]
        frames.append(replace(frame, samples=samples))
    assert _kind_of(scan(frames)) is Repetition.NONE


def _thinned(pictures: list[int], noise: float = 0.0) -> ScanObservations:
    """A scan of which, after a second of 24 frames, only every third is measured and no other sampled."""
    frames = _frames(pictures, noise)
    measured, passed = [], []
    for frame, picture in zip(frames, pictures, strict=True):
        mark = picture if noise == 0 else 1000 + frame.index
        if frame.index % 3 == 0:
            measured.append(replace(frame, fingerprint=mark))
        else:
            samples = frame.samples if frame.index < 24 else None
            passed.append(SkippedFrame(frame.index, frame.capture_time, fingerprint=mark, samples=samples))
    return ScanObservations(frames=tuple(measured), motion=(), passed=tuple(passed))


def test_a_thinned_scan_of_a_camera_repeats_nothing() -> None:
    assert _kind_of(_thinned(list(range(96)))) is Repetition.NONE


@pytest.mark.parametrize("period", [4, 11, 25, 31, 50, 66])
@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_a_loop_of_any_period_shows_in_a_thinned_scan(period: int, noise: float) -> None:
    assert _kind_of(_thinned([index % period for index in range(96)], noise)) is Repetition.LOOPED


def test_frames_known_by_their_bytes_alone_count() -> None:
    scan_of_96 = _thinned([index % 50 for index in range(96)])
    unsampled = tuple(replace(frame, samples=None) for frame in scan_of_96.passed)
    assert _kind_of(replace(scan_of_96, passed=unsampled)) is Repetition.LOOPED


def _encoded(changed: list[int]) -> tuple[FrameObservation, ...]:
    """Frames that each repeat the last one except for ``changed[i]`` of 4,096 pixels."""
    values, random = _BASE.astype(np.uint8).ravel().copy(), np.random.default_rng(3)
    frames = []
    for index, many in enumerate(changed):
        values[random.choice(values.size, many, replace=False)] += np.uint8(4)
        frames.append(observation(index, samples=values.reshape(_BASE.shape).copy()))
    return tuple(frames)


_CALM = [120] * 10 + [0] * 20 + [120] * 15


def test_frames_that_an_encoder_carries_over_are_frozen_only_if_they_were_sent_or_all_else_changes() -> None:
    carried = _encoded(_CALM)
    assert _kind_of(scan(carried)) is Repetition.NONE
    sent = tuple(replace(frame, fingerprint=frame.index) for frame in carried)
    assert _kind_of(scan(sent)) is Repetition.FROZEN
    assert _kind_of(scan(_encoded([1500] * 10 + [0] * 20 + [1500] * 15))) is Repetition.FROZEN


def test_a_picture_that_flutters_between_two_encodings_is_no_loop() -> None:
    apart = _encoded([0, 120])
    flutter = tuple(replace(apart[at % 2], index=at, capture_time=at / 10) for at in range(20))
    assert _kind_of(scan(flutter)) is Repetition.NONE
    sent = tuple(replace(frame, fingerprint=at % 2) for at, frame in enumerate(flutter))
    assert _kind_of(scan(sent)) is Repetition.LOOPED


# Live clips compressed so strongly that the encoder repeats whole frames, without injection.

_LONGEST_SIDE = 480
_SECONDS = 4.0


def _spaced(clip: Path, fps: int) -> list[av.VideoFrame]:
    """The first seconds of a clip, reduced, at no more than ``fps`` frames a second."""
    frames: list[av.VideoFrame] = []
    with av.open(str(clip)) as stored:
        for at, frame in enumerate(stored.decode(video=0)):
            time = 0.0 if at == 0 else frame.time
            if time >= _SECONDS:
                break
            if time * fps >= len(frames) - 1e-6:
                share = min(1.0, _LONGEST_SIDE / max(frame.width, frame.height))
                size = (int(frame.width * share) // 2 * 2, int(frame.height * share) // 2 * 2)
                frames.append(frame.reformat(*size, "yuv420p"))
    return frames


def _strong_compression_encoded(
    frames: list[av.VideoFrame], fps: int, crf: int
) -> tuple[FrameObservation, ...]:
    stored = io.BytesIO()
    with av.open(stored, "w", format="mp4") as made:
        stream = made.add_stream(
            "libx264", rate=fps, options={"crf": str(crf), "preset": "veryfast", "threads": "1"}
        )
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        for at, frame in enumerate(frames):
            fresh = av.VideoFrame.from_ndarray(frame.to_ndarray(), format="yuv420p")
            fresh.pts = at
            made.mux(stream.encode(fresh))
        made.mux(stream.encode())
    stored.seek(0)
    with av.open(stored, "r") as again:
        return tuple(
            observation(
                at,
                capture_time=at / fps,
                samples=sample_frame(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)),
            )
            for at, frame in enumerate(again.decode(video=0))
        )


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("fps", "crf"), [(10, 40), (10, 51), (25, 51)])
def test_no_live_clip_is_frozen_or_looped_however_it_is_encoded(assets: Path, fps: int, crf: int) -> None:
    found = {}
    for clip in sorted((assets / "data/video/live").iterdir()):
        encoded = _strong_compression_encoded(_spaced(clip, fps), fps, crf)
        finding = find_repetition(scan(encoded), ExpressSettings())
        found[clip.name] = None if finding is None else finding.kind
    assert len(found) == 19
    assert set(found.values()) == {Repetition.NONE}


@pytest.mark.slow
def test_about_half_of_the_clips_that_stall_are_found_all_the_same(assets: Path) -> None:
    frozen = 0
    for clip in sorted((assets / "data/video/live").iterdir()):
        frames = _spaced(clip, 10)
        middle = len(frames) // 2
        stalled = [*frames[:middle], *([frames[middle]] * 15), *frames[middle + 15 :]]
        finding = find_repetition(scan(_strong_compression_encoded(stalled, 10, 34)), ExpressSettings())
        frozen += finding is not None and finding.kind is Repetition.FROZEN
    assert frozen >= 8


@pytest.mark.slow
def test_identical_frames_sent_one_by_one_are_repetitions(assets: Path) -> None:
    clip = assets / "data/video/live/Fellway__media__me.mp4"
    encoded = _strong_compression_encoded(_spaced(clip, 10), 10, 51)
    sent = tuple(replace(frame, fingerprint=frame.index) for frame in encoded)
    finding = find_repetition(scan(sent), ExpressSettings())
    assert finding is not None
    assert finding.kind is not Repetition.NONE

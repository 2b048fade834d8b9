"""The measurements of a frame, of stills and of whole films."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attempt.analyst import FrameAnalyst, PadFrames, SeenFrame
from attempt.films import FileFrames, FilmCapture, StillFrames, capture_clip, examine, judge_clip
from attempt.flash_run import flash_sample
from attempt.frame import EncodedFrame, Frame, FrameDecoder, FrameLimits, FrameUnusable
from attempt.judgement import judge_attempt
from attempt.stills import (
    judge_still,
    landmarks_of,
    measure_still,
    observe_still,
    pad_scores,
    persons_in,
    sample_of,
)
from liveness.dynamic.sample import FlashSample
from liveness.express.pad_network import PadScore
from liveness.fusion_model import load_fusion_model
from liveness.policy import CaptureKind, LivenessPolicy
from liveness.selection import DEFAULT_COUNT
from liveness.verdict import Verdict, VerdictReason
from matcher.comparison import MatchPolicy
from matcher.persons import PHOTO_SUBJECT, SCAN_SUBJECT
from tests.attempt.capturing import CountingNetwork, frame_at, frame_of, undecodable
from tests.liveness.builders import observation
from tests.server.analysis.uploads import blank, genuine, two_persons
from tests.server.live import pictures
from tests.server.models_once import remembering_pack
from vision.errors import ModelFailed
from vision.face import BgrImage, DetectedFace, Embedding, HeadPose, Landmarks
from vision.image import DecodedImage, DecodedLuma, encode_jpeg, rotate_upright
from vision.packs import Pack, PadNetwork

# The measurements of a frame for the flash.

_RATE = 15.0


def _message(index: int) -> Frame:
    return frame_of(index, image=pictures()[index].jpeg)


def _sampled(seen: SeenFrame) -> FlashSample:
    return flash_sample(
        seen,
        capture_time=seen.observation.capture_time,
        arrival=100.0,
        step=0,
        step_since=None,
        round_trip=0.05,
        waited=None,
    )


def test_light_is_grouped_by_the_source_of_the_face_and_measured_only_where_it_is_asked_for() -> None:
    analyst = FrameAnalyst(pack=remembering_pack(), limits=FrameLimits())
    watcher = analyst.new_watch(subject=SCAN_SUBJECT).watcher
    seen = [
        analyst.measure_frame(_message(index), index / _RATE, watcher=watcher, with_light=True)
        for index in range(10)
    ]
    followed = [_sampled(one).followed for one in seen]
    assert followed == [one.observation.followed for one in seen]
    assert followed[0] is False
    assert 2 <= sum(followed) < len(followed)
    with pytest.raises(ValueError, match="light"):
        _sampled(analyst.measure_frame(_message(10), 10 / _RATE, watcher=watcher))


_SECONDS = 4.0
_WANTED = 10
_PIXELS = np.zeros((64, 48, 3), np.uint8)


def _seen(index: int, time: float, **changes: object) -> SeenFrame:
    """A frame whose face the detector found."""
    observed = observation(index, capture_time=time, **changes)
    return SeenFrame(frame=frame_of(index), pixels=_PIXELS, observation=observed)


def _pad_frames(*networks: PadNetwork, seconds: float = _SECONDS) -> PadFrames:
    pack = replace(remembering_pack(), pad_networks=networks)
    return PadFrames(pack=pack, seconds=seconds)


def _scored(seen: Iterable[SeenFrame], *, seconds: float = _SECONDS) -> list[int]:
    """The indices of the frames that a network scores."""
    frames = _pad_frames(CountingNetwork(), seconds=seconds)
    for one in seen:
        frames.score_when_due(one.observation, one.pixels)
    return [score.frame_index for score in frames.scores]


def _scored_times(times: Sequence[float]) -> list[float]:
    """The times of the frames that a network scores if good frames come at these times."""
    indices = _scored(_seen(index, time) for index, time in enumerate(times))
    return [times[index] for index in indices]


def _steady(*, rate: float, seconds: float) -> list[float]:
    return [index / rate for index in range(round(rate * seconds) + 1)]


def _most(seconds: float) -> int:
    """The most frames that are scored in this time: each gap is a tenth of the time at its end, or longer."""
    longer = max(0.0, math.log(seconds / _SECONDS) / -math.log(1 - 1 / _WANTED))
    return _WANTED + 1 + math.ceil(longer)


@pytest.mark.parametrize(
    "seen",
    [
        replace(_seen(0, 0.0), pixels=None),
        _seen(0, 0.0, faces=0, face=None),
        _seen(0, 0.0, faces=2),
        _seen(0, 0.0, followed=True),
    ],
    ids=["the detector did not run", "no face", "two faces", "a followed face"],
)
def test_only_a_frame_with_exactly_one_detected_face_is_scored(seen: SeenFrame) -> None:
    assert _scored([seen]) == []
    # The next good frame is scored, without a wait.
    assert _scored([seen, _seen(1, 0.1)]) == [1]


def test_scored_frames_are_spread_over_the_planned_time() -> None:
    times = _scored_times(_steady(rate=15.0, seconds=_SECONDS))
    gaps = np.diff(times)
    assert times[0] == 0.0
    assert _WANTED - 1 <= len(times) <= _WANTED + 1
    assert times[-1] > _SECONDS * (1 - 1 / _WANTED)
    assert gaps.min() >= _SECONDS / _WANTED - 1e-9
    assert gaps.max() < _SECONDS / _WANTED + 1.5 / 15.0


def test_frames_that_come_seldom_are_all_scored() -> None:
    times = _steady(rate=2.0, seconds=_SECONDS)
    assert _scored_times(times) == times


def test_the_gap_grows_in_a_long_attempt() -> None:
    times = _scored_times(_steady(rate=30.0, seconds=60.0))
    gaps = np.diff(times)
    for end, gap in zip(times[1:], gaps, strict=True):
        least = max(_SECONDS, end) / _WANTED
        assert least - 1e-9 <= gap < least + 2 / 30.0
    assert gaps[-1] > 5.0
    # Every part of the attempt counts: the second half of it has scored frames too.
    assert sum(time > 30.0 for time in times) >= 5


@given(st.lists(st.floats(0, 30), min_size=1, max_size=120, unique=True))
def test_however_frames_come_the_scored_ones_are_bounded_and_apart(times: list[float]) -> None:
    scored = _scored_times(sorted(times))
    assert scored[0] == min(times)
    assert scored == sorted(scored)
    assert len(scored) <= _most(max(_SECONDS, *times))
    for before, after in itertools.pairwise(scored):
        assert after - before >= max(_SECONDS, after) / _WANTED


def test_every_network_scores_each_of_the_frames() -> None:
    frames = _pad_frames(CountingNetwork("one", real=0.9), CountingNetwork("other", real=0.1))
    for index, time in enumerate((0.0, 0.2, 0.5)):
        frames.score_when_due(observation(index, capture_time=time), _PIXELS)
    assert frames.scores == (
        PadScore(0, "one", 0.9),
        PadScore(0, "other", 0.1),
        PadScore(2, "one", 0.9),
        PadScore(2, "other", 0.1),
    )


def test_a_failed_network_differs_from_one_that_did_not_run() -> None:
    class Broken(CountingNetwork):
        def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
            raise ModelFailed("broken")

    with pytest.raises(ModelFailed):
        _pad_frames(Broken()).score_when_due(observation(0), _PIXELS)


@pytest.mark.parametrize("seconds", [1.0, 60.0])
def test_scores_of_a_file_are_spread_evenly_over_all_of_it(seconds: float) -> None:
    frames = _pad_frames(CountingNetwork(), seconds=1.0)
    times = _steady(rate=30.0, seconds=seconds)
    for index, time in enumerate(times):
        frames.score_when_due(observation(index, capture_time=time), _PIXELS)
    spread = [times[score.frame_index] for score in frames.spread]
    assert 6 <= len(spread) <= _WANTED + 1
    assert np.diff(spread).max() < 2 * seconds / _WANTED
    in_the_first_half = sum(time < seconds / 2 for time in spread)
    assert 0.4 <= in_the_first_half / len(spread) <= 0.65


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_both_are_turned_alike(degrees: int, mirrored: bool) -> None:
    upright = cv2.imdecode(np.frombuffer(pictures()[0].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert upright is not None
    stored = rotate_upright(np.asarray(upright, np.uint8), degrees=0, mirrored=mirrored)
    stored = np.ascontiguousarray(rotate_upright(stored, degrees=(360 - degrees) % 360, mirrored=False))
    message = frame_of(
        0,
        image=encode_jpeg(stored, quality=95),
        rotation_degrees=degrees,
        mirrored=mirrored,
        width=stored.shape[1],
        height=stored.shape[0],
    )
    decoder = FrameDecoder(FrameLimits())
    for seen in (decoder.colour(message), decoder.luma(message)):
        assert seen.shape[:2] == upright.shape[:2]
        assert seen.flags.c_contiguous
    colours = decoder.colour(message).astype(int)
    assert np.abs(colours - upright).mean() < 4
    grey = cv2.cvtColor(decoder.colour(message), cv2.COLOR_BGR2GRAY).astype(int)
    assert np.abs(decoder.luma(message) - grey).mean() < 1


@pytest.mark.parametrize(
    "change",
    [{"image": b"no picture"}, {"image": b""}, {"width": 361}, {"height": 1}],
    ids=["no picture", "empty", "width", "height"],
)
def test_both_decoders_refuse_the_same_images(change: dict[str, object]) -> None:
    message = frame_of(3, image=pictures()[0].jpeg)
    broken = replace(message, **change)  # type: ignore[arg-type]  # names of fields
    decoder = FrameDecoder(FrameLimits())
    messages = []
    for decode in (decoder.colour, decoder.luma):
        with pytest.raises(FrameUnusable) as caught:
            decode(broken)
        assert caught.value.details["frame_index"] == 3
        messages.append(str(caught.value))
    assert messages[0] == messages[1]

    with pytest.raises(FrameUnusable) as caught:
        decoder.validate_header(broken)
    assert str(caught.value) == messages[0]


def test_a_check_decodes_nothing() -> None:
    message = frame_of(0, image=undecodable(pictures()[0].jpeg))
    decoder = FrameDecoder(FrameLimits())
    decoder.validate_header(message)
    with pytest.raises(FrameUnusable):
        decoder.luma(message)


def test_a_frame_has_colours() -> None:
    done, grey = cv2.imencode(".jpg", np.zeros((480, 360), np.uint8))
    assert done
    message = frame_of(3, image=grey.tobytes())
    with pytest.raises(FrameUnusable) as caught:
        FrameDecoder(FrameLimits()).validate_header(message)
    assert caught.value.details == {"frame_index": 3, "fault": "UNSUPPORTED_FORMAT"}


def test_limits_hold_for_luma_too() -> None:
    message = frame_of(0, image=pictures()[0].jpeg)
    decoder = FrameDecoder(FrameLimits(max_pixels=360 * 480 - 1))
    for decode in (decoder.colour, decoder.luma):
        with pytest.raises(FrameUnusable, match="pixels"):
            decode(message)


def _small_message(width: int, height: int, **turned: object) -> Frame:
    stored = cv2.imdecode(np.frombuffer(pictures()[0].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert stored is not None
    sized = np.asarray(cv2.resize(stored, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return frame_of(0, image=encode_jpeg(sized, quality=95), width=width, height=height, **turned)


@pytest.mark.parametrize("in_colour", [False, True])
def test_a_frame_is_decoded_once(monkeypatch: pytest.MonkeyPatch, in_colour: bool) -> None:
    decoder = FrameDecoder(FrameLimits())
    decoded: list[str] = []
    real_colour, real_luma = decoder.coded_colour, decoder.coded_luma

    def colour(message: Frame) -> DecodedImage:
        decoded.append("colour")
        return real_colour(message)

    def luma(message: Frame) -> DecodedLuma:
        decoded.append("luma")
        return real_luma(message)

    monkeypatch.setattr(decoder, "coded_colour", colour)
    monkeypatch.setattr(decoder, "coded_luma", luma)
    picture = EncodedFrame(decoder, frame_of(0, image=pictures()[0].jpeg), in_colour=in_colour)
    for _ in range(2):
        picture.grey()
    assert decoded == (["colour"] if in_colour else ["luma"])
    for _ in range(2):
        picture.colour()
        picture.light()
    assert decoded == (["colour"] if in_colour else ["luma", "colour"])


def test_the_grey_of_colours_is_the_luma() -> None:
    message = frame_of(0, image=pictures()[0].jpeg)
    decoder = FrameDecoder(FrameLimits())
    in_colour = EncodedFrame(decoder, message, in_colour=True)
    difference = np.abs(in_colour.grey().astype(int) - decoder.luma(message))
    assert np.percentile(difference, 99) <= 2
    assert np.array_equal(in_colour.coded, in_colour.grey()), "not turned, and grey where that is at hand"
    assert EncodedFrame(decoder, message).coded.ndim == 2
    looked = EncodedFrame(decoder, message)
    looked.colour()
    assert looked.coded.ndim == 3


@pytest.mark.parametrize(
    ("width", "height", "halved"), [(480, 640, True), (400, 401, True), (399, 640, False), (640, 399, False)]
)
def test_light_is_measured_at_half_the_size_of_large_frames(width: int, height: int, halved: bool) -> None:
    picture = EncodedFrame(FrameDecoder(FrameLimits()), _small_message(width, height))
    light, whole = picture.light(), picture.colour()
    assert light.shape == ((height // 2, width // 2, 3) if halved else (height, width, 3))
    assert light.reshape(-1, 3).mean(axis=0) == pytest.approx(whole.reshape(-1, 3).mean(axis=0), abs=0.6)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_light_is_turned_as_the_frame_is(degrees: int, mirrored: bool) -> None:
    message = _small_message(480, 640, rotation_degrees=degrees, mirrored=mirrored)
    picture = EncodedFrame(FrameDecoder(FrameLimits()), message)
    light, whole = picture.light(), picture.colour()
    assert light.flags.c_contiguous
    shrunk = cv2.resize(whole, light.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(light.astype(int) - shrunk).max() <= 1


def test_light_that_does_not_decode_is_refused() -> None:
    broken = frame_of(3, image=b"no picture")
    with pytest.raises(FrameUnusable):
        EncodedFrame(FrameDecoder(FrameLimits()), broken, in_colour=True).grey()


_FILMS_RATE = 10.0
_Kind = Callable[[Sequence[BgrImage]], FileFrames]


def _pack() -> Pack:
    return replace(remembering_pack(), pad_networks=(CountingNetwork(),))


def _film(frames: Sequence[BgrImage]) -> FilmCapture:
    film = FilmCapture(_pack(), subject=SCAN_SUBJECT)
    for index, pixels in enumerate(frames):
        film.take_film_frame(pixels, index / _FILMS_RATE)
    return film


def _stills(frames: Sequence[BgrImage]) -> StillFrames:
    stills = StillFrames(_pack(), subject=SCAN_SUBJECT)
    for pixels in frames:
        stills.take_still_frame(pixels)
    return stills


def _films_scored(frames: FileFrames) -> list[int]:
    return [score.frame_index for score in frames.pad_scores]


def _blurred(frames: Sequence[BgrImage]) -> list[BgrImage]:
    """The second half shows the face badly, so that frames of it are not selected."""
    half = len(frames) // 2
    return [
        *frames[:half],
        *(np.asarray(cv2.GaussianBlur(frame, (0, 0), 3), np.uint8) for frame in frames[half:]),
    ]


@pytest.mark.parametrize("kind", [_film, _stills])
def test_how_well_frames_show_the_face_does_not_choose_the_scored_ones(kind: _Kind) -> None:
    clear, blurred = kind(genuine()), kind(_blurred(genuine()))
    assert _films_scored(blurred) == _films_scored(clear)
    if kind is _stills:
        # A film of two seconds has fewer detections than frames to select.
        selected = [[frame.index for frame in one.selected] for one in (clear, blurred)]
        assert selected[0] != selected[1]


@pytest.mark.parametrize("kind", [_film, _stills])
def test_the_scored_frames_are_spread_over_the_file(kind: _Kind) -> None:
    file = kind(genuine())
    scored = _films_scored(file)
    assert scored[0] == 0
    assert len(genuine()) - scored[-1] <= 4
    assert np.diff(scored).max() <= 4
    study = examine(file, pack=_pack())
    assert study.pad_scores == file.pad_scores
    assert len(study.selected) == DEFAULT_COUNT or kind is _film


_POLICY = LivenessPolicy()
_FUSION = load_fusion_model()


def test_a_recorded_scan_has_the_verdict_of_an_attempt_with_the_same_frames() -> None:
    pack = replace(remembering_pack(), pad_networks=(CountingNetwork(real=0.99),))
    capture = capture_clip(list(map(frame_at, range(len(pictures())))), pack=pack, subject=SCAN_SUBJECT)
    capture.examine_rest()
    cues = [frame.cues for frame in capture.examined if frame.cues is not None]
    found = judge_clip(capture, pad_scores=capture.pad_scores, cues=cues, policy=_POLICY, fusion=_FUSION)
    attempt = judge_attempt(
        capture.evidence,
        portrait=capture.examined[0].sample.template,
        calibration=pack.match_calibration,
        liveness_policy=_POLICY,
        match_policy=MatchPolicy(max_fmr=0.01),
        fusion=_FUSION,
    )
    # The signal of constancy is all that an attempt adds.
    assert replace(attempt.liveness, signals=attempt.liveness.signals[:-1]) == found
    assert attempt.liveness.signals[-1].name == "identity_constancy"
    assert capture.pad_scores


def test_a_rotated_recording_shows_no_person() -> None:
    frames = [replace(frame_at(index), rotation_degrees=180) for index in range(len(pictures()))]
    capture = capture_clip(frames, pack=remembering_pack(), subject=SCAN_SUBJECT)
    capture.examine_rest()
    found = judge_clip(capture, pad_scores=(), cues=(), policy=_POLICY, fusion=_FUSION)
    assert not capture.examined
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reasons[0] is VerdictReason.WRONG_ROTATION


class _Shown:
    """A detector that records its inputs."""

    def __init__(self, pack: Pack) -> None:
        self.sizes: list[tuple[int, int]] = []
        self._detector = pack.detector

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        self.sizes.append((image.shape[1], image.shape[0]))
        return self._detector.detect(image)


def test_the_faces_of_a_large_picture_are_found_in_a_small_copy_and_given_at_full_size() -> None:
    pack = remembering_pack()
    small = genuine()[0]
    large = np.asarray(cv2.resize(small, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC), np.uint8)
    shown = _Shown(pack)
    (face,) = persons_in(large, replace(pack, detector=shown), rule=PHOTO_SUBJECT)
    assert shown.sizes == [(900, 1200)]
    (expected,) = persons_in(small, pack, rule=PHOTO_SUBJECT)
    assert face.box.width == pytest.approx(5 * expected.box.width, rel=0.1)
    assert face.five_points / 5 == pytest.approx(expected.five_points, abs=0.04 * expected.box.width)


def test_small_pictures_are_shown_as_they_are() -> None:
    shown = _Shown(remembering_pack())
    assert len(persons_in(genuine()[0], replace(remembering_pack(), detector=shown), rule=PHOTO_SUBJECT)) == 1
    assert shown.sizes == [(360, 480)]


def test_no_model_is_asked_about_a_speck() -> None:
    shown = _Shown(remembering_pack())
    pack = replace(remembering_pack(), detector=shown)
    assert persons_in(np.zeros((63, 4000, 3), np.uint8), pack, rule=PHOTO_SUBJECT) == ()
    assert shown.sizes == []


@pytest.mark.parametrize("shape", [(64, 16_384), (127, 3000), (129, 6400)])
def test_a_strip_is_not_halved_away(shape: tuple[int, int]) -> None:
    shown = _Shown(remembering_pack())
    strip = np.full((*shape, 3), 90, np.uint8)
    assert persons_in(strip, replace(remembering_pack(), detector=shown), rule=PHOTO_SUBJECT) == ()
    assert min(shown.sizes[0]) >= 64


def test_persons_are_counted() -> None:
    assert len(persons_in(two_persons()[0], remembering_pack(), rule=PHOTO_SUBJECT)) == 2
    assert persons_in(blank()[0], remembering_pack(), rule=PHOTO_SUBJECT) == ()


def test_landmarks_decide_whether_a_frame_is_compared_and_not_an_estimate() -> None:
    pack = remembering_pack()
    pixels = genuine()[0]
    (face,) = persons_in(pixels, pack, rule=PHOTO_SUBJECT)
    observation = observe_still(pixels, faces=(face,), landmarks=None, index=0, capture_time=0.0)
    estimated = replace(observation, pose=HeadPose(yaw=0.0, pitch=40.0, roll=0.0))
    assert sample_of(pixels, face, estimated, pack).comparable
    assert not sample_of(pixels, face, estimated, replace(pack, landmarker=None)).comparable
    assert not sample_of(pixels, face, replace(estimated, yaw=0.0), pack).comparable


class _Asked:
    """Counts the calls of a landmarker, and notes the landmarks that an embedder gets."""

    dimensions = 128

    def __init__(self, pack: Pack) -> None:
        assert pack.landmarker is not None
        self._model = pack.landmarker
        self.scheme = pack.landmarker.scheme
        self.calls = 0
        self.given: list[Landmarks | None] = []

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        self.calls += 1
        return self._model.locate(image, face)

    def embed(
        self,
        image: BgrImage,
        face: DetectedFace,
        landmarks: Landmarks | None = None,
        *,
        mirrored: bool = True,
    ) -> Embedding:
        assert not mirrored, "half the time of a frame's template"
        self.given.append(landmarks)
        return np.asarray(np.eye(1, 128)[0], np.float32)


def test_landmarks_of_a_frame_are_located_once() -> None:
    asked = _Asked(remembering_pack())
    pack = replace(remembering_pack(), landmarker=asked, embedder=asked)
    analyst = FrameAnalyst(pack=pack, limits=FrameLimits())
    watcher = analyst.new_watch(subject=SCAN_SUBJECT).watcher
    seen = analyst.measure_frame(_message(0), 0.0, watcher=watcher)
    analyst.examine(seen)
    assert (asked.calls, asked.given) == (1, [seen.landmarks])
    # If the watch did not need them, pose and alignment share them.
    analyst.examine(replace(seen, observation=replace(seen.observation, yaw=None), landmarks=None))
    assert asked.calls == 2
    assert None not in asked.given


def test_models_that_the_pack_lacks_are_not_called() -> None:
    pack = replace(remembering_pack(), landmarker=None, pad_networks=())
    pixels = genuine()[0]
    (face,) = persons_in(pixels, pack, rule=PHOTO_SUBJECT)
    assert landmarks_of(pixels, face, pack) is None
    assert pad_scores(pixels, face, pack, frame_index=3) == ()
    observation = observe_still(pixels, faces=(face,), landmarks=None, index=2, capture_time=0.5)
    assert (observation.index, observation.capture_time, observation.faces) == (2, 0.5, 1)
    assert observation.eyes is None
    assert observation.pose is not None


@pytest.mark.parametrize(
    ("real", "grey", "verdict"),
    [
        (0.999, False, Verdict.LIVE),
        (0.001, False, Verdict.SPOOF),
        (0.999, True, Verdict.INCONCLUSIVE),
        (0.001, True, Verdict.INCONCLUSIVE),
    ],
)
def test_the_networks_decide_on_one_image_with_colours(real: float, grey: bool, verdict: Verdict) -> None:
    network = CountingNetwork("minifas_v2se", real=real)
    pack = replace(remembering_pack(), pad_networks=(network,))
    pixels = np.ascontiguousarray(genuine()[0][..., [1, 1, 1]] if grey else genuine()[0])
    (face,) = persons_in(pixels, pack, rule=PHOTO_SUBJECT)
    measured = measure_still(pixels, face, landmarks=landmarks_of(pixels, face, pack), pack=pack)
    assert (network.asked, len(measured.cues)) == (1, 1)
    # A minimum of frames or seconds does not apply, although the policy is that of a scan.
    judged = judge_still(measured, policy=LivenessPolicy(), fusion=load_fusion_model())
    assert judged.verdict is verdict
    assert (VerdictReason.NO_COLOURS in judged.reasons) is grey
    assert judged.policy.capture is CaptureKind.FRAME

"""Videos and still frames, from decoded frames to verdicts and refusals."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from liveness.fusion_model import load_fusion_model
from liveness.policy import LivenessPolicy
from liveness.verdict import AttackType, Verdict, VerdictReason
from matcher.persons import SCAN_SUBJECT, SubjectRule
from server.analysis.results import ATTACK_CODES, AnalysisCode, AnalysisRefused, VideoAnalysis
from server.analysis.video import MAXIMUM_STILLS, VideoAnalyst
from server.base.errors import Reason, Refusal
from tests.packs import shared_pack
from tests.server.analysis.uploads import blank, genuine, numbered, two_persons, with_bystander
from tests.server.models_once import remembering_pack
from vision.errors import DecoderUnavailable, ModelFailed, VideoError, VideoFault
from vision.face import BgrImage, DetectedFace
from vision.isolation.pool import DecoderPool
from vision.isolation.video import TakeFrame, VideoContainer, VideoLimits, VideoOutline
from vision.isolation.workers import DecoderLimits
from vision.packs import Pack, load_pack

_MP4 = b"\0\0\0\x18ftypisom" + bytes(100)


class _Given:
    """A decoder that returns the given frames."""

    def __init__(
        self,
        frames: Sequence[BgrImage],
        *,
        seconds_apart: float = 0.1,
        complete: bool = True,
        tries: int = 1,
        fails: Exception | None = None,
    ) -> None:
        self._frames = frames
        self._apart = seconds_apart
        self._complete = complete
        self._tries = tries
        self._fails = fails

    def stream_video(
        self, data: bytes, *, limits: VideoLimits, begin: Callable[[], TakeFrame]
    ) -> VideoOutline:
        if self._fails is not None:
            raise self._fails
        for _ in range(self._tries):
            take = begin()
            for number, frame in enumerate(self._frames):
                take(frame, number * self._apart)
        return VideoOutline(
            container=VideoContainer.MP4,
            seconds=self._apart * (len(self._frames) - 1),
            decoded=len(self._frames),
            other_size=0,
            complete=self._complete,
        )


class _Broken:
    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        raise ModelFailed("the detector failed (RuntimeError)")


def _analyst(
    decoder: _Given | None = None, pack: Pack | None = None, subject: SubjectRule = SCAN_SUBJECT
) -> VideoAnalyst:
    return VideoAnalyst(
        pack=pack or remembering_pack(),
        fusion=load_fusion_model(),
        policy=LivenessPolicy(),
        subject=subject,
        video_decoder=decoder,
    )


def _analysed(frames: Sequence[BgrImage], **options: float) -> VideoAnalysis:
    return _analyst(_Given(frames, **options)).analyse_video(_MP4)  # type: ignore[arg-type]  # by name


@contextmanager
def _refused(reason: Reason) -> Iterator[None]:
    with pytest.raises(Refusal) as caught:
        yield
    assert caught.value.reason is reason
    if isinstance(caught.value, AnalysisRefused):
        assert caught.value.details["code"] == caught.value.code.value


def test_a_genuine_scan_is_judged_over_time() -> None:
    # A worker that was killed begins anew.
    analysis = _analyst(_Given(genuine(), tries=2)).analyse_video(_MP4)
    signals = {signal.name: signal for signal in analysis.signals}
    assert signals["planar_motion"].assessed
    assert analysis.source.container is VideoContainer.MP4
    assert (analysis.source.frames, analysis.source.usable) == (20, 20)
    assert analysis.source.seconds == pytest.approx(1.9)
    assert 1 <= len(analysis.study.selected) <= 8
    indices = [frame.index for frame in analysis.study.selected]
    assert {cues.frame_index for cues in analysis.study.cues} <= set(indices)
    assert len(analysis.study.cues) <= 4
    # Neither pixels nor templates are shown by accident.
    assert "array(" in repr(analysis.study)
    assert "array(" not in repr(analysis)


def test_the_confidence_of_a_live_video_is_capped_by_the_assessment() -> None:
    analysis = _analysed(genuine())
    assert analysis.is_real
    assert analysis.liveness.score > 80
    assert (analysis.real_probability, analysis.confidence) == (0.8, 0.8)
    signals = {signal.name: signal for signal in analysis.signals}
    assert signals["identity_constancy"].passed
    assert signals["identity_constancy"].weight == 0.0
    assert analysis.study.constant


def test_a_video_whose_person_changes_is_not_live() -> None:
    analysis = _analysed([*genuine()[:12], *genuine(24, "red-shirt")[12:24]])
    assert not analysis.is_real
    assert analysis.study.constant is False
    assert analysis.liveness.reasons[0] is VerdictReason.SEVERAL_PERSONS
    signals = {signal.name: signal for signal in analysis.signals}
    assert signals["identity_constancy"].passed is False
    stills = _analyst().analyse_frames(numbered([*genuine()[:5], *genuine(24, "red-shirt")[:5]]))
    assert stills.liveness.verdict is not Verdict.LIVE
    assert stills.study.constant is False


def test_the_rule_decides_whether_a_bystander_counts() -> None:
    strict = replace(SCAN_SUBJECT, background_width=0.0)
    with _refused(Reason.MULTIPLE_FACES):
        _analyst(_Given(with_bystander()), subject=strict).analyse_video(_MP4)
    stills = numbered(with_bystander(count=8))
    assert _analyst().analyse_frames(stills).source.usable == 8
    with _refused(Reason.MULTIPLE_FACES):
        _analyst(subject=strict).analyse_frames(stills)


def test_two_persons_who_change_places_are_found_out() -> None:
    frames = [*with_bystander()[:12], *with_bystander("red-shirt", "astronaut", 24)[12:24]]
    analysis = _analysed(frames)
    assert all(frame.faces == 1 for frame in analysis.study.observations.frames)
    assert analysis.study.constant is False
    assert not analysis.is_real


def test_the_short_answer_is_the_long_one() -> None:
    analysis = _analysed(genuine())
    liveness = analysis.liveness
    for verdict, score, real, spoof in (
        (Verdict.LIVE, 80.0, True, False),
        (Verdict.SPOOF, 20.0, False, True),
        (Verdict.INCONCLUSIVE, 40.0, False, False),
    ):
        changed = replace(analysis, liveness=replace(liveness, verdict=verdict, score=score))
        assert (changed.is_real, changed.is_spoof) == (real, spoof)
        assert changed.real_probability == pytest.approx(score / 100)
        assert changed.confidence == pytest.approx(max(score, 100 - score) / 100)
    for kind in set(AttackType) - {AttackType.REAL}:
        attack = replace(liveness, verdict=Verdict.SPOOF, score=20.0, attack=kind)
        changed = replace(analysis, liveness=attack)
        assert changed.attack_type == ATTACK_CODES[kind]
        assert changed.attack_type_name == kind.value.lower()
        assert changed.attack_type_confidence == pytest.approx(0.0 if kind is AttackType.UNKNOWN else 0.8)


def test_numbers_of_attack_types_are_the_contracts() -> None:
    names = "REAL PRINT SCREEN_REPLAY PAPER_MASK MASK_3D DEEPFAKE INJECTION UNKNOWN"
    assert {kind.value: number for kind, number in ATTACK_CODES.items()} == {
        name: number for number, name in enumerate(names.split())
    }


def test_one_frame_over_and_over_is_an_injected_video() -> None:
    analysis = _analysed([genuine()[0]] * 25)
    assert analysis.is_spoof
    assert analysis.attack_type_name == "injection"


def test_an_abandoned_analysis_ends_at_the_next_frame() -> None:
    class _Gone(Exception):
        pass

    def leave_after(frames: int) -> Callable[[], None]:
        left = iter(range(frames))

        def check() -> None:
            if next(left, None) is None:
                raise _Gone

        return check

    with pytest.raises(_Gone):
        _analyst(_Given(genuine())).analyse_video(_MP4, require_wanted=leave_after(3))
    with pytest.raises(_Gone):
        _analyst().analyse_frames([*numbered(genuine(3)), b"not looked at"], require_wanted=leave_after(3))


def test_a_fast_video_is_not_measured_frame_by_frame_and_a_short_one_is() -> None:
    assert _analysed(genuine(8), seconds_apart=1 / 60).source.usable == 8
    frames = [frame for pair in zip(genuine(), genuine(), strict=True) for frame in pair]
    assert _analysed(frames, seconds_apart=1 / 30).source.frames < 30


def test_a_face_that_comes_and_goes_is_judged_by_the_frames_that_show_it() -> None:
    nobody = np.full_like(genuine()[0], 90)
    away = [nobody + np.uint8(number) for number in range(6)]
    analysis = _analysed([*genuine()[:9], *away])
    assert analysis.source.usable == 9
    assert analysis.source.frames == 15
    with _refused(Reason.TOO_FEW_FRAMES):
        _analysed([*genuine()[:7], *away])


def test_a_truncated_video_is_reported() -> None:
    analysis = _analyst(_Given(genuine(10), complete=False)).analyse_video(_MP4)
    assert not analysis.source.complete


@pytest.mark.parametrize(
    ("shown", "reason", "code"),
    [
        (lambda: genuine()[:7], Reason.TOO_FEW_FRAMES, AnalysisCode.INVALID_REQUEST),
        (blank, Reason.FACE_NOT_FOUND, AnalysisCode.NO_FACE_DETECTED),
        (lambda: blank()[:3], Reason.TOO_FEW_FRAMES, AnalysisCode.INVALID_REQUEST),
        (two_persons, Reason.MULTIPLE_FACES, AnalysisCode.MULTIPLE_FACES_DETECTED),
    ],
    ids=["seven frames", "nobody", "three frames of nobody", "two persons"],
)
def test_a_video_that_shows_too_little_is_refused(
    shown: Callable[[], Sequence[BgrImage]], reason: Reason, code: AnalysisCode
) -> None:
    frames = shown()
    with pytest.raises(AnalysisRefused) as caught:
        _analysed(frames)
    assert (caught.value.reason, caught.value.code) == (reason, code)
    assert caught.value.details["frames"] == len(frames)
    assert caught.value.details["minFrames"] == 8


@pytest.mark.parametrize("fault", list(VideoFault))
def test_every_fault_of_a_file_has_its_reason(fault: VideoFault) -> None:
    error = VideoError(fault, "MP4: it cannot be used", details={"max_bytes": 7})
    with pytest.raises(AnalysisRefused) as caught:
        _analyst(_Given((), fails=error)).analyse_video(_MP4)
    assert caught.value.reason.value.startswith("VIDEO_")
    assert caught.value.details["maxBytes"] == 7
    assert caught.value.code is AnalysisCode.INVALID_REQUEST
    assert (caught.value.reason is Reason.VIDEO_TOO_SLOW_TO_DECODE) == (fault is VideoFault.TOO_SLOW)


def test_no_free_decoder_and_no_decoder_at_all() -> None:
    with pytest.raises(Refusal) as caught:
        _analyst(_Given((), fails=DecoderUnavailable("busy", retry_after=5.0))).analyse_video(_MP4)
    assert (caught.value.reason, caught.value.retry_after) == (Reason.OVERLOADED, 5.0)
    with _refused(Reason.VIDEO_NOT_AVAILABLE):
        _analyst(None).analyse_video(_MP4)


def test_another_container_than_announced_is_refused() -> None:
    with pytest.raises(AnalysisRefused) as caught:
        _analyst(_Given(genuine())).analyse_video(_MP4, container=VideoContainer.WEBM)
    assert caught.value.reason is Reason.VIDEO_FORMAT_NOT_SUPPORTED
    assert caught.value.details["container"] == "MP4"
    announced = _analyst(_Given(genuine(10))).analyse_video(_MP4, container=VideoContainer.MP4)
    assert announced.source.usable == 10


def test_a_model_that_fails_is_the_servers_failure() -> None:
    pack = replace(remembering_pack(), detector=_Broken())
    with pytest.raises(Refusal) as caught:
        _analyst(_Given(genuine()), pack).analyse_video(_MP4)
    assert caught.value.reason is Reason.INTERNAL
    assert caught.value.details["code"] == "INFERENCE_ERROR"
    assert "RuntimeError" not in str(caught.value)
    with pytest.raises(Refusal) as caught:
        _analyst(None, pack).analyse_frames(numbered(genuine(8)))
    assert caught.value.reason is Reason.INTERNAL


def test_still_frames_claim_nothing_over_time() -> None:
    analysis = _analyst().analyse_frames(numbered(genuine(10)))
    source = analysis.source
    assert (source.container, source.seconds, source.frames, source.usable) == (None, None, 10, 10)
    signals = {signal.name: signal for signal in analysis.signals}
    for name in (
        "planar_motion",
        "micro_motion",
        "blink",
        "stillness",
        "surroundings",
        "pose_consistency",
        "frozen_frames",
    ):
        assert not signals[name].assessed, name
        assert "no times" in signals[name].detail, name
        assert signals[name].weight == 0.0, name
    assert len(analysis.study.selected) == 8


def test_still_frames_of_which_some_are_hardly_new_are_no_injected_video() -> None:
    dark, bright = genuine()[0].copy(), genuine()[1].copy()
    # Frames that repeat except for a corner: a loop, if they were a film.
    frames = [(dark if number % 2 else bright).copy() for number in range(12)]
    for number, frame in enumerate(frames):
        frame[:8, :8] = 3 * number
    analysis = _analyst().analyse_frames(numbered(frames))
    assert analysis.source.usable == 12
    assert analysis.attack_type_name != "injection"


def test_still_frames_over_again_and_of_another_size_are_left_out() -> None:
    stills = numbered(genuine(8))
    half = np.asarray(cv2.resize(genuine()[8], None, fx=0.5, fy=0.5), np.uint8)
    analysis = _analyst().analyse_frames([*stills, stills[3], stills[3] + b"\0", *numbered([half])])
    assert (analysis.source.frames, analysis.source.repeated, analysis.source.other_size) == (8, 2, 1)
    with pytest.raises(AnalysisRefused) as caught:
        _analyst().analyse_frames([stills[0]] * 8)
    assert caught.value.reason is Reason.TOO_FEW_FRAMES
    assert caught.value.details["repeatedFrames"] == 7


def test_numbers_of_still_frames() -> None:
    with _refused(Reason.VIDEO_EMPTY):
        _analyst().analyse_frames([])
    with _refused(Reason.VIDEO_TOO_LARGE):
        _analyst().analyse_frames([b"x"] * (MAXIMUM_STILLS + 1))
    with _refused(Reason.IMAGE_FORMAT_NOT_SUPPORTED):
        _analyst().analyse_frames([b"x"] * 8)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_real_clips_are_judged_whole_and_by_their_frames(assets: Path) -> None:
    # Not the embedded pack, because its network scores the stills of one of these persons as an attack.
    pack = load_pack(f"open:{assets / 'models'}")
    limits = DecoderLimits(cpu_seconds=200, wall_seconds=600)
    with DecoderPool(still_workers=0, video_workers=1, limits=limits) as decoders:
        analyst = VideoAnalyst(
            pack=pack,
            fusion=load_fusion_model(),
            policy=LivenessPolicy(),
            subject=SCAN_SUBJECT,
            video_decoder=decoders,
        )
        clips = sorted((assets / "data" / "video" / "live").iterdir())[3:6]
        for clip in clips:
            analysis = analyst.analyse_video(clip.read_bytes())
            assert not analysis.is_spoof, clip.name
            assert analysis.source.complete
            assert analysis.source.usable >= 8
            chosen = [frame.pixels for frame in analysis.study.selected]
            if len(chosen) == 8:
                assert not analyst.analyse_frames(numbered(chosen)).is_spoof, clip.name


class _GreyCamera:
    """Decodes videos to frames without colours."""

    def __init__(self, decoders: DecoderPool) -> None:
        self._decoders = decoders

    def stream_video(
        self, data: bytes, *, limits: VideoLimits, begin: Callable[[], TakeFrame]
    ) -> VideoOutline:
        def begun() -> TakeFrame:
            take = begin()

            def taken(pixels: BgrImage, time: float) -> None:
                grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
                take(np.asarray(grey, np.uint8), time)

            return taken

        return self._decoders.stream_video(data, limits=limits, begin=begun)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("clip", "verdicts"),
    [
        ("live/Krzysiek354__videos__real.mp4", {Verdict.INCONCLUSIVE}),
        ("spoof/Apfol__videos__fake2.webm", {Verdict.INCONCLUSIVE, Verdict.SPOOF}),
    ],
)
def test_a_film_of_a_grey_camera_is_no_attack_and_never_live(
    assets: Path, clip: str, verdicts: set[Verdict]
) -> None:
    limits = DecoderLimits(cpu_seconds=200, wall_seconds=600)
    with DecoderPool(still_workers=0, video_workers=1, limits=limits) as decoders:
        analyst = VideoAnalyst(
            pack=shared_pack(f"open:{assets / 'models'}"),
            fusion=load_fusion_model(),
            policy=LivenessPolicy(),
            subject=SCAN_SUBJECT,
            video_decoder=_GreyCamera(decoders),
        )
        liveness = analyst.analyse_video((assets / "data" / "video" / clip).read_bytes()).liveness
    assert liveness.verdict in verdicts
    if liveness.verdict is Verdict.INCONCLUSIVE:
        assert liveness.reasons[0] is VerdictReason.NO_COLOURS

"""One capture judged three times: as a scan, by its eight selected frames, and by one of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median

import pytest

from evaluation.scans import clip_windows, observe_scan
from liveness.express.cues import FrameCues
from liveness.express.frame_cues import measure_frame_cues
from liveness.express.judge import judge_express
from liveness.express.pad_network import PadScore
from liveness.fusion_model import load_fusion_model
from liveness.observation import ScanObservations
from liveness.policy import CaptureKind, LivenessPolicy
from liveness.selection import CUE_FRAMES, select_frames, spread_of
from liveness.verdict import AttackType, LivenessResult, Verdict, VerdictReason
from matcher.persons import SCAN_SUBJECT
from tests.packs import shared_pack


@dataclass(frozen=True)
class _Capture:
    """A scan with the models' answers for its selected frames."""

    scan: ScanObservations
    selected: tuple[int, ...]
    scores: tuple[PadScore, ...]
    cues: tuple[FrameCues, ...]

    def only(self, indices: Sequence[int]) -> "_Capture":
        """The part of the scan with only these frames."""
        return _Capture(
            scan=ScanObservations(
                frames=tuple(frame for frame in self.scan.frames if frame.index in indices), motion=()
            ),
            selected=tuple(indices),
            scores=tuple(score for score in self.scores if score.frame_index in indices),
            cues=tuple(cue for cue in self.cues if cue.frame_index in indices),
        )

    def judge(self, capture: CaptureKind) -> LivenessResult:
        return judge_express(
            scan=self.scan,
            pad_scores=self.scores,
            policy=LivenessPolicy(capture=capture),
            model=load_fusion_model(),
            cues=self.cues,
        )


@cache
def _captured(clip: Path, pack_name: str) -> _Capture:
    pack = shared_pack(pack_name)
    window = next(clip_windows(clip, seconds=3.0))
    scan = observe_scan(window, pack, subject=SCAN_SUBJECT)
    selected = select_frames(scan.frames)
    faces = {frame.index: frame.face for frame in scan.frames if frame.face is not None}
    return _Capture(
        scan=scan,
        selected=selected,
        scores=tuple(
            PadScore(index, network.name, network.real_probability(window[index][1], faces[index]))
            for index in selected
            for network in pack.pad_networks
        ),
        cues=tuple(
            measure_frame_cues(window[index][1], faces[index], frame_index=index)
            for index in spread_of(selected, CUE_FRAMES)
        ),
    )


@pytest.fixture
def person(assets: Path) -> _Capture:
    clip = assets / "data/video/live/KwaiVGI__assets__examples__driving__d3.mp4"
    return _captured(clip, f"open:{assets / 'models'}")


@pytest.fixture
def replay(assets: Path) -> _Capture:
    clip = assets / "data/video/spoof/lestari15__videos__fake.mp4"
    return _captured(clip, f"open:{assets / 'models'}")


def test_a_person_is_live_as_a_scan_as_frames_and_as_one_frame(person: _Capture) -> None:
    frames = person.only(person.selected)
    one = person.only(person.selected[3:4])
    as_scan, as_frames, as_one = (
        person.judge(CaptureKind.SCAN),
        frames.judge(CaptureKind.FRAMES),
        one.judge(CaptureKind.FRAME),
    )
    assert (as_scan.verdict, as_scan.reasons) == (Verdict.LIVE, (VerdictReason.LOOKS_ALIVE,))
    assert (as_frames.verdict, as_frames.reasons) == (Verdict.LIVE, (VerdictReason.LOOKS_GENUINE,))
    assert (as_one.verdict, as_one.reasons) == (Verdict.LIVE, (VerdictReason.LOOKS_GENUINE,))
    assert as_one.confidence < as_scan.confidence


def test_a_replay_is_a_spoof_as_a_scan_and_never_live(replay: _Capture) -> None:
    as_scan = replay.judge(CaptureKind.SCAN)
    assert as_scan.verdict is Verdict.SPOOF, as_scan
    assert as_scan.attack_type is AttackType.UNKNOWN
    as_frames = replay.only(replay.selected).judge(CaptureKind.FRAMES)
    assert as_frames.verdict is not Verdict.LIVE
    assert as_frames.confidence < 50
    each = [replay.only((index,)).judge(CaptureKind.FRAME) for index in replay.selected]
    assert all(as_one.verdict is not Verdict.LIVE for as_one in each)
    assert median(as_one.confidence for as_one in each) < 40


def test_a_check_takes_neither_eight_frames_nor_one_for_a_scan(person: _Capture) -> None:
    for indices in (person.selected, person.selected[3:4]):
        result = person.only(indices).judge(CaptureKind.SCAN)
        assert result.verdict is Verdict.INCONCLUSIVE, result
        assert VerdictReason.LOOKS_GENUINE not in result.reasons


def test_single_frames_are_judged_without_motion(person: _Capture) -> None:
    moving = person.judge(CaptureKind.FRAMES)
    still = replace(person, scan=replace(person.scan, motion=())).judge(CaptureKind.FRAMES)
    assert moving.confidence == still.confidence
    weights = {signal.name: signal.weight for signal in moving.signals}
    assert weights["pad_network"] > 0
    assert all(weights[name] == 0 for name in ("planar_motion", "micro_motion", "blink", "stillness"))
    assert sum(weights.values()) == pytest.approx(1)


@pytest.mark.parametrize("capture", list(CaptureKind))
def test_every_signal_is_named_however_little_there_is(person: _Capture, capture: CaptureKind) -> None:
    full = [signal.name for signal in person.judge(CaptureKind.SCAN).signals]
    for indices in (person.selected, person.selected[:1], ()):
        result = person.only(indices).judge(capture)
        assert [signal.name for signal in result.signals] == full
        assert result.reasons
        if not indices:
            assert (result.verdict, result.confidence) == (Verdict.INCONCLUSIVE, 50.0)

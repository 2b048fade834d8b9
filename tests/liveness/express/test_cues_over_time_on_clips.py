"""The signals over time on recorded clips, paper masks made from them, and clips played back and forth."""

from pathlib import Path

import pytest

from evaluation.scans import clip_windows, observe_scan
from liveness import ScanObservations
from liveness.express.judge import ExpressSignal
from liveness.express.motion import PoseConsistency
from liveness.express.repetition import FrozenFrames, Repetition, find_repetition
from liveness.express.settings import ExpressSettings
from liveness.extent import face_extent
from matcher import SCAN_SUBJECT
from tests.liveness.express.paper_mask import WornMask, wear
from tests.liveness.express.repeated_clips import Replay, repeat
from tests.packs import shared_pack
from vision.packs.pack import Pack

_SETTINGS = ExpressSettings()


@pytest.fixture(scope="module")
def pack(assets: Path) -> Pack:
    return shared_pack(f"insightface:{assets / 'models'}")


def _live(assets: Path, name: str) -> Path:
    (clip,) = (assets / "data/video/live").glob(f"*{name}*")
    return clip


def _observed(clip: Path, pack: Pack) -> ScanObservations:
    return observe_scan(next(clip_windows(clip, most=1)), pack, subject=SCAN_SUBJECT)


def _score(signal: ExpressSignal, scan: ScanObservations) -> float | None:
    return signal.assess(scan, _SETTINGS).score


def _alarms(scan: ScanObservations) -> list[str]:
    signals: tuple[ExpressSignal, ...] = (
        PoseConsistency(),
        FrozenFrames(find_repetition(scan, _SETTINGS)),
    )
    found = [signal.assess(scan, _SETTINGS) for signal in signals]
    return [f"{signal.name}: {signal.detail}" for signal in found if signal.passed is False]


def test_a_broadcast_talk_shows_its_nose_and_raises_no_alarm(assets: Path, pack: Pack) -> None:
    scan = _observed(_live(assets, "johndpope"), pack)
    assert _alarms(scan) == []
    nose = _score(PoseConsistency(), scan)
    assert nose is not None
    assert nose > 0.6


@pytest.mark.accuracy
def test_no_live_clip_raises_an_alarm(assets: Path, pack: Pack) -> None:
    clips = sorted((assets / "data/video/live").iterdir())
    alarms = {clip.stem: _alarms(_observed(clip, pack)) for clip in clips}
    assert {clip: found for clip, found in alarms.items() if found} == {}


@pytest.mark.accuracy
def test_paper_masks_show_no_nose(assets: Path, pack: Pack) -> None:
    scores = []
    for number, clip in enumerate(sorted((assets / "data/video/live").iterdir())[:10]):
        image = next(clip_windows(clip, most=1))[5][1]
        extent = face_extent(pack.detector.detect(image)[0])
        face = (extent.x, extent.y, extent.width)
        mask = WornMask(image, face, image[::-1], yaw=20, pitch=6, seed=number)
        worn = observe_scan(wear(mask), pack, subject=SCAN_SUBJECT)
        scores.append(_score(PoseConsistency(), worn))
    assert sum(score is not None and score < 0.5 for score in scores) >= 7, scores


@pytest.mark.accuracy
def test_a_clip_played_back_and_forth_is_looped(assets: Path, pack: Pack) -> None:
    kinds = []
    for clip in sorted((assets / "data/video/live").iterdir())[:10]:
        shown = repeat(next(clip_windows(clip, most=1)), Replay.BACK_AND_FORTH, 0.6)
        finding = find_repetition(observe_scan(shown, pack, subject=SCAN_SUBJECT), _SETTINGS)
        kinds.append(None if finding is None else finding.kind)
    assert kinds.count(Repetition.LOOPED) >= 6, kinds

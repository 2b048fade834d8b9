"""The effect of the measuring pace on verdicts of real clips (``make accuracy``; lab/studies/scan_cost)."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from attempt.analyst import FrameAnalyst
from attempt.capture import AttemptCapture
from attempt.frame import Frame, FrameLimits
from attempt.placement import CapturePlan
from liveness.continuity import without_unexamined_motion
from liveness.fusion import judge_express
from liveness.fusion_model import FusionModel, load_fusion_model
from liveness.guidance import GuidanceSettings, Oval
from liveness.policy import LivenessPolicy
from liveness.verdict import Verdict
from matcher.persons import SCAN_SUBJECT
from tests.packs import shared_pack
from vision.image import encode_jpeg
from vision.packs import Pack

pytestmark = pytest.mark.accuracy

_RATE = 24.0
_LONGEST_SIDE = 640
_WINDOW_SECONDS = 6.0
_APART_SECONDS = 4.5
_MOST_INCONCLUSIVE = 2
_PACES = {"as shipped": CapturePlan(), "every frame": CapturePlan(apart_seconds=0.0)}


@dataclass(frozen=True)
class _Picture:
    time: float
    jpeg: bytes
    width: int
    height: int


@pytest.mark.timeout(1200)
def test_measuring_fewer_frames_changes_hardly_any_verdict(assets: Path) -> None:
    pack = shared_pack(f"open:{assets / 'models'}")
    fusion = load_fusion_model()
    decided: dict[tuple[str, str], Counter[Verdict]] = {}
    videos = assets / "data" / "video"
    with (videos / "manifest.csv").open(newline="") as file:
        clips = list(csv.DictReader(file))
    for clip in clips:
        kind = "live" if clip["label"] == "live" else clip["attack_type"]
        for window in _windows(list(_pictures(videos / clip["file"]))):
            for pace, plan in _PACES.items():
                verdict = _verdict(window, plan, pack=pack, fusion=fusion)
                decided.setdefault((kind, pace), Counter())[verdict] += 1
    for (kind, pace), verdicts in sorted(decided.items()):
        print(kind, pace, dict(verdicts))
    shipped = decided["live", "as shipped"]
    assert shipped[Verdict.SPOOF] == 0
    # INCONCLUSIVE, which lets a person try again: 2 of 39 as shipped, 0 of 39 with every frame measured.
    assert shipped.total() - shipped[Verdict.LIVE] <= _MOST_INCONCLUSIVE
    for (kind, _), verdicts in decided.items():
        # No cue of these packs detects the deepfakes of the development data.
        if kind not in ("live", "deepfake"):
            assert verdicts[Verdict.LIVE] == 0, kind


def _pictures(clip: Path) -> Iterator[_Picture]:
    """At most 24 frames a second, the server's limit for a device."""
    capture = cv2.VideoCapture(str(clip))
    rate = capture.get(cv2.CAP_PROP_FPS) or 25.0
    step, due, index = max(1.0, rate / _RATE), 0.0, -1
    while True:
        found, image = capture.read()
        if not found:
            capture.release()
            return
        index += 1
        if index < due:
            continue
        due += step
        scale = min(1.0, _LONGEST_SIDE / max(image.shape[:2]))
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = small.shape[:2]
        yield _Picture(
            index / rate, encode_jpeg(small.astype("uint8", copy=False), quality=85), width, height
        )


def _windows(pictures: Sequence[_Picture]) -> Iterator[Sequence[_Picture]]:
    start = 0.0
    while pictures and start + _APART_SECONDS < pictures[-1].time:
        yield [one for one in pictures if start <= one.time < start + _WINDOW_SECONDS]
        start += _APART_SECONDS


def _verdict(window: Sequence[_Picture], plan: CapturePlan, *, pack: Pack, fusion: FusionModel) -> Verdict:
    capture = AttemptCapture(
        analyst=FrameAnalyst(pack=pack, limits=FrameLimits()),
        plan=plan,
        oval=Oval(),
        guidance=GuidanceSettings(),
        random=bytes,
        subject=SCAN_SUBJECT,
    )
    for index, picture in enumerate(window):
        frame = Frame(
            image=picture.jpeg,
            index=index,
            capture_time_us=1 + int(1e6 * picture.time),
            rotation_degrees=0,
            mirrored=False,
            width=picture.width,
            height=picture.height,
        )
        capture.capture_frame(frame, arrival=picture.time)
        if capture.complete:
            break
    capture.examine_rest()
    examined = capture.examined
    identified = {frame.frame_index for frame in (*examined, *capture.witnesses)}
    return judge_express(
        scan=without_unexamined_motion(capture.observations, examined=identified),
        pad_scores=capture.pad_scores,
        policy=LivenessPolicy(),
        model=fusion,
        cues=[frame.cues for frame in examined if frame.cues is not None],
    ).verdict

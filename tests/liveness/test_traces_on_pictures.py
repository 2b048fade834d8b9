"""A clearly visible medium, on a real recapture, against a network that scores it as a person."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from liveness.express.frame_cues import measure_frame_cues
from liveness.express.judge import judge_express
from liveness.express.pad_network import PadScore
from liveness.fusion_model import load_fusion_model
from liveness.observation import ScanObservations
from liveness.observe import observe_frame
from liveness.policy import CaptureKind, LivenessPolicy
from liveness.verdict import LivenessResult, Verdict, VerdictReason
from vision.packs import Pack, load_pack

_GRID = "spoof/feni-katharoti__data__Spoof_aspect_resized__7899.jpg"
_SELFIE = "live/feni__worker_6748ff4b82.jpg"


@pytest.fixture(scope="module")
def pack(assets: Path) -> Pack:
    return load_pack(f"insightface:{assets / 'models'}")


def _judged(path: Path, pack: Pack, *, real_probability: float) -> LivenessResult:
    image = np.asarray(cv2.imread(str(path)), np.uint8)
    faces = pack.detector.detect(image)
    return judge_express(
        scan=ScanObservations(
            frames=(observe_frame(image, index=0, capture_time=0.0, faces=faces),), motion=()
        ),
        pad_scores=(PadScore(0, "minifas_v2se", real_probability),),
        policy=LivenessPolicy(capture=CaptureKind.FRAME),
        model=load_fusion_model(),
        cues=(measure_frame_cues(image, faces[0], frame_index=0),),
    )


@pytest.mark.parametrize("real_probability", [0.71, 0.95])
def test_a_screen_whose_pixels_are_plain_to_see_is_never_live(
    assets: Path, pack: Pack, real_probability: float
) -> None:
    found = _judged(assets / "data/pad" / _GRID, pack, real_probability=real_probability)
    assert found.verdict is not Verdict.LIVE
    assert found.confidence < 60
    assert VerdictReason.SHOWS_A_MEDIUM in found.reasons
    assert next(signal.weight for signal in found.signals if signal.name == "moire") > 0.2


def test_a_selfie_on_which_compression_leaves_a_faint_pattern_stays_live(assets: Path, pack: Pack) -> None:
    found = _judged(assets / "data/pad" / _SELFIE, pack, real_probability=0.97)
    moire = next(signal for signal in found.signals if signal.name == "moire")
    assert (moire.passed, moire.weight) == (False, 0.0)
    assert found.verdict is Verdict.LIVE

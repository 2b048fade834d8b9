"""Guidance and signals on real pictures."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from lab.studies.liveness_fusion.photo_attacks import large_faces
from liveness.express.frame_cues import measure_frame_cues
from liveness.express.pad_network import PadScore
from liveness.fusion import judge_express
from liveness.fusion_model import load_fusion_model
from liveness.guidance import GuidanceSettings, GuidanceState, HintCode, Oval, guide
from liveness.observation import ScanObservations
from liveness.observe import observe_frame
from liveness.policy import CaptureKind, LivenessPolicy
from liveness.verdict import LivenessResult, Verdict, VerdictReason
from tests.packs import shared_pack
from vision.face import BgrImage
from vision.packs import load_pack
from vision.packs.pack import Pack

# The live feedback on real photos, made dark, blurred, small, large, cut off and doubled.

_PHOTOS = 12


def _blurred(image: BgrImage) -> BgrImage:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 7), np.uint8)


_CASES: dict[str, tuple[float, float, Callable[[BgrImage], BgrImage], set[HintCode]]] = {
    "as it should be": (230, 240, lambda image: image, {HintCode.GOOD, HintCode.LOOK_STRAIGHT}),
    "far": (130, 240, lambda image: image, {HintCode.MOVE_CLOSER}),
    "near": (390, 240, lambda image: image, {HintCode.MOVE_BACK}),
    "aside": (230, 330, lambda image: image, {HintCode.CENTER_FACE}),
    "half outside": (230, 410, lambda image: image, {HintCode.FACE_CUT_OFF}),
    "dark": (230, 240, lambda image: (image * 0.12).astype(np.uint8), {HintCode.TOO_DARK}),
    "bright": (
        230,
        240,
        lambda image: np.clip(image * 1.5 + 130.0, 0, 255).astype(np.uint8),
        {HintCode.TOO_BRIGHT},
    ),
    "blurred": (230, 240, _blurred, {HintCode.BLURRED}),
    "doubled": (
        220,
        125,
        lambda image: np.concatenate([image[:, :240], image[:, :240]], axis=1),
        {HintCode.MULTIPLE_FACES},
    ),
    "nobody": (230, 240, lambda image: np.full_like(image, 120), {HintCode.NO_FACE}),
}


@pytest.fixture(scope="module")
def pack(assets: Path) -> Pack:
    return shared_pack(f"insightface:{assets / 'models'}")


@pytest.fixture(scope="module")
def photos(assets: Path, pack: Pack) -> list[tuple[BgrImage, float, float, float]]:
    """Photos of different persons with one large face, with the face's place and width."""
    found = large_faces(assets, pack.detector, count=_PHOTOS, least_width=200)
    return [(image, extent.x, extent.y, extent.width) for _, image, extent in found]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("case", list(_CASES))
def test_guidance_fires_as_it_should(
    case: str, pack: Pack, photos: list[tuple[BgrImage, float, float, float]]
) -> None:
    width, x, alter, expected = _CASES[case]
    codes: Counter[HintCode] = Counter()
    for photo, face_x, face_y, face_width in photos:
        scale = width / face_width
        to_frame = np.array([[scale, 0, x - scale * face_x], [0, scale, 295 - scale * face_y]])
        framed = cv2.warpAffine(
            photo,
            to_frame,
            (480, 640),
            flags=cv2.INTER_AREA,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(90, 90, 90),
        )
        image = alter(np.asarray(framed, np.uint8))
        seen = observe_frame(image, index=0, capture_time=0, faces=pack.detector.detect(image))
        guidance = guide(seen, oval=Oval(), settings=GuidanceSettings(), state=GuidanceState())
        codes[guidance.frame_code] += 1
    hits = sum(codes[code] for code in expected)
    assert hits >= 0.8 * len(photos), dict(codes)


# A clearly visible medium, on a real recapture, against a network that scores it as a person.

_GRID = "spoof/feni-katharoti__data__Spoof_aspect_resized__7899.jpg"
_SELFIE = "live/feni__worker_6748ff4b82.jpg"


@pytest.fixture(scope="module")
def traces_pack(assets: Path) -> Pack:
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
    assets: Path, traces_pack: Pack, real_probability: float
) -> None:
    found = _judged(assets / "data/pad" / _GRID, traces_pack, real_probability=real_probability)
    assert found.verdict is not Verdict.LIVE
    assert found.confidence < 60
    assert VerdictReason.SHOWS_A_MEDIUM in found.reasons
    assert next(signal.weight for signal in found.signals if signal.name == "moire") > 0.2


def test_a_selfie_on_which_compression_leaves_a_faint_pattern_stays_live(
    assets: Path, traces_pack: Pack
) -> None:
    found = _judged(assets / "data/pad" / _SELFIE, traces_pack, real_probability=0.97)
    moire = next(signal for signal in found.signals if signal.name == "moire")
    assert (moire.passed, moire.weight) == (False, 0.0)
    assert found.verdict is Verdict.LIVE

"""The live feedback on real photos, made dark, blurred, small, large, cut off and doubled."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from liveness.guidance import GuidanceCode, GuidanceSettings, GuidanceState, Oval, guide
from liveness.observe import observe_frame
from research.liveness_fusion.photo_attacks import large_faces
from tests.packs import shared_pack
from vision.face import BgrImage
from vision.packs.pack import Pack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_PHOTOS = 12


def _blurred(image: BgrImage) -> BgrImage:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 7), np.uint8)


_CASES: dict[str, tuple[float, float, Callable[[BgrImage], BgrImage], set[GuidanceCode]]] = {
    "as it should be": (230, 240, lambda image: image, {GuidanceCode.OK, GuidanceCode.LOOK_STRAIGHT}),
    "far": (130, 240, lambda image: image, {GuidanceCode.MOVE_CLOSER}),
    "near": (390, 240, lambda image: image, {GuidanceCode.MOVE_BACK}),
    "aside": (230, 330, lambda image: image, {GuidanceCode.CENTER_FACE}),
    "half outside": (230, 410, lambda image: image, {GuidanceCode.FACE_CUT_OFF}),
    "dark": (230, 240, lambda image: (image * 0.12).astype(np.uint8), {GuidanceCode.TOO_DARK}),
    "bright": (
        230,
        240,
        lambda image: np.clip(image * 1.5 + 130.0, 0, 255).astype(np.uint8),
        {GuidanceCode.TOO_BRIGHT},
    ),
    "blurred": (230, 240, _blurred, {GuidanceCode.BLURRED}),
    "doubled": (
        220,
        125,
        lambda image: np.concatenate([image[:, :240], image[:, :240]], axis=1),
        {GuidanceCode.MULTIPLE_FACES},
    ),
    "nobody": (230, 240, lambda image: np.full_like(image, 120), {GuidanceCode.NO_FACE}),
}


@pytest.fixture(scope="module")
def pack(assets: Path) -> Pack:
    return shared_pack(f"insightface:{assets / 'models'}")


@pytest.fixture(scope="module")
def photos(assets: Path, pack: Pack) -> list[tuple[BgrImage, float, float, float]]:
    """Photos of different persons with one large face, with the face's place and width."""
    found = large_faces(assets, pack.detector, count=_PHOTOS, least_width=200)
    return [(image, extent.x, extent.y, extent.width) for _, image, extent in found]


@pytest.mark.parametrize("case", list(_CASES))
def test_guidance_fires_as_it_should(
    case: str, pack: Pack, photos: list[tuple[BgrImage, float, float, float]]
) -> None:
    width, x, alter, expected = _CASES[case]
    codes: Counter[GuidanceCode] = Counter()
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

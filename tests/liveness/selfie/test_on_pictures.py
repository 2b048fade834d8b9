"""The eight signals on real images: their direction and their limits."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from formats.exif import ExifTags
from liveness.selfie import SIGNAL_NAMES, SelfieResult, SelfieSettings, judge_selfie, load_selfie_model
from liveness.verdict import Verdict
from tests.packs import real_pack
from vision.face import BgrImage
from vision.packs import Pack

_SELFIES = "Silent-Face-Anti-Spoofing-TFLite"
_MODEL = load_selfie_model()


@pytest.fixture(scope="module")
def pack() -> Pack:
    return real_pack()


def _rows(assets: Path, *, label: str, attack: str = "") -> list[Path]:
    folder = assets / "data" / "pad"
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        return [
            folder / row["file"]
            for row in csv.DictReader(stream)
            if row["usable"] == "1"
            and row["label"] == label
            and _SELFIES in row["source_repo"]
            and row["attack_type"].startswith(attack)
        ]


def _read(path: Path) -> BgrImage:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8, copy=False)


def _judge(image: BgrImage, pack: Pack) -> SelfieResult:
    faces = pack.detector.detect(image)
    landmarks = pack.landmarker.locate(image, faces[0]) if faces and pack.landmarker else None
    return judge_selfie(
        image=image,
        face=faces[0] if faces else None,
        landmarks=landmarks,
        exif=ExifTags(),
        settings=SelfieSettings(),
        model=_MODEL,
    )


def _judged(paths: list[Path], pack: Pack) -> list[SelfieResult]:
    results = [_judge(_read(path), pack) for path in paths]
    return [result for result in results if result.face_detected]


def _median(results: list[SelfieResult], name: str) -> float:
    at = SIGNAL_NAMES.index(name)
    return float(np.median([result.signals[at].score or 0.0 for result in results]))


def test_selfies_are_sharper_and_richer_in_texture_than_prints_and_pass(assets: Path, pack: Pack) -> None:
    live = _judged(_rows(assets, label="live")[::40], pack)
    prints = _judged(_rows(assets, label="spoof", attack="print")[::40], pack)
    assert len(live) >= 10
    assert len(prints) >= 8
    for name in ("sharpness", "lbp_texture"):
        assert _median(live, name) > _median(prints, name)
    assert np.median([result.confidence for result in live]) > np.median(
        [result.confidence for result in prints]
    )
    assert sum(result.verdict is Verdict.LIVE for result in live) >= 0.8 * len(live)
    assert not any(result.not_assessed for result in live)


def test_a_blurred_a_tiny_and_a_turned_face_lose(assets: Path, pack: Pack) -> None:
    image = _read(_rows(assets, label="live")[40])
    plain = _judge(image, pack)
    assert plain.verdict is Verdict.LIVE
    blurred = _judge(np.asarray(cv2.GaussianBlur(image, (0, 0), 4), np.uint8), pack)
    assert blurred.confidence < plain.confidence - 0.1
    assert blurred.verdict is not Verdict.LIVE
    height, width = image.shape[:2]
    far = cv2.copyMakeBorder(image, 3 * height, height, 2 * width, 2 * width, cv2.BORDER_CONSTANT)
    small = _judge(np.asarray(far, np.uint8), pack)
    area = SIGNAL_NAMES.index("face_area_ratio")
    assert small.signals[area].passed is False
    assert "photo of a photo" in small.signals[area].detail


@pytest.mark.slow
def test_the_shares_that_the_model_s_record_tells(assets: Path, pack: Pack) -> None:
    """Few live selfies are refused, and nearly every screen passes: the sum must not decide a scan."""
    live = _judged(_rows(assets, label="live")[::4], pack)
    screens = _judged(_rows(assets, label="spoof", attack="screen"), pack)
    spoof = sum(result.verdict is Verdict.SPOOF for result in live)
    assert spoof <= 0.03 * len(live)
    assert sum(result.verdict is Verdict.LIVE for result in screens) >= 0.9 * len(screens)

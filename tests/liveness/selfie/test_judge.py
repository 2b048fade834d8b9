"""The judgement of a selfie, its model and settings, and the signals on real images."""

import csv
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.exif import ExifTags
from liveness.errors import LivenessPolicyError, SelfieModelError
from liveness.selfie import (
    SIGNAL_NAMES,
    SelfieModel,
    SelfieResult,
    SelfieSettings,
    judge_selfie,
    load_selfie_model,
)
from liveness.selfie.judge import NEUTRAL, parse_selfie_model, selfie_verdict
from liveness.selfie.settings import score_between
from liveness.verdict import Verdict
from tests.liveness.builders import face_at
from tests.liveness.selfie.builders import mirrored_landmarks, noisy
from tests.packs import real_pack
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.packs import Pack

_MODEL = load_selfie_model()


def _judge(
    face: DetectedFace | None,
    landmarks: Landmarks | None = None,
    *,
    image: BgrImage | None = None,
    model: SelfieModel = _MODEL,
    **settings: float,
) -> SelfieResult:
    return judge_selfie(
        image=noisy() if image is None else image,
        face=face,
        landmarks=landmarks,
        exif=ExifTags(),
        settings=SelfieSettings(**settings),
        model=model,
    )


@pytest.mark.parametrize(
    ("confidence", "verdict"),
    [
        (0.5399, Verdict.SPOOF),
        (0.54, Verdict.INCONCLUSIVE),
        (0.6199, Verdict.INCONCLUSIVE),
        (0.62, Verdict.LIVE),
    ],
)
def test_the_verdict_follows_the_seeds_ranges(confidence: float, verdict: Verdict) -> None:
    assert selfie_verdict(confidence, threshold=0.58, face_detected=True) is verdict
    assert selfie_verdict(confidence, threshold=0.58, face_detected=False) is Verdict.INCONCLUSIVE


@given(st.floats(0.04, 0.96), st.floats(0, 1), st.floats(0, 1))
def test_more_confidence_never_makes_a_verdict_worse(threshold: float, one: float, other: float) -> None:
    order = [Verdict.SPOOF, Verdict.INCONCLUSIVE, Verdict.LIVE]
    less, more = (
        order.index(selfie_verdict(confidence, threshold=threshold, face_detected=True))
        for confidence in sorted((one, other))
    )
    assert less <= more


def test_eight_signals_in_the_seeds_order_and_their_sum() -> None:
    result = _judge(face_at(), mirrored_landmarks("ibug68", 68))
    assert tuple(signal.name for signal in result.signals) == SIGNAL_NAMES
    assert math.isclose(math.fsum(signal.weight for signal in result.signals), 1, abs_tol=1e-9)
    total = math.fsum(signal.weight * (signal.score or 0) for signal in result.signals)
    assert result.confidence == pytest.approx(total, abs=5e-5)
    assert (result.threshold, result.face_detected, result.version) == (0.58, True, _MODEL.version)
    assert result.not_assessed == ()
    for signal in result.signals:
        assert signal.score is not None
        assert signal.passed == (signal.score >= 0.5)
        assert signal.label
        assert signal.detail.endswith(".")


def test_an_unassessable_signal_is_neutral_with_a_reason() -> None:
    result = _judge(face_at())
    assert result.not_assessed == ("eye_aspect_ratio",)
    eyes = result.signals[SIGNAL_NAMES.index("eye_aspect_ratio")]
    assert (eyes.score, eyes.passed, eyes.weight) == (NEUTRAL, True, _MODEL.weights["eye_aspect_ratio"])
    assert "Could not be assessed" in eyes.detail


def test_neutral_signals_alone_never_make_live() -> None:
    verdict = selfie_verdict(NEUTRAL, threshold=SelfieSettings().live_threshold, face_detected=True)
    assert verdict is Verdict.SPOOF


def test_without_a_face_the_verdict_is_inconclusive() -> None:
    result = _judge(None, mirrored_landmarks("ibug68", 68))
    assert (result.verdict, result.face_detected) == (Verdict.INCONCLUSIVE, False)
    assert set(result.not_assessed) == set(SIGNAL_NAMES) - {"exif_metadata"}
    assert result.confidence == pytest.approx(0.5)


def test_a_face_below_the_detector_threshold_does_not_count() -> None:
    assert _judge(face_at()).face_detected
    assert not _judge(face_at(), min_face_confidence=0.91).face_detected


def test_the_weights_are_the_models() -> None:
    weights = dict.fromkeys(SIGNAL_NAMES, 0.01) | {"lbp_texture": 0.93}
    lines = "\n".join(f"{name} = {weight}" for name, weight in weights.items())
    model = parse_selfie_model(f"version = '9'\n[weights]\n{lines}\n[record]\n")
    result = _judge(face_at(), model=model)
    texture = result.signals[SIGNAL_NAMES.index("lbp_texture")]
    assert (result.version, texture.weight) == ("9", 0.93)
    assert texture.score is not None
    assert result.confidence == pytest.approx(0.93 * texture.score, abs=0.07)


_WEIGHTS = dict.fromkeys(SIGNAL_NAMES, 0.1) | {"lbp_texture": 0.3}


def _text(weights: dict[str, object] | None = None, *, version: str = '"7"', record: str = 'by = "x"') -> str:
    lines = [f"{name} = {value}" for name, value in (weights or dict(_WEIGHTS)).items()]
    return f"version = {version}\n[weights]\n" + "\n".join(lines) + f"\n[record]\n{record}\n"


def test_the_shipped_weights_sum_to_1_and_record_their_origin() -> None:
    model = load_selfie_model()
    assert tuple(model.weights) == SIGNAL_NAMES
    assert math.isclose(math.fsum(model.weights.values()), 1, abs_tol=1e-9)
    assert max(model.weights, key=lambda name: model.weights[name]) == "lbp_texture"
    assert min(model.weights.values()) > 0
    assert {"command", "data", "figures", "limits"} <= set(model.record)


def test_a_good_text_is_read() -> None:
    model = parse_selfie_model(_text())
    assert (model.version, dict(model.weights), dict(model.record)) == ("7", _WEIGHTS, {"by": "x"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version = ", "cannot be used"),
        ("x = " + "9" * 5000, "cannot be used"),
        ("version = '1'", "must hold"),
        (_text(version="7"), "version is of the wrong type"),
        (_text(record="by = 1"), "by is of the wrong type"),
        ("version = '1'\nweights = 1\nrecord = 2", "weights is of the wrong type"),
        (_text({**_WEIGHTS, "extra": 0.1}), "must be of"),
        (_text({name: weight for name, weight in _WEIGHTS.items() if name != "head_pose"}), "must be of"),
        (_text({**_WEIGHTS, "head_pose": "true"}), "head_pose"),
        (_text({**_WEIGHTS, "head_pose": "nan"}), "head_pose"),
        (_text({**_WEIGHTS, "head_pose": '"0.1"'}), "head_pose"),
    ],
)
def test_a_bad_text_is_refused(text: str, words: str) -> None:
    with pytest.raises(SelfieModelError, match=words):
        parse_selfie_model(text)


@settings(max_examples=40)
@given(st.text(max_size=80))
def test_no_text_gives_another_error(text: str) -> None:
    with pytest.raises(SelfieModelError):
        parse_selfie_model(text)


# Seed 002's configuration table.
_DEFAULTS = {
    "live_threshold": 0.58,
    "min_face_confidence": 0.60,
    "min_blur_variance": 40.0,
    "min_ear": 0.15,
    "max_yaw_deg": 35.0,
    "max_pitch_deg": 30.0,
    "min_face_area_ratio": 0.04,
    "max_asymmetry": 0.20,
    "lbp_dominant_bin_spoof_threshold": 0.60,
    "fft_kurtosis_max": 12.0,
    "fft_hf_ratio_baseline": 0.65,
    "fft_az_variance_max": 0.35,
}


def test_names_and_defaults_are_the_seeds() -> None:
    settings = SelfieSettings()
    assert {name: getattr(settings, name) for name in SelfieSettings.__dataclass_fields__} == _DEFAULTS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("live_threshold", 0.01),
        ("live_threshold", 0.99),
        ("min_face_confidence", -0.1),
        ("min_face_confidence", 1.1),
        ("min_blur_variance", 0),
        ("min_ear", 0),
        ("max_yaw_deg", 0),
        ("max_pitch_deg", 91),
        ("min_face_area_ratio", 0),
        ("min_face_area_ratio", 0.2),
        ("max_asymmetry", -1),
        ("lbp_dominant_bin_spoof_threshold", 1),
        ("fft_kurtosis_max", 3),
        ("fft_hf_ratio_baseline", 0),
        ("fft_az_variance_max", 0),
        *((name, value) for name in _DEFAULTS for value in (float("nan"), float("inf"))),
    ],
)
def test_an_invalid_setting_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(LivenessPolicyError, match=name):
        SelfieSettings(**{name: value})


@pytest.mark.parametrize(
    ("value", "score"), [(-1, 0), (0, 0), (1, 0.25), (2, 0.5), (3, 0.75), (4, 1), (9, 1)]
)
def test_straight_lines_and_level_ends(value: float, score: float) -> None:
    assert score_between(value, ((0, 0), (2, 0.5), (4, 1))) == pytest.approx(score)


# The eight signals on real images: their direction and their limits.

_SELFIES = "Silent-Face-Anti-Spoofing-TFLite"


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


def _judge_picture(image: BgrImage, pack: Pack) -> SelfieResult:
    faces = pack.detector.detect(image)
    landmarks = pack.landmarker.locate(image, faces[0]) if faces and pack.landmarker else None
    return _judge(faces[0] if faces else None, landmarks, image=image)


def _judged(paths: list[Path], pack: Pack) -> list[SelfieResult]:
    results = [_judge_picture(_read(path), pack) for path in paths]
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
    plain = _judge_picture(image, pack)
    assert plain.verdict is Verdict.LIVE
    blurred = _judge_picture(np.asarray(cv2.GaussianBlur(image, (0, 0), 4), np.uint8), pack)
    assert blurred.confidence < plain.confidence - 0.1
    assert blurred.verdict is not Verdict.LIVE
    height, width = image.shape[:2]
    far = cv2.copyMakeBorder(image, 3 * height, height, 2 * width, 2 * width, cv2.BORDER_CONSTANT)
    small = _judge_picture(np.asarray(far, np.uint8), pack)
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

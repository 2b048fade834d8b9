import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.exif import ExifTags
from liveness.selfie import (
    NEUTRAL,
    SIGNAL_NAMES,
    SelfieResult,
    SelfieSettings,
    judge_selfie,
    load_selfie_model,
    parse_selfie_model,
    selfie_verdict,
)
from liveness.verdict import Verdict
from tests.liveness.builders import face_at
from tests.liveness.selfie.builders import mirrored_landmarks, noisy
from vision.face import DetectedFace, Landmarks

_MODEL = load_selfie_model()


def _judge(face: DetectedFace | None, landmarks: Landmarks | None = None, **settings: float) -> SelfieResult:
    return judge_selfie(
        image=noisy(),
        face=face,
        landmarks=landmarks,
        exif=ExifTags(),
        settings=SelfieSettings(**settings),
        model=_MODEL,
    )


@pytest.mark.parametrize(
    ("confidence", "verdict"),
    [
        (0.0, Verdict.SPOOF),
        (0.53, Verdict.SPOOF),
        (0.5399, Verdict.SPOOF),
        (0.54, Verdict.INCONCLUSIVE),
        (0.58, Verdict.INCONCLUSIVE),
        (0.61, Verdict.INCONCLUSIVE),
        (0.6199, Verdict.INCONCLUSIVE),
        (0.62, Verdict.LIVE),
        (1.0, Verdict.LIVE),
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
    result = judge_selfie(
        image=noisy(),
        face=face_at(),
        landmarks=None,
        exif=ExifTags(),
        settings=SelfieSettings(),
        model=model,
    )
    texture = result.signals[SIGNAL_NAMES.index("lbp_texture")]
    assert (result.version, texture.weight) == ("9", 0.93)
    assert texture.score is not None
    assert result.confidence == pytest.approx(0.93 * texture.score, abs=0.07)

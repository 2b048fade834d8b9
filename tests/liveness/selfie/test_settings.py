import pytest

from liveness.errors import LivenessPolicyError
from liveness.selfie import SelfieSettings
from liveness.selfie.settings import score_between

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

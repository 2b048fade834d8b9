from dataclasses import asdict, replace

import pytest
from pydantic import ValidationError

from liveness.selfie import SelfieSettings
from matcher.persons import PHOTO_SUBJECT, SCAN_SUBJECT
from server.configuration.analysis import AnalysisSettings, SelfieTable
from server.configuration.settings import Settings


def test_the_defaults_are_those_of_the_liveness_room() -> None:
    assert SelfieTable().as_settings() == SelfieSettings()
    assert set(SelfieTable.model_fields) == set(asdict(SelfieSettings()))


def test_parameters_go_through() -> None:
    settings = Settings.model_validate({"analysis": {"selfie": {"live_threshold": 0.7, "min_ear": 0.2}}})
    assert settings.analysis.selfie.as_settings() == SelfieSettings(live_threshold=0.7, min_ear=0.2)


def test_the_rules_of_selfies_and_of_videos_are_set_apart() -> None:
    defaults = AnalysisSettings()
    assert (defaults.subject.as_rule(), defaults.video_subject.as_rule()) == (PHOTO_SUBJECT, SCAN_SUBJECT)
    settings = AnalysisSettings.model_validate({"video_subject": {"background_width": 0.5, "centre": 0.4}})
    assert settings.subject.as_rule() == PHOTO_SUBJECT
    assert settings.video_subject.as_rule() == replace(SCAN_SUBJECT, background_width=0.5, centre=0.4)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"selfie": {"live_threshold": 1.5}}, "live_threshold"),
        ({"selfie": {"min_face_area_ratio": 0.5}}, "min_face_area_ratio"),
        ({"selfie": {"unknown": 1}}, "unknown"),
        ({"video_subject": {"background_width": 0.9}}, "background_width"),
        ({"max_videos": 0}, "max_videos"),
        ({"video_workers": -1}, "video_workers"),
        ({"max_video_seconds": 28_800}, "max_video_seconds"),
    ],
)
def test_contradictory_settings_are_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AnalysisSettings.model_validate(values)

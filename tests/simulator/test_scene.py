from dataclasses import replace
from typing import Any

import pytest

from simulator import (
    CameraSettings,
    ExpressionSettings,
    MotionSettings,
    ScanKind,
    SceneSettings,
    SceneSettingsInvalid,
    ScreenSettings,
    SheetSettings,
)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": -1},
        {"seconds": 0.1},
        {"seconds": 61.0},
        {"seconds": float("nan")},
        {"frames_per_second": 4.0},
        {"width": 158},
        {"height": 481},
        {"face_width": 0.9},
        {"loop_frames": 1},
        {"motion": MotionSettings(yaw_degrees=-1)},
        {"camera": CameraSettings(field_of_view_degrees=150)},
        {"camera": CameraSettings(read_noise=float("nan"))},
        {"expression": ExpressionSettings(blink_depth=1.5)},
        {"expression": ExpressionSettings(blink_gap_seconds=0.5)},
        {"sheet": SheetSettings(face_share=0.95)},
        {"screen": ScreenSettings(pixel_pitch=0.0)},
    ],
)
def test_a_knob_outside_its_range_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SceneSettingsInvalid):
        replace(SceneSettings(kind=ScanKind.GENUINE), **change)


def test_the_number_of_frames_follows_length_and_rate() -> None:
    assert SceneSettings(kind=ScanKind.GENUINE, seconds=3.0, frames_per_second=24.0).frames == 72
    assert SceneSettings(kind=ScanKind.GENUINE, seconds=0.2, frames_per_second=5.0).frames == 1

"""Knobs by name: valid values, and the errors for invalid ones."""

from dataclasses import replace

import pytest

from facegate_client import SourceError
from simulator import AmbientPreset, FlashKind, FlashScanSettings, ScanKind, SceneSettings
from simulator.phone import apply_changes, knob_lines

_FLASH = FlashScanSettings(kind=FlashKind.GENUINE)


def test_knobs_of_every_kind_are_turned() -> None:
    settings = apply_changes(
        _FLASH,
        [
            "ambient.preset=office",
            "ambient.lux = 250",
            "injection.shadowing=no",
            "injection.latency_seconds=0.2",
            "width=320",
            "frames_per_second=15",
            "injection.latency_seconds=0.4",
        ],
    )
    assert settings.ambient.preset is AmbientPreset.OFFICE
    assert settings.ambient.lux == 250
    assert not settings.injection.shadowing
    assert settings.injection.latency_seconds == 0.4
    assert (settings.width, settings.frames_per_second) == (320, 15)
    assert apply_changes(_FLASH, []) == _FLASH


def test_scans_without_a_flash_have_knobs_too() -> None:
    settings = apply_changes(SceneSettings(kind=ScanKind.GENUINE), ["motion.yaw_degrees=4", "face_width=0.5"])
    assert (settings.motion.yaw_degrees, settings.face_width) == (4, 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("ambient.preset", "write NAME=VALUE"),
        ("ambient.preset=moon", "it can be dark, indoor, office, shade, sun"),
        ("ambient.lux=bright", "it can be a number"),
        ("ambient.lux=nan", "it can be a number"),
        ("ambient.lux=1e9", "Lux|lux"),
        ("ambient=office", "a group of knobs"),
        ("ambient.preset.name=x", "there is no knob"),
        ("weather=rain", "at 'weather' there are .*ambient"),
        ("injection.linear=maybe", "it can be yes, no"),
        ("width=32.5", "a whole number"),
        ("kind=print", "there is no knob"),
        ("seed=2", "there is no knob"),
        ("=1", "there is no knob"),
    ],
)
def test_an_unknown_knob_is_reported(change: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        apply_changes(_FLASH, [change])


def test_every_listed_knob_can_be_set_to_its_default() -> None:
    lines = knob_lines(_FLASH)
    assert len({line.name for line in lines}) == len(lines) > 40
    defaults = [f"{line.name}={line.default}" for line in lines if line.default != "drawn"]
    assert apply_changes(_FLASH, defaults) == _FLASH
    lux = next(line for line in lines if line.name == "ambient.lux")
    assert (lux.values, lux.default) == ("0.1 to 100000", "drawn")
    assert "lux" in lux.text


@pytest.mark.parametrize("settings", [_FLASH, SceneSettings(kind=ScanKind.GENUINE)])
def test_every_listed_knob_has_a_description(settings: FlashScanSettings | SceneSettings) -> None:
    assert [line.name for line in knob_lines(settings) if len(line.text) < 5] == []


def test_defaults_are_those_of_the_scan_that_is_made() -> None:
    (length,) = [line for line in knob_lines(replace(_FLASH, seconds=55.0)) if line.name == "seconds"]
    assert length.default == "55"
    shift = {line.name: line for line in knob_lines(_FLASH)}["motion.shift"]
    assert shift.text == "Movement of the head relative to the phone, as a share of the frame's width"

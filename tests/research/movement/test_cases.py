from research.movement import Approacher, Case, settings_of
from simulator import AmbientPreset, FlashKind, Geometry


def _case(approacher: Approacher, *, attempt: int = 0, geometry: Geometry = Geometry.RELIEF) -> Case:
    return Case(approacher=approacher, person="0a1b2c3d4e5f", geometry=geometry, attempt=attempt)


def test_every_approacher_is_rendered_in_shade_and_in_sun() -> None:
    for approacher in Approacher:
        presets = [settings_of(_case(approacher, attempt=attempt)).ambient.preset for attempt in (0, 1)]
        assert presets == [AmbientPreset.SHADE, AmbientPreset.SUN]


def test_attempts_and_heads_are_drawn_apart() -> None:
    cases = [
        _case(approacher, attempt=attempt, geometry=geometry)
        for approacher in Approacher
        for attempt in range(3)
        for geometry in Geometry
    ]
    assert len({case.seed for case in cases}) == len(cases)
    assert {settings_of(case).renderer.geometry for case in cases} == set(Geometry)


def test_attackers_match_their_names() -> None:
    bent, flat = settings_of(_case(Approacher.BENT_PRINT)), settings_of(_case(Approacher.PRINT))
    assert bent.kind is flat.kind is FlashKind.PRINT
    assert bent.sheet.bend > 5 * flat.sheet.bend
    assert settings_of(_case(Approacher.TILTED_PRINT)).sheet.yaw_degrees > 2 * flat.sheet.yaw_degrees
    assert settings_of(_case(Approacher.RECORDED_APPROACH)).kind is FlashKind.GENUINE
    assert settings_of(_case(Approacher.STILL)).motion.yaw_degrees < 0.5

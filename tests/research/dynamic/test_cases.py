from collections import Counter
from dataclasses import replace

import numpy as np

from research.dynamic.cases import (
    CALIBRATION_RENDERERS,
    CAMERAS,
    DISTANCES,
    HELD_OUT_RENDERERS,
    LATENCIES,
    LYING_LATENCIES,
    QUALITIES,
    SKINS,
    Group,
    all_cases,
    claimed_late,
    settings_of,
    small_slice,
)
from research.dynamic.people import read_split
from simulator import AmbientPreset, Diffuse, Emission, FlashKind

_PEOPLE = [f"person {number}" for number in range(12)]


def test_every_cell_is_filled_with_everybody() -> None:
    cases = all_cases(_PEOPLE, turns=2)
    assert len({case.name for case in cases}) == len(cases)
    genuine = Counter((case.ambient, case.person) for case in cases if case.group is Group.GENUINE)
    assert genuine == {(ambient, person): 2 for ambient in AmbientPreset for person in _PEOPLE}
    kinds = {case.kind for case in cases}
    assert kinds == set(FlashKind)
    for lying, latencies in ((False, LATENCIES), (True, LYING_LATENCIES)):
        curve = Counter(
            (case.latency, case.quality) for case in cases if case.lying is lying and case.latency is not None
        )
        assert curve == {(latency, quality): 12 for latency in latencies for quality in QUALITIES}


def test_a_lying_device_claims_the_times_at_which_its_answers_look_punctual() -> None:
    for case in all_cases(_PEOPLE[:2], turns=1):
        settings = settings_of(case, width=240, height=320, rate=20.0)
        late = claimed_late(case, settings)
        # A relighting that takes less time than a phone's display has nothing to hide.
        slower = settings.injection.latency_seconds > settings.phone.latency_seconds + 0.03
        assert (late > 0) is (case.lying and slower)
        if late > 0:
            left = settings.injection.latency_seconds - settings.phone.latency_seconds - late
            assert 0.02 < left < 0.05


def test_more_turns_only_add() -> None:
    fewer, more = all_cases(_PEOPLE, turns=1), all_cases(_PEOPLE, turns=2)
    assert set(fewer) < set(more)
    assert more[: len(fewer)] == fewer


def test_the_beginning_of_the_plan_is_a_fair_sample() -> None:
    part = all_cases(_PEOPLE, turns=1)[:120]
    assert len({case.person for case in part}) == len(_PEOPLE)
    assert {case.group for case in part} == set(Group)


def test_uncrossed_factors_vary_in_every_cell() -> None:
    dark = [
        case
        for case in all_cases(_PEOPLE, turns=8)
        if case.group is Group.GENUINE and case.ambient is AmbientPreset.DARK
    ]
    for drawn, names in (("skin", SKINS), ("camera", CAMERAS), ("distance", DISTANCES)):
        counts = Counter(getattr(case, drawn) for case in dark)
        assert set(counts) == set(names)
        assert min(counts.values()) > len(dark) / len(names) / 3
    assert len({case.renderer for case in dark}) == 8


def test_a_case_is_rendered_deterministically_and_differs_from_others() -> None:
    first, second = all_cases(_PEOPLE, turns=1)[:2]
    settings = settings_of(first, width=240, height=320, rate=20.0)
    assert settings == settings_of(first, width=240, height=320, rate=20.0)
    assert settings.seed != settings_of(second, width=240, height=320, rate=20.0).seed


def test_a_later_attempt_differs_in_movements_and_noise_alone() -> None:
    first = all_cases(_PEOPLE, turns=1)[0]
    second, third = (replace(first, attempt=number) for number in (2, 3))
    assert len({case.name for case in (first, second, third)}) == 3
    assert {case.check for case in (first, second, third)} == {first.name}
    settings = [settings_of(case, width=240, height=320, rate=20.0) for case in (first, second, third)]
    assert len({one.seed for one in settings}) == 3
    assert len({replace(one, seed=0) for one in settings}) == 1


def test_settings_are_those_of_the_case() -> None:
    for case in all_cases(_PEOPLE[:2], turns=1):
        settings = settings_of(case, width=240, height=320, rate=20.0)
        assert settings.kind is case.kind
        assert settings.ambient.preset is case.ambient
        assert settings.face_width == DISTANCES[case.distance]
        assert settings.skin.melanin == SKINS[case.skin]
        if case.group is Group.RELIGHTING:
            assert settings.injection.latency_seconds == case.latency
            assert settings.injection.shadowing is (case.quality != "crude")


def test_some_cameras_were_tuned_with_and_some_were_not() -> None:
    tuned = read_split().cameras
    assert tuned < set(CAMERAS)
    assert np.all([name in CAMERAS for name in tuned])


def test_the_small_slice_asks_for_the_direction_of_things() -> None:
    found = Counter((case.kind, case.ambient) for case in small_slice(_PEOPLE))
    assert found[FlashKind.GENUINE, AmbientPreset.INDOOR]
    assert found[FlashKind.GENUINE, AmbientPreset.SUN]
    assert found[FlashKind.INJECTED_VIDEO, AmbientPreset.INDOOR]


def test_other_renderers_are_other_cases_rendered_by_them() -> None:
    calibrated = all_cases(_PEOPLE, turns=1)
    others = all_cases(_PEOPLE, turns=1, renderers=HELD_OUT_RENDERERS)
    assert len(others) == len(calibrated)
    assert not {case.name for case in others} & {case.name for case in calibrated}
    assert {case.renderer for case in calibrated} == CALIBRATION_RENDERERS.names
    assert {case.renderer for case in others} == HELD_OUT_RENDERERS.names
    settings = settings_of(others[0], width=240, height=320, rate=20.0)
    assert (settings.renderer.emission, settings.renderer.diffuse) == (Emission.DIRECTED, Diffuse.COATED)
    assert {case.camera for case in others} == set(CAMERAS)

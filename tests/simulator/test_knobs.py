from dataclasses import dataclass

import pytest

from simulator import (
    AmbientSettings,
    FlashCameraSettings,
    InjectionSettings,
    InstrumentSettings,
    PhoneSettings,
    SceneSettingsInvalid,
    SkinSettings,
    knobs_of,
)
from simulator.knobs import knob, validate_knobs


@dataclass(frozen=True, slots=True)
class _Lamp:
    power: float = knob(5.0, 0.0, 10.0, "watts")
    colour: float | None = knob(None, 1.0, 2.0, "micrometres")
    name: str = "lamp"

    def __post_init__(self) -> None:
        validate_knobs(self)


def test_knobs_have_the_text_of_the_help() -> None:
    power, colour = knobs_of(_Lamp)
    assert (power.name, power.default, power.lowest, power.highest, power.text) == (
        "power",
        5.0,
        0.0,
        10.0,
        "watts",
    )
    assert colour.default is None
    assert knobs_of(_Lamp()) == (power, colour)


@pytest.mark.parametrize("value", [-0.1, 10.1, float("nan"), float("inf")])
def test_values_outside_their_range_are_refused(value: float) -> None:
    with pytest.raises(SceneSettingsInvalid, match=r"_Lamp\.power"):
        _Lamp(power=value)


def test_only_a_knob_that_is_drawn_may_be_none() -> None:
    assert _Lamp(colour=None).colour is None
    with pytest.raises(SceneSettingsInvalid):
        _Lamp(power=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings",
    [
        AmbientSettings,
        FlashCameraSettings,
        InjectionSettings,
        InstrumentSettings,
        PhoneSettings,
        SkinSettings,
    ],
)
def test_every_knob_has_a_text_and_a_default_in_range(settings: type) -> None:
    settings()
    for known in knobs_of(settings):
        assert len(known.text) > 10
        assert known.lowest < known.highest
        with pytest.raises(SceneSettingsInvalid, match=known.name):
            settings(**{known.name: known.highest * 1.01 + 0.01})

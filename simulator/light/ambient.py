"""The ambient light: presets with illuminance, colour and direction."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from simulator.knobs import knob, validate_knobs
from simulator.light.colour import kelvin_colour

__all__ = ["Ambient", "AmbientPreset", "AmbientSettings"]

_MAINS_HERTZ = 100.0
_WIDEST_AZIMUTH = 45.0
_SKY = np.float32(0.6)


class AmbientPreset(StrEnum):
    """The surroundings of the person."""

    DARK = "dark"
    """A room at night with a far lamp: 5 lx."""
    INDOOR = "indoor"
    """A living room: 150 lx, warm."""
    OFFICE = "office"
    """Ceiling panels: 400 lx, neutral."""
    SHADE = "shade"
    """Outdoors in the shade: 3000 lx, bluish, from all over the sky."""
    SUN = "sun"
    """Outdoors in the sun: 30 000 lx, from one direction."""


@dataclass(frozen=True, slots=True)
class _Preset:
    lux: float
    kelvin: float
    diffuse: float
    elevation: tuple[float, float]
    flicker: float


_PRESETS = {
    AmbientPreset.DARK: _Preset(5.0, 2900.0, 0.7, (10.0, 60.0), 0.03),
    AmbientPreset.INDOOR: _Preset(150.0, 3200.0, 0.65, (20.0, 60.0), 0.03),
    AmbientPreset.OFFICE: _Preset(400.0, 4100.0, 0.8, (40.0, 70.0), 0.02),
    AmbientPreset.SHADE: _Preset(3000.0, 7000.0, 0.9, (30.0, 70.0), 0.0),
    AmbientPreset.SUN: _Preset(30000.0, 5500.0, 0.35, (25.0, 60.0), 0.0),
}


@dataclass(frozen=True, slots=True)
class AmbientSettings:
    """The surrounding light.

    Attributes:
        preset: The surroundings: 5 lx, 150, 400, 3000 and 30 000.

    Raises:
        SceneSettingsInvalid: A value is outside its range.
    """

    preset: AmbientPreset = AmbientPreset.INDOOR
    lux: float | None = knob(
        None, 0.1, 100_000.0, "illuminance on the front of the face in lux instead of the preset's"
    )
    kelvin: float | None = knob(
        None, 1700.0, 20_000.0, "colour temperature in kelvin instead of the preset's"
    )

    def __post_init__(self) -> None:
        validate_knobs(self)


class Ambient:
    """Steady light, from one dominant direction and from all sides, more from above than from below.

    Its illuminance is that of a surface that faces the camera, so that it can be compared with the screen's.
    The light from all sides is a constant plus a term that rises linearly with the vertical direction.
    """

    def __init__(self, settings: AmbientSettings, rng: np.random.Generator) -> None:
        """Draws direction, and the preset's illuminance and colour within 15 %."""
        preset = _PRESETS[settings.preset]
        drawn_lux = preset.lux * float(np.exp(0.15 * rng.uniform(-1, 1)))
        drawn_kelvin = preset.kelvin * float(np.exp(0.08 * rng.uniform(-1, 1)))
        self._lux = drawn_lux if settings.lux is None else settings.lux
        self._colour = kelvin_colour(drawn_kelvin if settings.kelvin is None else settings.kelvin)
        elevation = np.deg2rad(rng.uniform(*preset.elevation))
        azimuth = np.deg2rad(rng.uniform(-_WIDEST_AZIMUTH, _WIDEST_AZIMUTH))
        # x right, y down, z from the face towards the camera.
        direction = np.array(
            (np.cos(elevation) * np.sin(azimuth), -np.sin(elevation), np.cos(elevation) * np.cos(azimuth))
        )
        self._direction = direction.astype(np.float32)
        self._diffuse = preset.diffuse
        self._flicker = preset.flicker * float(rng.uniform(0, 1))
        self._phase = float(rng.uniform(0, 2 * np.pi))

    @property
    def lux(self) -> float:
        """Illuminance on the front of the face."""
        return self._lux

    @property
    def colour(self) -> NDArray[np.float64]:
        """Linear blue-green-red of luminance 1, shape (3,)."""
        return self._colour

    def irradiance(self, normals: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the illuminance in lux of surfaces with unit ``normals``, shape (..., 3) to (...)."""
        along = normals @ self._direction
        front = float(self._direction[2])
        sky = 1 - _SKY * normals[..., 1]
        share = self._diffuse * sky + (1 - self._diffuse) / front * np.maximum(along, 0)
        return np.asarray(self._lux * share, dtype=np.float32)

    def flicker(self, times: NDArray[np.float64], *, exposure: float = 0.0) -> NDArray[np.float64]:
        """Return the factor on the illuminance; lamps on 50 Hz mains flicker at 100 Hz.

        Args:
            times: Starts of the exposures, seconds.
            exposure: Time over which the factor is averaged, seconds.
        """
        depth = self._flicker * np.sinc(_MAINS_HERTZ * exposure)
        middle = times + exposure / 2
        return np.asarray(1 + depth * np.sin(2 * np.pi * _MAINS_HERTZ * middle + self._phase))

"""The lines and weights of both challenges: a packaged data file with the record of how they were found."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any, TypeVar

from liveness.dynamic.measurement import (
    BackgroundSettings,
    FreshnessSettings,
    GlareSettings,
    LagSettings,
    LeapSettings,
    OverlaySettings,
    ResponseSettings,
    ShapeSettings,
    SurfaceSettings,
)
from liveness.dynamic.movement import MovementSettings
from liveness.errors import FlashModelError

__all__ = ["FlashModel", "JudgeSettings", "LightSettings", "load_flash_model", "parse_flash_model"]

_DATA_FILE = "flash_model.toml"
_LARGEST = 1e9
"""No line and no weight is larger; nor are those that are no numbers, or not finite."""


@dataclass(frozen=True, slots=True)
class LightSettings:
    """What the light must be for an answer to be expected.

    Attributes:
        darkest_skin: Median linear light of the skin, 0..1, below which the face is too dark.
        dim_lux: Illuminance by the exposure metadata below which the surroundings are dim: a screen that
            does not show there is not bright.
        plain_lux: Below it an answer would show on any screen of ``faintest_screen_lux`` or more.
        faintest_screen_lux: What the dimmest screen gives that a person would use, lux on the face.
        absent_share: Share of the answer expected of that screen below which there is none.
        absent_errors: Standard errors by which the answer must be bounded for that.
        absent_frames: Undisturbed frames that it takes.
        most_lost: Share of the frames above which too much of the skin is saturated for an answer.
    """

    darkest_skin: float
    dim_lux: float
    plain_lux: float
    faintest_screen_lux: float
    absent_share: float
    absent_errors: float
    absent_frames: int
    most_lost: float


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """What the signals decide together.

    Attributes:
        least_right: Steps that must be answered rightly before an answer can be RIGHT.
        most_wrong: Share of the told steps that may be answered wrongly in a RIGHT answer.
        wrong_share: Share of the told steps from which the answer is another sequence.
        least_wrong: Wrong steps for that, at least.
        foreign_leaps: Leaps of the face's colour that the screen did not cause, from which it is lit by
            another challenge.
        foreign_share: Share of all its leaps that these must be.
        kept_for: Log odds that signals for a face count however much speaks against one.
        outweighs: Log odds for a face that one against it takes away, beyond these.
        wrong_odds: Log odds of all signals together below which the answer is no face's.
        most_for: Most log odds that the flash adds to Express' for life, where Express says LIVE.
        most_against: Most that it adds against.
        depth_odds: Log odds of Express' signals of depth (``liveness.express.depth``) below which motion
            does not show a head, where it has to.
        weights: Weight of each signal by name: how many times its log odds count.
    """

    least_right: int
    most_wrong: float
    wrong_share: float
    least_wrong: int
    foreign_leaps: int
    foreign_share: float
    kept_for: float
    outweighs: float
    wrong_odds: float
    most_for: float
    most_against: float
    depth_odds: float
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class FlashModel:
    """All lines of the flash and of the movement challenge, by who goes by them.

    ``version`` names them in the evidence record.
    """

    version: str
    response: ResponseSettings
    lag: LagSettings
    leaps: LeapSettings
    shape: ShapeSettings
    overlay: OverlaySettings
    glare: GlareSettings
    background: BackgroundSettings
    freshness: FreshnessSettings
    light: LightSettings
    judge: JudgeSettings
    movement: MovementSettings

    @property
    def surface(self) -> SurfaceSettings:
        """The lines of what the light falls on."""
        return SurfaceSettings(self.shape, self.overlay, self.glare, self.background)


def load_flash_model() -> FlashModel:
    """The packaged model.

    Raises:
        FlashModelError: The data file is missing or not usable.
    """
    try:
        text = files("liveness.dynamic").joinpath(_DATA_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FlashModelError(f"the packaged {_DATA_FILE} cannot be read; reinstall the package") from error
    return parse_flash_model(text)


def parse_flash_model(text: str) -> FlashModel:
    """Read a model; every key must be there, and no other.

    Raises:
        FlashModelError: The text is no TOML, misses a key, has one too many, or a value of another kind.
    """
    try:
        data = tomllib.loads(text)
    # A ValueError that is no TOMLDecodeError: a number of thousands of digits.
    except (ValueError, RecursionError) as broken:
        raise FlashModelError(f"the flash model is no TOML: {broken}") from None
    if not isinstance(data.get("record"), dict) or not data["record"]:
        raise FlashModelError("the flash model has no record of how it was found")
    version = data.get("version")
    if not isinstance(version, str) or not version:
        raise FlashModelError("the flash model has no version")
    known = {one.name for one in fields(FlashModel)} | {"record"}
    if set(data) != known:
        raise FlashModelError(f"the flash model has other parts than {', '.join(sorted(known))}")
    return FlashModel(
        version=version,
        response=_part(data, "response", ResponseSettings),
        lag=_part(data, "lag", LagSettings),
        leaps=_part(data, "leaps", LeapSettings),
        shape=_part(data, "shape", ShapeSettings),
        overlay=_part(data, "overlay", OverlaySettings),
        glare=_part(data, "glare", GlareSettings),
        background=_part(data, "background", BackgroundSettings),
        freshness=_part(data, "freshness", FreshnessSettings),
        light=_part(data, "light", LightSettings),
        judge=_part(data, "judge", JudgeSettings),
        movement=_part(data, "movement", MovementSettings),
    )


_Part = TypeVar("_Part")


def _part(data: Mapping[str, Any], name: str, kind: type[_Part]) -> _Part:
    return _read(name, data[name], kind)


def _read(name: str, table: object, kind: type[_Part]) -> _Part:
    wanted = {one.name: one.type for one in fields(kind)}  # type: ignore[arg-type]  # a dataclass, always
    if not isinstance(table, dict) or set(table) != set(wanted):
        raise FlashModelError(f"{name} of the flash model must hold {', '.join(wanted)}")
    return kind(**{key: _value(f"{name}.{key}", value, wanted[key]) for key, value in table.items()})


def _value(name: str, value: object, kind: object) -> object:
    if kind is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise FlashModelError(f"{name} of the flash model must be a whole number")
    if kind is float:
        return _number(name, value)
    if isinstance(kind, type) and is_dataclass(kind):
        return _read(name, value, kind)
    if not isinstance(value, dict):
        raise FlashModelError(f"{name} of the flash model must be a table")
    return MappingProxyType({key: _number(f"{name}.{key}", one) for key, one in value.items()})


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
        raise FlashModelError(f"{name} of the flash model must be a number")
    return float(value)

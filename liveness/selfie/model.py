"""The weights of the eight signals, from a packaged data file that records how they were chosen."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from liveness.errors import SelfieModelError

SIGNAL_NAMES = (
    "sharpness",
    "eye_aspect_ratio",
    "head_pose",
    "face_area_ratio",
    "facial_symmetry",
    "lbp_texture",
    "exif_metadata",
    "fft_deepfake",
)
"""The signals in the order of the contract and of every result."""

_HIGHEST = "lbp_texture"
_DATA_FILE = "selfie_model.toml"
_KEYS = {"version", "weights", "record"}
_SLACK = 1e-9
"""The rounding error that the sum of the weights may have."""


@dataclass(frozen=True, slots=True)
class SelfieModel:
    """The weights of the signals.

    Attributes:
        version: The version of the data file; part of every result.
        weights: Weight by signal name, each above 0; they sum to 1, and ``lbp_texture`` has the highest.
        record: The facts of how the weights were chosen, in words, by the name of the fact.
    """

    version: str
    weights: Mapping[str, float]
    record: Mapping[str, str]


def load_selfie_model() -> SelfieModel:
    """Returns the packaged model.

    Raises:
        SelfieModelError: The data file is missing or not usable.
    """
    try:
        text = files("liveness.selfie").joinpath(_DATA_FILE).read_text(encoding="utf-8")
    except OSError as error:
        raise SelfieModelError(f"the packaged {_DATA_FILE} cannot be read; reinstall the package") from error
    return parse_selfie_model(text)


def parse_selfie_model(text: str) -> SelfieModel:
    """Parses a model from the text of its data file.

    Raises:
        SelfieModelError: The text is not TOML, a part is missing, or the weights break a rule of
            ``SelfieModel.weights``.
    """
    try:
        data = tomllib.loads(text)
    # A number of thousands of digits raises a ValueError that is not a TOMLDecodeError.
    except (ValueError, RecursionError) as error:
        raise SelfieModelError(f"the selfie model is not TOML: {error}") from error
    if set(data) != _KEYS:
        raise SelfieModelError(f"the selfie model must hold {sorted(_KEYS)}; it holds {sorted(data)}")
    record = _table(data, "record")
    if not isinstance(data["version"], str) or not all(isinstance(value, str) for value in record.values()):
        raise SelfieModelError("the version and every entry of the record must be text")
    return SelfieModel(
        version=data["version"],
        weights=MappingProxyType(_weights(_table(data, "weights"))),
        record=MappingProxyType(dict(record)),
    )


def _weights(table: Mapping[str, Any]) -> dict[str, float]:
    if set(table) != set(SIGNAL_NAMES):
        raise SelfieModelError(f"the weights must be of {sorted(SIGNAL_NAMES)}; they are of {sorted(table)}")
    weights = {name: _number(table, name) for name in SIGNAL_NAMES}
    if abs(math.fsum(weights.values()) - 1) > _SLACK:
        raise SelfieModelError(f"the weights must sum to 1; they sum to {math.fsum(weights.values())}")
    if any(weights[_HIGHEST] <= weight for name, weight in weights.items() if name != _HIGHEST):
        raise SelfieModelError(f"{_HIGHEST} must have the highest weight")
    return weights


def _number(table: Mapping[str, Any], name: str) -> float:
    value = table[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise SelfieModelError(f"the weight of {name} must be a number between 0 and 1")
    return float(value)


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data[name]
    if not isinstance(value, dict):
        raise SelfieModelError(f"the selfie model's {name} must be a table")
    return value

"""The fusion's coefficients: a packaged data file with the record of its training."""

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from liveness.errors import FusionModelError

_DATA_FILE = "fusion_model.toml"
_KEYS = {"version", "temporal_limit", "temporal", "pad_network", "record"}


@dataclass(frozen=True, slots=True)
class FusionModel:
    """A logistic model over signals, in two groups.

    The log odds that a scan is live are the sum of a temporal and a network part. The temporal part
    is ``temporal_bias`` plus, for each assessed signal, its weight times the log odds of its score,
    held within plus and minus ``temporal_limit``, so that no amount of liveliness, which a replayed
    recording has too, carries a scan to LIVE against a network that is sure. A signal that was not
    assessed adds nothing.

    Attributes:
        version: Of the data file; part of the evidence record.
        temporal_limit: Above 0, log odds.
        temporal_bias: Log odds before any signal.
        temporal_weights: Weight by signal name, 0 or more.
        network_bias: Log odds added when a network was asked.
        network_weight: 0 or more.
        record: What the model was fitted to, by name of the fact, in words.
    """

    version: str
    temporal_limit: float
    temporal_bias: float
    temporal_weights: Mapping[str, float]
    network_bias: float
    network_weight: float
    record: Mapping[str, str]


def load_fusion_model() -> FusionModel:
    """The model that ships with this room.

    Raises:
        FusionModelError: The data file is missing or not usable.
    """
    try:
        text = files("liveness").joinpath(_DATA_FILE).read_text(encoding="utf-8")
    except OSError as error:
        raise FusionModelError(f"the packaged {_DATA_FILE} cannot be read; reinstall the package") from error
    return parse_fusion_model(text)


def parse_fusion_model(text: str) -> FusionModel:
    """A model from the text of its data file.

    Raises:
        FusionModelError: The text is not TOML, a part is missing, or a number is out of range.
    """
    try:
        data = tomllib.loads(text)
    # A ValueError that is no TOMLDecodeError: a number of thousands of digits.
    except (ValueError, RecursionError) as error:
        raise FusionModelError(f"the fusion model is not TOML: {error}") from error
    if set(data) != _KEYS:
        raise FusionModelError(f"the fusion model must hold {sorted(_KEYS)}; it holds {sorted(data)}")
    temporal, network, record = (_table(data, name) for name in ("temporal", "pad_network", "record"))
    weights = _table(temporal, "weights")
    limit = _number(data, "temporal_limit")
    if limit <= 0:
        raise FusionModelError(f"temporal_limit is {limit}; it must be above 0")
    if not isinstance(data["version"], str) or not all(isinstance(value, str) for value in record.values()):
        raise FusionModelError("the version and every entry of the record must be text")
    return FusionModel(
        version=data["version"],
        temporal_limit=limit,
        temporal_bias=_number(temporal, "bias"),
        temporal_weights=MappingProxyType({name: _weight(weights, name) for name in weights}),
        network_bias=_number(network, "bias"),
        network_weight=_weight(network, "weight"),
        record=MappingProxyType(dict(record)),
    )


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    if not isinstance(value, dict):
        raise FusionModelError(f"the fusion model's {name} must be a table")
    return value


def _number(data: Mapping[str, Any], name: str) -> float:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise FusionModelError(f"the fusion model's {name} must be a finite number")
    return float(value)


def _weight(data: Mapping[str, Any], name: str) -> float:
    value = _number(data, name)
    if value < 0:
        raise FusionModelError(
            f"the fusion model's weight {name} is {value}; a signal cannot count the wrong way"
        )
    return value

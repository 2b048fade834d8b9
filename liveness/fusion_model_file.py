"""Reads the data file of the fusion (``fusion_model.toml``)."""

import sys
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from liveness.errors import FusionModelError
from liveness.fusion_model import (
    DecisionLines,
    FusionModel,
    Motion,
    NetworkCalibration,
    NetworkCalibrations,
    ReliabilityBin,
    SignalGroup,
    Trace,
    Traces,
)

__all__ = ["load_fusion_model", "parse_fusion_model"]

_DATA_FILE = "fusion_model.toml"
_KEYS = {
    "version",
    "motion",
    "traces",
    "scan_networks",
    "still_networks",
    "decision",
    "reliability",
    "record",
}
_DEFAULT = "default"
_NONE = "none"
_BETWEEN = " + "


def load_fusion_model() -> FusionModel:
    """Returns the packaged model.

    Raises:
        FusionModelError: The data file is missing or not usable.
    """
    try:
        text = files("liveness").joinpath(_DATA_FILE).read_text(encoding="utf-8")
    except OSError as error:
        raise FusionModelError(f"the packaged {_DATA_FILE} cannot be read; reinstall the package") from error
    return parse_fusion_model(text)


def parse_fusion_model(text: str) -> FusionModel:
    """Parses a model from the text of its data file.

    Raises:
        FusionModelError: The text is not TOML, a part is missing, or a number is out of range.
    """
    try:
        data = tomllib.loads(text)
    # A number of thousands of digits raises a ValueError that is not a TOMLDecodeError.
    except (ValueError, RecursionError) as error:
        raise FusionModelError(f"the fusion model is not TOML: {error}") from error
    if set(data) != _KEYS:
        raise FusionModelError(f"the fusion model must hold {sorted(_KEYS)}; it holds {sorted(data)}")
    record, reliability = _table(data, "record"), _table(data, "reliability")
    if not isinstance(data["version"], str) or not all(isinstance(value, str) for value in record.values()):
        raise FusionModelError("the version and every entry of the record must be text")
    return FusionModel(
        version=data["version"],
        motion=_motion(_table(data, "motion")),
        traces=_traces(_table(data, "traces")),
        scan_networks=_networks(_table(data, "scan_networks")),
        still_networks=_networks(_table(data, "still_networks")),
        decision=_decision(_table(data, "decision")),
        reliability=MappingProxyType({name: _bins(reliability, name) for name in reliability}),
        record=MappingProxyType(dict(record)),
    )


def _group(data: Mapping[str, Any]) -> SignalGroup:
    weights, neutral = _table(data, "weights"), _table(data, "neutral")
    return SignalGroup(
        bias=_number(data, "bias"),
        most_for=_positive(data, "most_for"),
        most_against=_positive(data, "most_against"),
        weights=MappingProxyType({name: _not_negative(weights, name) for name in weights}),
        neutral=MappingProxyType({name: _number(neutral, name) for name in neutral}),
    )


def _motion(data: Mapping[str, Any]) -> Motion:
    weights = _table(data, "weights")
    return Motion(
        most_against=_positive(data, "most_against"),
        weights=MappingProxyType({name: _not_negative(weights, name) for name in weights}),
    )


def _traces(data: Mapping[str, Any]) -> Traces:
    signals = _table(data, "signals")
    return Traces(
        most_against=_positive(data, "most_against"),
        signals=MappingProxyType({name: _trace(name, _table(signals, name)) for name in signals}),
    )


def _trace(name: str, data: Mapping[str, Any]) -> Trace:
    found = Trace(
        begins=_number(data, "begins"), full=_number(data, "full"), strength=_not_negative(data, "strength")
    )
    if not 0 < found.begins - found.full < float("inf"):
        raise FusionModelError(
            f"the trace {name} has full {found.full} and begins {found.begins}; full must be below begins"
        )
    return found


def _networks(data: Mapping[str, Any]) -> NetworkCalibrations:
    found = {}
    for name in data:
        table = _table(data, name)
        found[name] = NetworkCalibration(
            bias=_number(table, "bias"),
            weight=_not_negative(table, "weight"),
            motion_for=_not_negative(table, "motion_for"),
            cues=_group(_table(table, "cues")) if "cues" in table else None,
            sure=_at_most(100, table, "sure") if "sure" in table else None,
        )
    unknown, none = found.pop(_DEFAULT, None), found.pop(_NONE, None)
    if unknown is None or none is None:
        raise FusionModelError(
            f"the fusion model's networks must contain {_DEFAULT} for unknown sets, and {_NONE}"
        )
    if len({frozenset(names.split(_BETWEEN)) for names in found}) != len(found):
        raise FusionModelError("the fusion model calibrates a set of networks twice")
    known = {frozenset(names.split(_BETWEEN)): calibration for names, calibration in found.items()}
    return NetworkCalibrations(known=MappingProxyType({frozenset[str](): none, **known}), unknown=unknown)


def _decision(data: Mapping[str, Any]) -> DecisionLines:
    return DecisionLines(
        telling=_positive(data, "telling"),
        alone_share=_at_most(1, data, "alone_share"),
        injected_score=_at_most(100, data, "injected_score"),
        no_evidence_score=_at_most(100, data, "no_evidence_score"),
    )


def _bins(data: Mapping[str, Any], name: str) -> tuple[ReliabilityBin, ...]:
    rows = data[name]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FusionModelError(f"the fusion model's reliability {name} must be a list of tables")
    bins = tuple(
        ReliabilityBin(
            predicted=_number(row, "predicted"),
            live=_count(row, "live"),
            count=_count(row, "count"),
            lower=_number(row, "lower"),
            upper=_number(row, "upper"),
        )
        for row in rows
    )
    for one in bins:
        if not (one.live <= one.count and 0 <= one.lower <= one.upper <= 1 and 0 <= one.predicted <= 1):
            raise FusionModelError(f"a bin of the fusion model's reliability {name} contradicts itself")
    return bins


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


def _positive(data: Mapping[str, Any], name: str) -> float:
    value = _number(data, name)
    if value <= 0:
        raise FusionModelError(f"the fusion model's {name} is {value}; it must be above 0")
    return value


def _not_negative(data: Mapping[str, Any], name: str) -> float:
    value = _number(data, name)
    if value < 0:
        raise FusionModelError(f"the fusion model's {name} is {value}; it must be 0 or more")
    return value


def _at_most(most: float, data: Mapping[str, Any], name: str) -> float:
    value = _number(data, name)
    if not 0 <= value <= most:
        raise FusionModelError(f"the fusion model's {name} is {value}; it must be 0 to {most:g}")
    return value


def _count(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise FusionModelError(f"the fusion model's {name} must be a whole number, 0 or more")
    return value

"""The fusion's coefficients: a packaged data file with the record of its training."""

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from liveness.errors import FusionModelError
from liveness.express.scoring import far_log_odds
from liveness.verdict import AttackType

__all__ = [
    "AttackEvidence",
    "AttackFact",
    "FusionModel",
    "NetworkCalibration",
    "NetworkCalibrations",
    "ReliabilityBin",
    "SignalGroup",
    "Trace",
    "Traces",
    "load_fusion_model",
    "parse_fusion_model",
]

_DATA_FILE = "fusion_model.toml"
_KEYS = {
    "version",
    "temporal",
    "cues",
    "traces",
    "scan_networks",
    "still_networks",
    "attack_types",
    "reliability",
    "record",
}
_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class SignalGroup:
    """Signals whose evidence is held together, so that no number of them outweighs everything else.

    Attributes:
        bias: Log odds added as soon as one signal of the group was assessed.
        most_for: Above 0: most log odds that the group's signals give together for life. A replayed
            recording is as lively as a person, and a good print shows no dots, so this is the smaller one.
        most_against: Above 0: most log odds that they give together against life.
        weights: Weight by signal name, 0 or more.
        neutral: Log odds of the score that speaks for neither side, by signal name; 0, which is a score
            of a half, for a signal that is not named.
    """

    bias: float
    most_for: float
    most_against: float
    weights: Mapping[str, float]
    neutral: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Trace:
    """One-sided evidence: a medium that is seen speaks against life, one that is not seen says nothing.

    Attributes:
        begins: Log odds of the score (``scoring.far_log_odds``) from which down it counts.
        full: Below ``begins``: log odds from which down it counts in full.
        strength: 0 or more: log odds that it then gives against life.
    """

    begins: float
    full: float
    strength: float

    def seen(self, score: float) -> float:
        """How clearly it is seen, 0..1, rising evenly from ``begins`` down to ``full``.

        Args:
            score: The signal's, 0..1.
        """
        odds = far_log_odds(score)
        return min(1.0, max(0.0, (self.begins - odds) / (self.begins - self.full)))


@dataclass(frozen=True, slots=True)
class Traces:
    """The traces of a medium that are held together.

    Attributes:
        most_against: Above 0: most log odds that they give together against life.
        signals: By signal name.
    """

    most_against: float
    signals: Mapping[str, Trace]


@dataclass(frozen=True, slots=True)
class NetworkCalibration:
    """From a PAD network's own probability to log odds of life: ``bias + weight * log odds``.

    Attributes:
        bias: Log odds.
        weight: 0 or more.
    """

    bias: float
    weight: float


@dataclass(frozen=True, slots=True)
class NetworkCalibrations:
    """Every network's calibration for one kind of picture.

    Attributes:
        known: By network name.
        unknown: For networks that were not there when the model was fitted.
    """

    known: Mapping[str, NetworkCalibration]
    unknown: NetworkCalibration


class AttackFact(StrEnum):
    """What signals say together about the kind of an attack."""

    LIVELY = "LIVELY"
    """The face moves in itself or in depth, or blinks."""
    FLAT = "FLAT"
    """It moves as a plane, or together with what is around it."""
    MOTIONLESS = "MOTIONLESS"
    """Nothing moves at all."""
    BLINKS = "BLINKS"
    """The eyes blink."""
    RIGID = "RIGID"
    """A solid head whose eyes and mouth never move, in a scan long enough for both to do so."""
    NETWORK_ATTACK = "NETWORK_ATTACK"
    """The PAD networks see an attack."""
    PRINT_DOTS = "PRINT_DOTS"
    """The dots of a print are seen."""
    SCREEN_PATTERN = "SCREEN_PATTERN"
    """The grid or the refreshing of a screen is seen."""
    UNSTEADY_FACE = "UNSTEADY_FACE"
    """The face's identity jumps from frame to frame."""


@dataclass(frozen=True, slots=True)
class AttackEvidence:
    """How one type of attack is told from others; see ``liveness.attack_type``.

    Attributes:
        bias: Log of its weight before anything was seen.
        highest: Most confidence with which it is named, 0..1: low where no attack of its type was at hand.
        needs: Facts without which it is not named at all.
        facts: Added for each fact that holds.
        weights: By signal name, times the log odds of its score *against* life.
    """

    bias: float
    highest: float
    needs: frozenset[AttackFact]
    facts: Mapping[AttackFact, float]
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """What became of predictions of about the same confidence, each made without its own source.

    Attributes:
        predicted: Their mean, 0..1.
        live: How many were of bona fide presentations.
        count: All, 1 or more.
        lower: Of the two-sided 95 % Clopper-Pearson interval of ``live`` in ``count``.
        upper: Its other end.
    """

    predicted: float
    live: int
    count: int
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class FusionModel:
    """A logistic model over four groups of evidence.

    The log odds that a scan is live are the sum of what its motion says (``temporal``), what the PAD
    networks say (the mean over the networks of their calibrated log odds), what the single-frame cues say,
    and what traces of a medium take away. Within a group, evidence for life and evidence against it are each
    held within limits, then added. A signal that was not assessed adds nothing.

    Attributes:
        version: Of the data file; part of the evidence record.
        temporal: What happens over time; counts for whole scans only.
        cues: What single frames show of a medium, more or less.
        traces: What single frames show of a medium or do not, and whose absence says nothing.
        scan_networks: The networks on frames of a scan, which show the face's surroundings.
        still_networks: The same networks on single pictures of any kind, where they are worth less.
        attack_types: By type; never ``REAL`` or ``INJECTION``.
        reliability: Reliability curve by kind of evidence (``"scan"``, ``"still"``).
        record: What the model was fitted to, by name of the fact, in words.
    """

    version: str
    temporal: SignalGroup
    cues: SignalGroup
    traces: Traces
    scan_networks: NetworkCalibrations
    still_networks: NetworkCalibrations
    attack_types: Mapping[AttackType, AttackEvidence]
    reliability: Mapping[str, tuple[ReliabilityBin, ...]]
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
    record, reliability = _table(data, "record"), _table(data, "reliability")
    if not isinstance(data["version"], str) or not all(isinstance(value, str) for value in record.values()):
        raise FusionModelError("the version and every entry of the record must be text")
    return FusionModel(
        version=data["version"],
        temporal=_group(_table(data, "temporal")),
        cues=_group(_table(data, "cues")),
        traces=_traces(_table(data, "traces")),
        scan_networks=_networks(_table(data, "scan_networks")),
        still_networks=_networks(_table(data, "still_networks")),
        attack_types=_attack_types(_table(data, "attack_types")),
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
        raise FusionModelError(f"the trace {name} must be full below where it begins")
    return found


def _networks(data: Mapping[str, Any]) -> NetworkCalibrations:
    found = {}
    for name in data:
        table = _table(data, name)
        found[name] = NetworkCalibration(bias=_number(table, "bias"), weight=_not_negative(table, "weight"))
    unknown = found.pop(_DEFAULT, None)
    if unknown is None:
        raise FusionModelError(f"the fusion model's networks must hold {_DEFAULT}, for unknown networks")
    return NetworkCalibrations(known=MappingProxyType(found), unknown=unknown)


def _attack_types(data: Mapping[str, Any]) -> Mapping[AttackType, AttackEvidence]:
    types = set(AttackType) - {AttackType.REAL, AttackType.INJECTION}
    if set(data) != types:
        raise FusionModelError(f"the fusion model's attack_types must be {sorted(types)}")
    found = {}
    for name in data:
        table = _table(data, name)
        facts, weights = _table(table, "facts"), _table(table, "weights")
        highest = _number(table, "highest")
        if not 0 <= highest <= 1:
            raise FusionModelError(f"the highest confidence of {name} is {highest}; it must be within 0 to 1")
        if not isinstance(table.get("needs"), list):
            raise FusionModelError(f"what {name} needs must be a list of facts")
        found[AttackType(name)] = AttackEvidence(
            bias=_number(table, "bias"),
            highest=highest,
            needs=frozenset(_fact(fact) for fact in table["needs"]),
            facts=MappingProxyType({_fact(fact): _number(facts, fact) for fact in facts}),
            weights=MappingProxyType({signal: _number(weights, signal) for signal in weights}),
        )
    return MappingProxyType(found)


def _fact(name: object) -> AttackFact:
    if not isinstance(name, str) or name not in set(AttackFact):
        raise FusionModelError(f"the fusion model names a fact that is none of {sorted(AttackFact)}")
    return AttackFact(name)


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
        raise FusionModelError(f"the fusion model's {name} is {value}; a signal cannot count the wrong way")
    return value


def _count(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise FusionModelError(f"the fusion model's {name} must be a whole number, 0 or more")
    return value

"""The coefficients of the fusion, with the record of their training, read from ``fusion_model.toml``."""

import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from liveness.errors import FusionModelError
from liveness.verdict import far_log_odds


@dataclass(frozen=True, slots=True)
class SignalGroup:
    """Signals whose evidence is limited together, so that many signals cannot outweigh everything else.

    Attributes:
        bias: Log odds added if at least one signal of the group was assessed.
        most_for: Maximum of the log odds that the group's signals together give for life; above 0. It is
            smaller than ``most_against``, because a replay moves like a person and a good print shows no
            dots.
        most_against: Maximum of the log odds that they together give against life; above 0.
        weights: Weight by signal name, 0 or more.
        neutral: The log odds of the score that counts for neither side, by signal name. A signal that is
            missing here has 0, which is the score 0.5.
    """

    bias: float
    most_for: float
    most_against: float
    weights: Mapping[str, float]
    neutral: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Trace:
    """One-sided evidence: a measured medium counts against life, and a missing one does not count.

    Attributes:
        begins: The log odds of the score (``far_log_odds``) below which the trace counts.
        full: The log odds below which it counts in full; below ``begins``.
        strength: The log odds that it then gives against life; 0 or more.
    """

    begins: float
    full: float
    strength: float

    def clearness(self, score: float) -> float:
        """Returns how clear the trace is, 0..1.

        It is 0 at ``begins``, 1 at ``full``, and linear in the log odds of the score between them.

        Args:
            score: The score of the signal, 0..1.
        """
        odds = far_log_odds(score)
        return min(1.0, max(0.0, (self.begins - odds) / (self.begins - self.full)))


@dataclass(frozen=True, slots=True)
class Traces:
    """The traces of a medium. A limit applies to the sum of their evidence.

    Attributes:
        most_against: Maximum of the log odds that all traces together give against life; above 0.
    """

    most_against: float
    signals: Mapping[str, Trace]


@dataclass(frozen=True, slots=True)
class Motion:
    """One-sided evidence: the motion of a sheet counts against life, that of a head does not count for it.

    A replayed person moves, turns and blinks as a person does.

    Attributes:
        most_against: Maximum of the log odds that the signals together give against life; above 0.
        weights: Weight by signal name, 0 or more.
    """

    most_against: float
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class NetworkCalibration:
    """The conversion of the answers of a set of PAD networks to log odds of life.

    They are ``bias + weight * mean``, with the mean over the networks of ``network_log_odds``.

    Attributes:
        bias: Log odds.
        weight: 0 or more.
        motion_for: The log odds that a sign of life adds; above 0 only for sets that do not distinguish a
            person from a replay by themselves, such as the empty one. Set by hand.
        cues: The single-frame cues that count beside these networks; ``None`` if none do.
        sure: The confidence, 0..100, from which a scan is beyond doubt without a challenge; ``None`` if these
            networks never are.
        sure_early: The same for an early look at a scan, at least ``sure``; ``None`` if these networks never
            end a scan early.
    """

    bias: float
    weight: float
    motion_for: float = 0.0
    cues: SignalGroup | None = None
    sure: float | None = None
    sure_early: float | None = None


@dataclass(frozen=True, slots=True)
class NetworkCalibrations:
    """The calibrations of sets of networks for one kind of image.

    Attributes:
        known: Calibration by the names of the networks; one is that of the empty set.
        unknown: The calibration of sets to which the model was not fitted.
    """

    known: Mapping[frozenset[str], NetworkCalibration]
    unknown: NetworkCalibration

    def calibration_for(self, names: Iterable[str]) -> NetworkCalibration:
        """Returns the calibration of a set of networks, or the one of unknown sets."""
        return self.known.get(frozenset(names), self.unknown)


@dataclass(frozen=True, slots=True)
class DecisionLines:
    """The lines of the decision, beside the policy's thresholds; set by hand.

    Attributes:
        telling: The log odds against life from which a signal is named as a reason; above 0.
        alone_share: The share of the log odds, 0..1, that counts if there are no signals over time.
        injected_score: The confidence, 0..100, of a scan with repeated frames.
        no_evidence_score: The confidence, 0..100, if no signal was assessed.
    """

    telling: float
    alone_share: float
    injected_score: float
    no_evidence_score: float


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """How often predictions of about the same confidence are right, by models fitted without their source.

    Attributes:
        predicted: The mean of the predictions, 0..1.
        live: The number of predictions for bona fide presentations.
        count: The number of predictions, 1 or more.
        lower: The lower end of the two-sided 95 % Clopper-Pearson interval of ``live`` in ``count``.
        upper: The upper end.
    """

    predicted: float
    live: int
    count: int
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class FusionModel:
    """A logistic model of life.

    The log odds that a scan is live are the sum of those of its PAD networks, of motion and of traces of a
    medium; the last two only count against life. Single images have no motion, and single-frame cues in its
    place. A signal that was not assessed adds nothing.

    Attributes:
        version: The version of the data file; part of the evidence record.
        motion: The one-sided evidence of the signals over time; it counts only for scans.
        traces: The one-sided evidence of single frames for a medium; a missing trace does not count.
        scan_networks: The networks on frames of a scan, which show the face's surroundings.
        still_networks: The same networks on still images of any kind, for which they are less reliable.
        reliability: The reliability curve by kind of evidence (``"scan"``, ``"still"``).
        record: Facts about the model's training, in words, by name.
    """

    version: str
    motion: Motion
    traces: Traces
    scan_networks: NetworkCalibrations
    still_networks: NetworkCalibrations
    decision: DecisionLines
    reliability: Mapping[str, tuple[ReliabilityBin, ...]]
    record: Mapping[str, str]


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
            sure_early=_at_most(100, table, "sure_early") if "sure_early" in table else None,
        )
        sure, early = found[name].sure, found[name].sure_early
        if early is not None and (sure is None or early < sure):
            raise FusionModelError(
                f"the fusion model's networks {name} have sure_early {early:g} without sure, or below it"
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

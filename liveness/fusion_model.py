"""The coefficients of the fusion, with the record of their training, read from ``fusion_model.toml``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import get_type_hints

from liveness.errors import FusionModelError
from liveness.model_file import read_packaged, read_parts
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
        """Return how clear the trace is, 0..1.

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
        """Return the calibration of a set of networks, or the one of unknown sets."""
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
        record: Facts about the model's training, in words, by name.
    """

    version: str
    motion: Motion
    traces: Traces
    scan_networks: NetworkCalibrations
    still_networks: NetworkCalibrations
    decision: DecisionLines
    record: Mapping[str, str]


_PARTS = get_type_hints(FusionModel) | {
    "scan_networks": Mapping[str, NetworkCalibration],
    "still_networks": Mapping[str, NetworkCalibration],
}
_DEFAULT = "default"
_NONE = "none"
_BETWEEN = " + "


def load_fusion_model() -> FusionModel:
    """Return the packaged model.

    Raises:
        FusionModelError: The data file is missing or not usable.
    """
    text = read_packaged("liveness", "fusion_model.toml", broken=FusionModelError)
    return parse_fusion_model(text)


def parse_fusion_model(text: str) -> FusionModel:
    """Parse a model from the text of its data file.

    Raises:
        FusionModelError: The text is not TOML, or a part is missing, unknown or of the wrong type.
    """
    parts = read_parts(text, _PARTS, broken=FusionModelError)
    networks = {name: _networks(parts[name]) for name in ("scan_networks", "still_networks")}
    return FusionModel(**parts | networks)


def _networks(found: Mapping[str, NetworkCalibration]) -> NetworkCalibrations:
    if not {_DEFAULT, _NONE} <= set(found):
        raise FusionModelError(
            f"the fusion model's networks must contain {_DEFAULT} for unknown sets, and {_NONE}"
        )
    known = {
        frozenset(names.split(_BETWEEN)): one
        for names, one in found.items()
        if names not in {_DEFAULT, _NONE}
    }
    return NetworkCalibrations(
        known=MappingProxyType({frozenset[str](): found[_NONE], **known}), unknown=found[_DEFAULT]
    )

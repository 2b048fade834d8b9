"""The fusion's coefficients, with the record of their training."""

from collections.abc import Mapping
from dataclasses import dataclass

from liveness.express.scoring import far_log_odds

__all__ = [
    "DecisionLines",
    "FusionModel",
    "NetworkCalibration",
    "NetworkCalibrations",
    "ReliabilityBin",
    "SignalGroup",
    "Trace",
    "Traces",
]


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
        cues: The single-frame cues as they count beside this network, which sees some of what they tell by
            itself; ``None`` where they count as for a scan.
    """

    bias: float
    weight: float
    cues: SignalGroup | None = None


@dataclass(frozen=True, slots=True)
class NetworkCalibrations:
    """Every network's calibration for one kind of picture.

    Attributes:
        known: By network name.
        unknown: For networks that were not there when the model was fitted.
    """

    known: Mapping[str, NetworkCalibration]
    unknown: NetworkCalibration

    def of(self, name: str) -> NetworkCalibration:
        """The network's own, or that of unknown ones."""
        return self.known.get(name, self.unknown)


@dataclass(frozen=True, slots=True)
class DecisionLines:
    """What turns log odds into a decision, beside the policy's thresholds; set by hand.

    Attributes:
        telling: Above 0: log odds against life from which a signal is named among the reasons.
        alone_share: Share of the log odds, 0..1, that counts without what happens over time.
        injected_score: Confidence, 0..100, of a scan whose frames come again.
        no_evidence_score: Confidence, 0..100, where nothing speaks for either side.
    """

    telling: float
    alone_share: float
    injected_score: float
    no_evidence_score: float


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
        cues: What single frames show of a medium, more or less; of single pictures, where the networks have
            no ``cues`` of their own.
        traces: What single frames show of a medium or do not, and whose absence says nothing.
        scan_networks: The networks on frames of a scan, which show the face's surroundings.
        still_networks: The same networks on single pictures of any kind, where they are worth less.
        decision: What the decision takes beside the evidence.
        reliability: Reliability curve by kind of evidence (``"scan"``, ``"still"``).
        record: What the model was fitted to, by name of the fact, in words.
    """

    version: str
    temporal: SignalGroup
    cues: SignalGroup
    traces: Traces
    scan_networks: NetworkCalibrations
    still_networks: NetworkCalibrations
    decision: DecisionLines
    reliability: Mapping[str, tuple[ReliabilityBin, ...]]
    record: Mapping[str, str]

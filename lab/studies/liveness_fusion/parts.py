"""Fits each part of the fusion model to measured rows.

The coefficients are fitted by logistic regression for few data: weights of at least 0, drawn towards a prior.
For a trace of a medium a logistic weight is not suitable: most attacks show no trace, and would hide the few
that do. Its weight therefore comes from counts: how often attacks and live images show the trace.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from lab.evaluation.binomial import proportion
from lab.studies.liveness_fusion.rows import Row, RowKind
from liveness import FusionModel
from liveness.express.signals import SIGNALS
from liveness.fusion_model import Motion, NetworkCalibration, NetworkCalibrations, SignalGroup, Trace, Traces
from liveness.verdict import far_log_odds, log_odds, network_log_odds

Weightwise = float | NDArray[np.float64]
"""One number for all weights, or one for each."""

Prior = tuple[Weightwise, Weightwise, float]
"""The prior of the weights, its strength, and the strength that draws the bias towards 0."""


def fit_logistic(
    values: NDArray[np.float64],
    labels: NDArray[np.float64],
    shares: NDArray[np.float64],
    *,
    prior: Prior,
    offset: NDArray[np.float64] | None = None,
    most: Weightwise = np.inf,
) -> tuple[NDArray[np.float64], float]:
    """Fit weights (at least 0) and bias that minimise the mean log loss and the distance from the prior.

    Args:
        values: Shape (n, k): log odds of the signals' scores, 0 if a signal was not assessed.
        labels: Shape (n,): 1 for live.
        shares: Shape (n,): weight of each row; they sum to 1.
        prior: See ``Prior``.
        offset: Shape (n,): fixed log odds to add; 0 if None.
        most: Largest weight.
    """
    towards, pull, bias_pull = prior
    known = np.zeros(len(labels)) if offset is None else offset

    def loss(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = known + values @ at[:-1] + at[-1]
        off = at[:-1] - towards
        error = shares * (1 / (1 + np.exp(-odds)) - labels)
        cost = float((shares * (np.logaddexp(0, odds) - labels * odds)).sum())
        cost += 0.5 * (float((pull * off**2).sum()) + bias_pull * float(at[-1] ** 2))
        return cost, np.append(values.T @ error + pull * off, error.sum() + bias_pull * at[-1])

    count = values.shape[1]
    start = np.append(np.broadcast_to(towards, count), 0.0)
    bounds = [(0.0, float(one)) for one in np.broadcast_to(most, count)] + [(None, None)]
    best: NDArray[np.float64] = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return best[:-1], float(best[-1])


def balanced_shares(
    labels: Sequence[bool], sources: Sequence[str], *, power: float = 0.5
) -> NDArray[np.float64]:
    """Return the weight of each row: live rows sum to a half, attacks to the other.

    Within a half, each source gets a share in proportion to the ``power`` of its number of rows, divided
    equally among them. The largest source has 40 times as many images as the next, but not 40 times as many
    cameras and persons; and a source of one image has less evidence than one of ten.
    """
    keys = list(zip(labels, sources, strict=True))
    counts = Counter(keys)
    shares = np.array([counts[key] ** (power - 1) for key in keys])
    for label in (True, False):
        mine = np.array(labels) == label
        if mine.any():
            shares[mine] /= 2 * shares[mine].sum()
    return np.asarray(shares, np.float64)


_FEW = 0.01
"""Share of live images that defines the spread, from which the place of full weight follows."""

_CONFIDENCE = 0.8
"""Confidence of the two-sided interval, so that its lower end is a bound at 90 %."""

_NARROWEST = 0.1
"""Least distance, in log odds, from the point where a trace begins to count to that of its full weight."""


def fit_traces(rows: Sequence[Row], names: Sequence[str], *, most_against: float) -> Traces:
    """Fit every trace for which there are enough rows; see ``fit_trace``."""
    found: dict[str, Trace] = {}
    for name in names:
        measured = [row for row in rows if name in row.scores]
        live, attacks = (
            [far_log_odds(row.scores[name]) for row in measured if row.live is is_live]
            for is_live in (True, False)
        )
        trace = fit_trace(live, attacks)
        if trace is not None:
            found[name] = trace
    signals: Mapping[str, Trace] = MappingProxyType(found)
    return Traces(most_against=most_against, signals=signals)


def fit_trace(live: Sequence[float], attacks: Sequence[float]) -> Trace | None:
    """Fit a trace's place and strength from log odds of its score.

    A trace begins to count beyond all live images. Its weight is full as far beyond the most extreme live
    image as that image is beyond the first percentile. Its strength is the log of a lower bound on the ratio
    of the rates of attacks and live images there: given their total count, each is an attack with a
    probability by the ratio of the numbers (J. Przyborowski and H. Wilenski, "Homogeneity of results in
    testing samples from Poisson series", Biometrika 31, 1940; bound: Clopper and Pearson, one-sided, 90 %).
    It is 0 if the bound is below 1.

    Returns:
        The trace; ``None`` with too few live images to estimate the first percentile, or without attacks.
    """
    ordered = sorted(live)
    place = math.floor(_FEW * (len(ordered) + 1)) - 1
    if place < 0 or not attacks:
        return None
    begins = ordered[0]
    full = begins - max(_NARROWEST, ordered[place] - begins)
    beyond = sum(odds < full for odds in attacks)
    of_attacks = proportion(beyond, beyond, confidence=_CONFIDENCE)
    strength = 0.0
    if of_attacks is not None and of_attacks.lower < 1:
        ratio = of_attacks.lower / (1 - of_attacks.lower) * len(live) / len(attacks)
        strength = max(0.0, math.log(ratio))
    return Trace(begins=begins, full=full, strength=strength)


MOTION = tuple(signal.name for signal in SIGNALS if signal.over_time and signal.against is not None)
"""Signals over time that a sheet or a thing moves. A blink is missing: nothing blinks less than a person."""
CUES = ("colour_gamut", "blur_depth")
"""Single-frame cues that every image has more or less of, and that help on sources left out."""
TRACES = ("moire", "medium_border")
"""Single-frame cues that most attacks do not show, and hardly a live image does."""

PUBLIC = ("minifas_v2se", "minifasnet_v1se", "minifasnet_v2")
OWN = "facegate_pad_v1"

_DEEPFAKE = "deepfake"
_LARGEST = "Silent-Face-Anti-Spoofing"
"""The sources whose images show the face's surroundings, as a scan's frames do; the others' are crops."""

_MOTION_PRIOR: Prior = (0.5, 0.05, 0.3)
_NETWORK_PRIOR: Prior = (0.5, 0.003, 0.003)
_OWN_PRIOR: Prior = (0.5, 0.05, 1.0)
"""Our own network gives many live scans less than 0.5, so its answer alone must not make them SPOOF."""
_CUE_PRIOR: Prior = (0.3, 0.03, 0.03)


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers of the model that are set, not fitted.

    Attributes:
        motion_against: See ``Motion.most_against``.
        motion_alone: See ``NetworkCalibration.motion_for``, without a network: 75 of 100, enough for the
            policy ``standard`` and not for ``high``.
        motion_beside_own: The same beside our own network, which does not distinguish a person from a replay
            (AUC 0.81 on clips).
        still_cues_for: See ``SignalGroup.most_for``.
        still_cues_against: See ``SignalGroup.most_against``.
        traces_against: See ``Traces.most_against``.
    """

    motion_against: float = 3.0
    motion_alone: float = 1.1
    motion_beside_own: float = 1.1
    still_cues_for: float = 1.0
    still_cues_against: float = 1.5
    traces_against: float = 2.0


def sets_of(names: Iterable[str]) -> tuple[frozenset[str], ...]:
    """The sets of networks that are calibrated: every part of the public three, and our own."""
    public = sorted(set(names).intersection(PUBLIC))
    parts = [frozenset(part) for size in range(1, len(public) + 1) for part in combinations(public, size)]
    return (*parts, *([frozenset({OWN})] if OWN in names else []))


def fit_parts(rows: Sequence[Row], base: FusionModel, limits: Limits) -> FusionModel:
    """``base`` with the coefficients that ``rows`` give."""
    rows = [row for row in rows if row.kind is not RowKind.EARLY]
    # A deepfake file shows no medium that networks and cues could measure.
    shown = [row for row in rows if row.species != _DEEPFAKE]
    stills = [row for row in shown if row.kind in (RowKind.PICTURE, RowKind.FRAME)]
    return replace(
        base,
        motion=_motion(rows, limits),
        traces=fit_traces(
            [row for row in shown if row.kind is not RowKind.PRESENTED],
            TRACES,
            most_against=limits.traces_against,
        ),
        scan_networks=_scan_networks([row for row in shown if in_view(row)], limits),
        still_networks=_still_networks(stills, limits),
    )


def in_view(row: Row) -> bool:
    """Whether a row's frames show the face's surroundings as a scan's frames do."""
    return row.kind is RowKind.CLIP or (row.kind is RowKind.PICTURE and _LARGEST in row.source)


def _motion(rows: Sequence[Row], limits: Limits) -> Motion:
    moving = [row for row in rows if row.kind in (RowKind.CLIP, RowKind.PRESENTED)]
    names = _measured(moving, MOTION)
    values = np.minimum(0.0, _values(moving, names))
    weights, _ = fit_logistic(values, *_targets(moving, power=0.5), prior=_MOTION_PRIOR)
    return Motion(
        most_against=limits.motion_against,
        weights=MappingProxyType(dict(zip(names, weights.tolist(), strict=True))),
    )


def _scan_networks(rows: Sequence[Row], limits: Limits) -> NetworkCalibrations:
    found = {}
    for names in sets_of({name for row in rows for name in row.networks}):
        asked = _asked(rows, names)
        if not asked:
            continue
        # Every source counts the same: one of them has 835 images, and scans are of many.
        prior = _OWN_PRIOR if names == {OWN} else _NETWORK_PRIOR
        weights, bias = fit_logistic(_mean_odds(asked, names), *_targets(asked, power=0.0), prior=prior)
        motion_for = limits.motion_beside_own if names == {OWN} else 0.0
        found[names] = NetworkCalibration(bias=bias, weight=float(weights[0]), motion_for=motion_for)
    none = NetworkCalibration(bias=0.0, weight=0.0, motion_for=limits.motion_alone)
    return _all_known(found, none)


def _still_networks(rows: Sequence[Row], limits: Limits) -> NetworkCalibrations:
    """The networks and the cues beside them, fitted together to single images."""
    names = _measured(rows, CUES)
    neutral = {name: _balanced_mean(rows, name) for name in names}
    found = {}
    for networks in (frozenset[str](), *sets_of({name for row in rows for name in row.networks})):
        asked = _asked(rows, networks)
        values = _values(asked, names, neutral)
        towards, pull, bias_pull = _CUE_PRIOR
        if networks:
            values = np.column_stack([_mean_odds(asked, networks), values])
            towards = np.append(_NETWORK_PRIOR[0], np.full(len(names), towards))
            pull = np.append(_NETWORK_PRIOR[1], np.full(len(names), pull))
        weights, bias = fit_logistic(values, *_targets(asked, power=0.5), prior=(towards, pull, bias_pull))
        found[networks] = NetworkCalibration(
            bias=bias,
            weight=float(weights[0]) if networks else 0.0,
            cues=SignalGroup(
                bias=0.0,
                most_for=limits.still_cues_for,
                most_against=limits.still_cues_against,
                weights=MappingProxyType(
                    dict(zip(names, weights[len(weights) - len(names) :].tolist(), strict=True))
                ),
                neutral=MappingProxyType(neutral),
            ),
        )
    return _all_known(found, found.pop(frozenset()))


def _all_known(
    found: Mapping[frozenset[str], NetworkCalibration], none: NetworkCalibration
) -> NetworkCalibrations:
    return NetworkCalibrations(
        known=MappingProxyType({frozenset[str](): none, **found}),
        unknown=NetworkCalibration(
            bias=float(np.mean([one.bias for one in found.values()])) if found else 0.0,
            weight=min((one.weight for one in found.values()), default=0.0),
        ),
    )


def _asked(rows: Sequence[Row], names: frozenset[str]) -> list[Row]:
    return [row for row in rows if names.issubset(row.networks)]


def _mean_odds(rows: Sequence[Row], names: frozenset[str]) -> NDArray[np.float64]:
    return np.array([[np.mean([network_log_odds(row.networks[name]) for name in names])] for row in rows])


def _measured(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    return [name for name in names if any(name in row.scores for row in rows)]


def _balanced_mean(rows: Sequence[Row], name: str) -> float:
    """Return the mean log odds of a cue, in which live images and attacks have equal total weight.

    It is the cue's neutral value: the log odds of live images alone are well above 0.
    """
    measured = [row for row in rows if name in row.scores]
    _, shares = _targets(measured, power=0.5)
    return float((shares * [log_odds(row.scores[name]) for row in measured]).sum() / shares.sum())


def _values(
    rows: Sequence[Row], names: Sequence[str], neutral: Mapping[str, float] = MappingProxyType({})
) -> NDArray[np.float64]:
    table = [
        [log_odds(row.scores[name]) - neutral.get(name, 0.0) if name in row.scores else 0.0 for name in names]
        for row in rows
    ]
    return np.array(table, np.float64).reshape(len(rows), len(names))


def _targets(rows: Sequence[Row], *, power: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    labels = [row.live for row in rows]
    return np.array(labels, np.float64), balanced_shares(labels, [row.source for row in rows], power=power)

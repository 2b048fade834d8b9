"""Fits each part of the fusion model to measured rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from liveness.express.scoring import log_odds
from liveness.fusion_model import FusionModel, NetworkCalibration, NetworkCalibrations, SignalGroup
from research.liveness_fusion.logistic import Prior, balanced_shares, fit_logistic
from research.liveness_fusion.rows import Row, RowKind
from research.liveness_fusion.traces import fit_traces

__all__ = ["CUES", "TEMPORAL", "TRACES", "Limits", "fit_parts", "in_view"]

TEMPORAL = (
    "planar_motion",
    "micro_motion",
    "blink",
    "stillness",
    "surroundings",
    "pose_consistency",
)
CUES = ("specular_highlights", "colour_gamut", "blur_depth")
"""Single-frame cues that every image has to some degree."""
TRACES = ("moire", "medium_border")
"""Single-frame cues that most attacks do not show, and hardly any live image does."""

_DEEPFAKE = "deepfake"
_LARGEST = "Silent-Face-Anti-Spoofing"
"""The source with images that show the face's surroundings, as a scan's frames do; the others have crops."""

_TEMPORAL_PRIOR: Prior = (0.5, 0.05, 0.3)
_NETWORK_PRIOR: Prior = (0.5, 0.02, 0.05)
_CUE_PRIOR: Prior = (0.0, 0.3, 0.3)
"""A scan has better evidence than its cues, and a false alarm makes a person scan again for nothing."""
_BESIDE_ROWS = 10
"""Number of rows with which the cue weights of single images are drawn to those of scans."""
_LEAST_BESIDE = 200
"""Least number of live images, and of attacks, with which a network has its own cue weights. Facegate's own
network scored a hundred each, of few persons, and with its own cue weights judged more attacks from other
sources as live."""
_NETWORK_AT_MOST = 1.25
"""Upper limit of a network's weight; with few sources a fit gives a weight that is too large."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the groups' evidence, which are set, not fitted, as ``FusionModel`` explains."""

    temporal_for: float = 2.5
    temporal_against: float = 3.0
    cues_for: float = 0.5
    cues_against: float = 1.5
    still_cues_for: float = 1.0
    still_cues_against: float = 1.5
    traces_against: float = 2.0


def fit_parts(rows: Sequence[Row], base: FusionModel, limits: Limits) -> FusionModel:
    """Return ``base`` with the coefficients fitted to ``rows``."""
    # A deepfake file shows no medium that networks and cues could detect.
    stills = [
        row for row in rows if row.kind in (RowKind.PICTURE, RowKind.FRAME) and row.species != _DEEPFAKE
    ]
    alone = _calibrate(stills).known
    cues = _cues(stills, alone, limits)
    return replace(
        base,
        temporal=_temporal(rows, limits),
        cues=cues,
        traces=fit_traces(
            [row for row in rows if row.kind is not RowKind.PRESENTED and row.species != _DEEPFAKE],
            TRACES,
            most_against=limits.traces_against,
        ),
        scan_networks=_calibrate([row for row in rows if in_view(row) and row.species != _DEEPFAKE]),
        still_networks=_all_known({name: _beside(stills, name, alone[name], cues, limits) for name in alone}),
    )


def in_view(row: Row) -> bool:
    """Return whether a row's images show the face's surroundings as a scan's frames do."""
    return row.kind is RowKind.CLIP or (row.kind is RowKind.PICTURE and _LARGEST in row.source)


def _temporal(rows: Sequence[Row], limits: Limits) -> SignalGroup:
    moving = [row for row in rows if row.kind in (RowKind.CLIP, RowKind.PRESENTED)]
    names = _measured(moving, TEMPORAL)
    weights, bias = fit_logistic(_values(moving, names), *_told(moving), prior=_TEMPORAL_PRIOR)
    return SignalGroup(
        bias=bias,
        most_for=limits.temporal_for,
        most_against=limits.temporal_against,
        weights=MappingProxyType(dict(zip(names, weights.tolist(), strict=True))),
        neutral=MappingProxyType({}),
    )


def _calibrate(rows: Sequence[Row]) -> NetworkCalibrations:
    found: dict[str, NetworkCalibration] = {}
    for name in sorted({name for row in rows for name in row.networks}):
        asked = [row for row in rows if name in row.networks]
        values = np.array([[log_odds(row.networks[name])] for row in asked])
        weights, bias = fit_logistic(values, *_told(asked), prior=_NETWORK_PRIOR, most=_NETWORK_AT_MOST)
        found[name] = NetworkCalibration(bias=bias, weight=float(weights[0]))
    return _all_known(found)


def _all_known(found: Mapping[str, NetworkCalibration]) -> NetworkCalibrations:
    return NetworkCalibrations(
        known=MappingProxyType(found),
        unknown=NetworkCalibration(
            bias=float(np.mean([one.bias for one in found.values()])),
            weight=min(one.weight for one in found.values()),
        ),
    )


def _cues(rows: Sequence[Row], calibrations: Mapping[str, NetworkCalibration], limits: Limits) -> SignalGroup:
    """Fit the cues' evidence in addition to a network's: every row once for each network, at its share."""
    names = _measured(rows, CUES)
    pairs = [(row, name) for row in rows for name in row.networks]
    told = [row for row, _ in pairs]
    offset = np.array(
        [
            calibrations[name].bias + calibrations[name].weight * log_odds(row.networks[name])
            for row, name in pairs
        ]
    )
    labels, shares = _told(told)
    neutral = {name: _balanced_mean(told, name) for name in names}
    values = _values(told, names, neutral)
    weights, bias = fit_logistic(values, labels, shares, prior=_CUE_PRIOR, offset=offset)
    return SignalGroup(
        bias=bias,
        most_for=limits.cues_for,
        most_against=limits.cues_against,
        weights=MappingProxyType(dict(zip(names, weights.tolist(), strict=True))),
        neutral=MappingProxyType(neutral),
    )


def _beside(
    rows: Sequence[Row], name: str, alone: NetworkCalibration, cues: SignalGroup, limits: Limits
) -> NetworkCalibration:
    """Fit a network and its cues together to single images."""
    asked = [row for row in rows if name in row.networks]
    live = sum(row.live for row in asked)
    if min(live, len(asked) - live) < _LEAST_BESIDE:
        return alone
    towards, pull, bias_pull = _NETWORK_PRIOR
    names, count = list(cues.weights), len(cues.weights)
    weights, bias = fit_logistic(
        np.column_stack(
            [[log_odds(row.networks[name]) for row in asked], _values(asked, names, cues.neutral)]
        ),
        *_told(asked),
        prior=(
            np.append(towards, list(cues.weights.values())),
            np.append(pull, np.full(count, _BESIDE_ROWS / len(asked))),
            bias_pull,
        ),
        most=np.append(_NETWORK_AT_MOST, np.full(count, np.inf)),
    )
    return NetworkCalibration(
        bias=bias,
        weight=float(weights[0]),
        cues=SignalGroup(
            bias=0.0,
            most_for=limits.still_cues_for,
            most_against=limits.still_cues_against,
            weights=MappingProxyType(dict(zip(names, weights[1:].tolist(), strict=True))),
            neutral=cues.neutral,
        ),
    )


def _measured(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    return [name for name in names if any(name in row.scores for row in rows)]


def _balanced_mean(rows: Sequence[Row], name: str) -> float:
    """Return the mean log odds of a cue with equal weight of both kinds; live images are well above 0."""
    measured = [row for row in rows if name in row.scores]
    _, shares = _told(measured)
    return float((shares * [log_odds(row.scores[name]) for row in measured]).sum() / shares.sum())


def _values(
    rows: Sequence[Row], names: Sequence[str], neutral: Mapping[str, float] = MappingProxyType({})
) -> NDArray[np.float64]:
    table = [
        [log_odds(row.scores[name]) - neutral.get(name, 0.0) if name in row.scores else 0.0 for name in names]
        for row in rows
    ]
    return np.array(table, np.float64).reshape(len(rows), len(names))


def _told(rows: Sequence[Row]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    labels = [row.live for row in rows]
    return np.array(labels, np.float64), balanced_shares(labels, [row.source for row in rows])

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
"""Single-frame cues that every image has more or less of."""
TRACES = ("moire", "medium_border")
"""Single-frame cues that most attacks do not show, and hardly a live image does."""

_DEEPFAKE = "deepfake"
_LARGEST = "Silent-Face-Anti-Spoofing"
"""The sources whose images show what is around the face, as a scan's frames do; the others' are crops."""

_TEMPORAL_PRIOR: Prior = (0.5, 0.05, 0.3)
_NETWORK_PRIOR: Prior = (0.5, 0.02, 0.05)
_CUE_PRIOR: Prior = (0.0, 0.3, 0.3)
"""A scan has better evidence than its cues, and whom they wrong is asked to scan again for nothing."""
_BESIDE_ROWS = 10
"""A single image has only cues and networks: so few rows draw its cues' weights to those of scans."""
_LEAST_BESIDE = 200
"""Live images, and attacks, below which a network's cues count as for scans: our own was asked about a
hundred each, of few persons, and with cues of its own it took more attacks from elsewhere for live."""
_NETWORK_AT_MOST = 1.25
"""Few sources make a network look much surer than it is of itself; it is not taken to be."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the groups' evidence is held within; set, not fitted, as ``FusionModel`` explains."""

    temporal_for: float = 2.5
    temporal_against: float = 3.0
    cues_for: float = 0.5
    cues_against: float = 1.5
    still_cues_for: float = 1.0
    still_cues_against: float = 1.5
    traces_against: float = 2.0


def fit_parts(rows: Sequence[Row], base: FusionModel, limits: Limits) -> FusionModel:
    """``base`` with the coefficients that ``rows`` give."""
    # A deepfake file shows no medium that networks and cues could see.
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
    """Whether a row's images show the face's surroundings as a scan's frames do."""
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
    """What the cues add to what a network says: every row once for each network, at its share."""
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
    """A network and the cues beside it, fitted together to single images."""
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
    """Mean log odds of a cue where live and attack weigh alike: live images have it well above a half."""
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

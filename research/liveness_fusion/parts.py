"""Fits each part of the fusion model to measured rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from liveness import FusionModel
from liveness.fusion_model import Motion, NetworkCalibration, NetworkCalibrations, SignalGroup
from liveness.signal import log_odds, network_log_odds
from research.liveness_fusion.logistic import Prior, balanced_shares, fit_logistic
from research.liveness_fusion.rows import Row, RowKind
from research.liveness_fusion.traces import fit_traces

__all__ = ["CUES", "MOTION", "OWN", "PUBLIC", "TRACES", "Limits", "fit_parts", "in_view", "sets_of"]

MOTION = ("planar_motion", "micro_motion", "stillness", "surroundings", "pose_consistency")
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

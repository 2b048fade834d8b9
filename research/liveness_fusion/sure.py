"""Decides which sets of networks may decide without a challenge, by sources to which nothing was fitted.

A set of several networks is sure of scans from ``SCAN_LINE`` if no attack of a source that was left out, or
never fitted, reaches it; and of single images from ``STILL_LINE`` if at most ``_MOST_PICTURES`` of the
attacks of such sources do. A network alone is never sure: nothing contradicts what it does not see.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from liveness import FusionModel
from liveness.fusion_model import NetworkCalibrations
from research.liveness_fusion.left_out import STANDARD, RowDecisions, decide
from research.liveness_fusion.parts import OWN
from research.liveness_fusion.rows import Row, RowKind

__all__ = ["decide_unseen", "sure_counts", "with_sure"]

SCAN_LINE: Final = 98.0
"""Set by hand, about half a unit of log odds above the strongest attack among the recorded scans (97.1)."""
STILL_LINE: Final = 97.0
"""Set by hand: of the attacks of a set of pictures that stays held back, 4 % reach it."""
_MOST_PICTURES: Final = 0.05
_DEEPFAKE: Final = "deepfake"
_SCANS: Final = frozenset({RowKind.CLIP})
_STILLS: Final = frozenset({RowKind.PICTURE})


def decide_unseen(
    rows: Sequence[Row], model: FusionModel, networks: Sequence[frozenset[str]]
) -> list[RowDecisions]:
    """Return the decisions of ``model`` on rows to which it was not fitted, under the policy ``standard``."""
    return [
        RowDecisions(row, names, {STANDARD: decide(row, model, networks=names, policy=STANDARD)})
        for row in rows
        for names in networks
        if names and names.issubset(row.networks)
    ]


def with_sure(model: FusionModel, decided: Iterable[RowDecisions]) -> FusionModel:
    """Return ``model`` with the line of each set of networks that may have one.

    Args:
        model: The model.
        decided: Decisions on sources that were left out or never fitted.
    """
    known = list(decided)
    return replace(
        model,
        scan_networks=_with_line(model.scan_networks, known, _SCANS, line=SCAN_LINE, most=0.0),
        still_networks=_with_line(model.still_networks, known, _STILLS, line=STILL_LINE, most=_MOST_PICTURES),
    )


def sure_counts(decided: Iterable[RowDecisions], networks: frozenset[str]) -> dict[str, str]:
    """Return for scans and images how many live ones and attacks reach the line, in words."""
    known = list(decided)
    found = {}
    for title, kinds, line in (("scans", _SCANS, SCAN_LINE), ("pictures", _STILLS, STILL_LINE)):
        live, attacks = _scores(known, networks, kinds)
        found[title] = (
            f"{sum(score >= line for score in live)} of {len(live)} live, "
            f"{sum(score >= line for score in attacks)} of {len(attacks)} attack "
            f"(the highest {max(attacks, default=0.0):.1f}) from {line:g}"
        )
    return found


def _with_line(
    networks: NetworkCalibrations,
    decided: Sequence[RowDecisions],
    kinds: frozenset[RowKind],
    *,
    line: float,
    most: float,
) -> NetworkCalibrations:
    known = {}
    for names, calibration in networks.known.items():
        _, attacks = _scores(decided, names, kinds)
        reached = sum(score >= line for score in attacks)
        sure = len(names) > 1 and OWN not in names and attacks and reached <= most * len(attacks)
        known[names] = replace(calibration, sure=line if sure else None)
    return replace(networks, known=MappingProxyType(known))


def _scores(
    decided: Sequence[RowDecisions], networks: frozenset[str], kinds: frozenset[RowKind]
) -> tuple[list[float], list[float]]:
    """Return the confidences of live rows and of attacks with these networks; a deepfake shows no medium."""
    chosen = [
        one
        for one in decided
        if one.networks == networks and one.row.kind in kinds and one.row.species != _DEEPFAKE
    ]
    live, attacks = (
        [one.results[STANDARD].score for one in chosen if one.row.live is label] for label in (True, False)
    )
    return live, attacks

"""Decides each source with a model that was fitted without it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from liveness import CaptureKind, FusionModel, LivenessPolicy, LivenessResult
from liveness.fusion import fuse
from liveness.signal import assessed
from research.liveness_fusion.parts import Limits, fit_parts
from research.liveness_fusion.rows import Row, RowKind

__all__ = ["POLICIES", "STANDARD", "RowDecisions", "decide", "decide_left_out"]

STANDARD = "standard"
POLICIES = {"low": (60.0, 30.0), STANDARD: (70.0, 30.0), "high": (80.0, 40.0)}
"""Thresholds (live, spoof) of the shipped policies (``server/policies/shipped``)."""

_FRAMES, _SECONDS = 60, 4.0


@dataclass(frozen=True, slots=True)
class RowDecisions:
    """The results of one row with one set of networks, by name of the policy."""

    row: Row
    networks: frozenset[str]
    results: Mapping[str, LivenessResult]


def decide_left_out(
    rows: Sequence[Row], base: FusionModel, limits: Limits, *, networks: Sequence[frozenset[str]]
) -> Iterator[RowDecisions]:
    """Decide every row with each set of networks, by every policy, without its own source."""
    for source in sorted({row.source for row in rows}):
        model = fit_parts([row for row in rows if row.source != source], base, limits)
        for row in rows:
            if row.source == source:
                for names in networks:
                    if names.issubset(row.networks):
                        yield RowDecisions(
                            row,
                            names,
                            {name: decide(row, model, networks=names, policy=name) for name in POLICIES},
                        )


def decide(row: Row, model: FusionModel, *, networks: frozenset[str], policy: str) -> LivenessResult:
    """Decide one row: as a scan if it has motion, else as a single image."""
    live, spoof = POLICIES[policy]
    scan = row.kind in (RowKind.CLIP, RowKind.PRESENTED)
    shown = {name: row.networks[name] for name in sorted(networks)}
    return fuse(
        signals=[
            assessed(name=name, label=name, score=score, detail="") for name, score in row.scores.items()
        ],
        networks=shown,
        repetition=None,
        frames=_FRAMES if scan else 1,
        usable_frames=_FRAMES if scan else 1,
        duration=_SECONDS if scan else 0.0,
        policy=LivenessPolicy(
            live_threshold=live,
            spoof_threshold=spoof,
            capture=CaptureKind.SCAN if scan else CaptureKind.FRAME,
        ),
        model=model,
    )

"""Decides each source with a model that was fitted without it, and counts what follows.

*Sure*: a set of several networks is sure of scans from ``SCAN_LINE`` if no attack of a source that was left
out, or never fitted, reaches it; and of single images from ``STILL_LINE`` if at most ``_MOST_PICTURES`` of
the attacks of such sources do. A network alone is never sure: nothing contradicts what it does not see.

*Pushes*: the rows that each trace of a medium, alone, moves across a threshold of policy ``standard``.

*Reliability*: how often predictions of each confidence are true (A. H. Murphy and R. L. Winkler, "Reliability
of subjective probability forecasts", Applied Statistics 26(1), 1977; intervals: Clopper and Pearson,
Biometrika 26(4), 1934). Rows count as independent trials, which frames of one source are not: the true
intervals are wider.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from lab.evaluation import Proportion
from lab.evaluation.binomial import proportion
from lab.studies.liveness_fusion.parts import OWN, Limits, fit_parts, sets_of
from lab.studies.liveness_fusion.rows import Row, RowKind
from liveness import CaptureKind, FusionModel, LivenessPolicy, LivenessResult, Verdict
from liveness.fusion import fuse
from liveness.fusion_model import NetworkCalibrations, Traces
from liveness.verdict import assessed

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
    scan = row.kind in (RowKind.CLIP, RowKind.EARLY, RowKind.PRESENTED)
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


SCAN_LINE: Final = 98.0
"""Set by hand, about half a unit of log odds above the strongest attack among the recorded scans (97.1)."""
EARLY_LINE: Final = 99.0
"""Set by hand, 0.7 log odds above ``SCAN_LINE``: hardly a live scan of 2 s lies between the two."""
STILL_LINE: Final = 97.0
"""Set by hand: of the attacks of a set of pictures that stays held back, 4 % reach it."""
_MOST_PICTURES: Final = 0.05
_DEEPFAKE: Final = "deepfake"
_SCANS: Final = frozenset({RowKind.CLIP})
_EARLY: Final = frozenset({RowKind.EARLY})
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
        decided: Decisions on sources that were left out or never fitted.
    """
    known = list(decided)
    scans = _sure_sets(model.scan_networks, known, _SCANS, line=SCAN_LINE)
    # Both lines have to hold: what is sure early is sure, too.
    early = scans & _sure_sets(model.scan_networks, known, _EARLY, line=EARLY_LINE)
    stills = _sure_sets(model.still_networks, known, _STILLS, line=STILL_LINE, most=_MOST_PICTURES)
    return replace(
        model,
        scan_networks=_with_lines(
            model.scan_networks, sure=dict.fromkeys(scans, SCAN_LINE), early=dict.fromkeys(early, EARLY_LINE)
        ),
        still_networks=_with_lines(model.still_networks, sure=dict.fromkeys(stills, STILL_LINE)),
    )


def sure_counts(decided: Iterable[RowDecisions], networks: frozenset[str]) -> dict[str, str]:
    """Return for scans and images how many live ones and attacks reach the line, in words."""
    known = list(decided)
    found = {}
    for title, kinds, line in (
        ("scans", _SCANS, SCAN_LINE),
        ("early", _EARLY, EARLY_LINE),
        ("pictures", _STILLS, STILL_LINE),
    ):
        live, attacks = _scores(known, networks, kinds)
        found[title] = (
            f"{sum(score >= line for score in live)} of {len(live)} live, "
            f"{sum(score >= line for score in attacks)} of {len(attacks)} attack "
            f"(the highest {max(attacks, default=0.0):.1f}) from {line:g}"
        )
    return found


def _sure_sets(
    networks: NetworkCalibrations,
    decided: Sequence[RowDecisions],
    kinds: frozenset[RowKind],
    *,
    line: float,
    most: float = 0.0,
) -> set[frozenset[str]]:
    """Return the sets of networks with a line that at most this share of the attacks reaches."""
    found = set()
    for names in networks.known:
        _, attacks = _scores(decided, names, kinds)
        reached = sum(score >= line for score in attacks)
        if len(names) > 1 and OWN not in names and attacks and reached <= most * len(attacks):
            found.add(names)
    return found


def _with_lines(
    networks: NetworkCalibrations,
    *,
    sure: Mapping[frozenset[str], float],
    early: Mapping[frozenset[str], float] = MappingProxyType({}),
) -> NetworkCalibrations:
    known = {
        names: replace(calibration, sure=sure.get(names), sure_early=early.get(names))
        for names, calibration in networks.known.items()
    }
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


_CONFIDENCE = 0.9
"""Confidence of the two-sided interval, so that its upper end alone is a bound at 95 %."""


@dataclass(frozen=True, slots=True)
class Pushes:
    """The effect of one trace on rows of one kind, all live or all attacks.

    A row counts if the verdict with any of its networks, or with none, differs without the trace.

    Attributes:
        seen: Rows with the trace, of those in which it was measured.
        from_live: Rows that are LIVE without it and are not with it, of the same rows.
        into_spoof: Rows that are SPOOF with it and are not without it, of the same rows.
    """

    seen: Proportion
    from_live: Proportion
    into_spoof: Proportion


def count_pushes(
    rows: Sequence[Row], trace: str, *, model_for: Callable[[str], FusionModel]
) -> Pushes | None:
    """Count the effects of ``trace``; ``None`` if it was measured in no row.

    Args:
        rows: Rows of one kind, all live or all attacks.
        model_for: The model that judges rows of a source.
    """
    measured = [row for row in rows if trace in row.scores]
    seen, from_live, into_spoof = 0, 0, 0
    for row in measured:
        model = model_for(row.source)
        sign = model.traces.signals.get(trace)
        if sign is None or sign.clearness(row.scores[trace]) == 0:
            continue
        seen += 1
        verdicts = _verdicts(row, trace, model)
        from_live += any(Verdict.LIVE is before is not after for before, after in verdicts)
        into_spoof += any(Verdict.SPOOF is after is not before for before, after in verdicts)
    shares = [
        proportion(hits, len(measured), confidence=_CONFIDENCE) for hits in (seen, from_live, into_spoof)
    ]
    known = [share for share in shares if share is not None]
    return Pushes(*known) if len(known) == len(shares) else None


def placed_without(rows: Sequence[Row], shipped: FusionModel, limits: Limits) -> Callable[[str], FusionModel]:
    """Return a function that maps a source to a model, fitted to the rows of all other sources.

    The effect of a trace is thus measured on persons and cameras that did not determine its ``begins`` and
    ``full``. Its ``strength`` is that of ``shipped``: most attacks that show a trace are from one source, and
    a model fitted without this source would give the trace no strength.

    Args:
        limits: The numbers of the model that are set, not fitted.
    """
    found: dict[str, FusionModel] = {}

    def model_for(source: str) -> FusionModel:
        if source not in found:
            fitted = fit_parts([row for row in rows if row.source != source], shipped, limits)
            found[source] = replace(fitted, traces=_as_strong(fitted.traces, shipped.traces))
        return found[source]

    return model_for


def _as_strong(placed: Traces, shipped: Traces) -> Traces:
    signals = {
        name: replace(trace, strength=shipped.signals[name].strength)
        for name, trace in placed.signals.items()
        if name in shipped.signals
    }
    return replace(placed, signals=MappingProxyType(signals))


def _verdicts(row: Row, trace: str, model: FusionModel) -> list[tuple[Verdict, Verdict]]:
    """Return verdicts without and with the trace, for every network of the row and for none."""
    lacking = replace(row, scores={name: score for name, score in row.scores.items() if name != trace})
    asked = [names for names in sets_of(row.networks) if names.issubset(row.networks)]
    if row.kind is RowKind.CLIP:
        asked.append(frozenset())
    return [
        (
            decide(lacking, model, networks=networks, policy=STANDARD).verdict,
            decide(row, model, networks=networks, policy=STANDARD).verdict,
        )
        for networks in asked
    ]

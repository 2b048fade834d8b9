"""Counts the rows that each trace of a medium, alone, moves across a threshold of policy ``standard``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from evaluation import Proportion
from evaluation.binomial import proportion
from liveness import FusionModel, Verdict
from liveness.fusion_model import Traces
from research.liveness_fusion.left_out import STANDARD, decide
from research.liveness_fusion.parts import Limits, fit_parts, sets_of
from research.liveness_fusion.rows import Row, RowKind

__all__ = ["Pushes", "count_pushes", "placed_without"]

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
        trace: Name of the signal.
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
        rows: Rows of all sources.
        shipped: The model in use.
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

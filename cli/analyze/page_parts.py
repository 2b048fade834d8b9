"""Pieces of the page that know nothing of pictures: facts, verdicts, signals."""

from collections.abc import Iterable, Mapping
from typing import Final

from cli.analyze.finding import Finding, Judgement
from cli.analyze.shown import shown
from cli.markup import Html, Templates, joined
from liveness.signal import Signal
from liveness.verdict import Verdict

__all__ = ["TEMPLATES", "facts", "judgement", "name_of", "problem", "row", "tone_of", "verdict_of"]

TEMPLATES: Final = Templates("cli.analyze")

_TONES: Final = {Verdict.LIVE: "good", Verdict.SPOOF: "bad", Verdict.INCONCLUSIVE: "warn"}
_NO_VERDICT: Final = "NO VERDICT"
_NOTHING: Final = Html("")
_ABSENT: Final = "-"
_MIDDLE: Final = 0.5
_NEITHER: Final = 0.02
_PERCENT: Final = 0.01


def facts(found: Mapping[str, str]) -> Html:
    """Names and values."""
    return joined(TEMPLATES.fill("fact", name=name, value=shown(value)) for name, value in found.items())


def name_of(finding: Finding) -> str:
    """The file's name without its folders; for still frames, the first and how many there are."""
    first = shown(finding.files[0].name or str(finding.files[0]))
    return first if len(finding.files) == 1 else f"{first} and {len(finding.files) - 1} more still frames"


def verdict_of(finding: Finding) -> str:
    """The verdict in a word."""
    decided = finding.deciding
    return _NO_VERDICT if finding.problem is not None or decided is None else decided.verdict.value


def tone_of(finding: Finding) -> str:
    """The style sheet's class for the verdict."""
    decided = finding.deciding
    return "" if finding.problem is not None or decided is None else _TONES[decided.verdict]


def row(finding: Finding, *, key: str) -> Html:
    """A file as a row of the overview."""
    decided = finding.deciding
    why = ""
    if finding.problem is not None:
        why = finding.problem.reason or finding.problem.code
    elif decided is not None:
        why = " ".join(decided.explanations)
    return TEMPLATES.fill(
        "row",
        key=key,
        name=name_of(finding),
        tone=tone_of(finding),
        verdict=verdict_of(finding),
        confidence=_ABSENT if decided is None else f"{decided.confidence:.2f}",
        why=why,
    )


def problem(finding: Finding) -> Html:
    """Why there is no verdict; nothing where there is one."""
    found = finding.problem
    if found is None:
        return _NOTHING
    code = f"{found.code} ({found.reason})" if found.reason else found.code
    return TEMPLATES.fill("problem", code=code, message=shown(found.message))


def judgement(found: Judgement, *, name: str) -> Html:
    """A verdict with its gauge and its signals, the weightiest first.

    Args:
        found: The verdict.
        name: Who judged.
    """
    limits = found.thresholds
    said, band, marks = "", _NOTHING, list[Html]()
    if limits is not None:
        said = f"{limits.words}." + (
            "" if limits.stated is None else f" The threshold is {limits.stated:.2f}."
        )
        band = TEMPLATES.fill(
            "band", **{"from": _share(limits.spoof), "width": _share(limits.live - limits.spoof)}
        )
        if limits.stated is not None:
            marks.append(TEMPLATES.fill("mark", share=_share(limits.stated), title="threshold"))
    attack = found.attack
    if attack is not None and attack.telling:
        said += f" Attack type: {attack.name.replace('_', ' ')}, confidence {attack.confidence:.2f}."
    return TEMPLATES.fill(
        "judgement",
        name=name,
        value=f"{found.confidence:.2f}",
        verdict=found.verdict.value,
        tone=_TONES[found.verdict],
        spoken=f"confidence {found.confidence:.2f} of 1, {found.verdict.value}",
        share=_share(found.confidence),
        band=band,
        marks=marks,
        limits=said,
        why=f"Why: {' '.join(found.explanations)}" if found.explanations else "",
        signals=_signals(found.signals, assessed=True),
        unassessed=_unassessed(found.signals),
    )


def _signals(signals: Iterable[Signal], *, assessed: bool) -> list[Html]:
    wanted = (signal for signal in signals if signal.assessed is assessed)
    return [_signal(signal) for signal in sorted(wanted, key=lambda each: -each.weight)]


def _unassessed(signals: Iterable[Signal]) -> Html:
    """What could not be assessed, folded away but not left out."""
    rows = _signals(signals, assessed=False)
    if not rows:
        return _NOTHING
    many = "1 signal" if len(rows) == 1 else f"{len(rows)} signals"
    return TEMPLATES.fill("unassessed", count=many, signals=rows)


def _signal(signal: Signal) -> Html:
    score = signal.score
    return TEMPLATES.fill(
        "signal",
        kind="decides" if signal.weight > 0 else "informs",
        label=signal.label,
        name=signal.name,
        tone="none" if score is None else _tone(score),
        spoken="not assessed" if score is None else f"{score:.2f} of 1",
        share="0" if score is None else _share(score),
        score=_ABSENT if score is None else f"{score:.2f}",
        weight=_weight(signal.weight),
        detail=shown(signal.detail),
    )


def _weight(weight: float) -> str:
    if weight <= 0:
        return "informs"
    return f"weight {100 * weight:.0f}%" if weight >= _PERCENT else "weight < 1%"


def _tone(score: float) -> str:
    if abs(score - _MIDDLE) < _NEITHER:
        return "neither"
    return "good" if score > _MIDDLE else "bad"


def _share(value: float) -> str:
    return f"{100 * value:.1f}"

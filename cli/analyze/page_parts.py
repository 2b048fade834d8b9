"""Parts of the page without pictures: facts, verdicts, signals."""

from collections.abc import Iterable, Mapping
from typing import Final

from cli.analyze.finding import FileReport, FileVerdict
from cli.shown import printable
from liveness import Signal, Verdict
from server.pages import (
    NOTHING,
    Html,
    band,
    cell,
    facts,
    folded,
    gauge,
    joined,
    link_cell,
    mark,
    measure,
    pill,
    signal_list,
    signal_row,
)

__all__ = ["judgement", "name_of", "problem", "row", "shown_facts", "tone_of", "verdict_of"]

_TONES: Final = {Verdict.LIVE: "good", Verdict.SPOOF: "bad", Verdict.INCONCLUSIVE: "warn"}
_NO_VERDICT: Final = "NO VERDICT"
_ABSENT: Final = "-"


def shown_facts(found: Mapping[str, str]) -> Html:
    """Returns names and values, with control characters made visible."""
    return facts((name, printable(value)) for name, value in found.items())


def name_of(finding: FileReport) -> str:
    """Returns the file's name without its folders; for still frames, the first and the number of others."""
    first = printable(finding.files[0].name or str(finding.files[0]))
    return first if len(finding.files) == 1 else f"{first} and {len(finding.files) - 1} more still frames"


def verdict_of(finding: FileReport) -> str:
    """Returns the verdict in a word."""
    decided = finding.deciding
    return _NO_VERDICT if finding.problem is not None or decided is None else decided.verdict.value


def tone_of(finding: FileReport) -> str:
    """Returns the style sheet's class for the verdict."""
    decided = finding.deciding
    return "" if finding.problem is not None or decided is None else _TONES[decided.verdict]


def row(finding: FileReport, *, key: str) -> Html:
    """Returns the row of a file in the overview."""
    decided = finding.deciding
    why = ""
    if finding.problem is not None:
        why = finding.problem.reason or finding.problem.code
    elif decided is not None:
        why = " ".join(decided.explanations)
    return Html("<tr>{}{}{}{}</tr>").format(
        link_cell(name_of(finding), to=key),
        cell(pill(verdict_of(finding), tone=tone_of(finding))),
        cell(_ABSENT if decided is None else f"{decided.confidence:.2f}", number=True),
        Html('<td class="names">{}</td>').format(why),
    )


def problem(finding: FileReport) -> Html:
    """Returns the reason why there is no verdict; nothing if there is one."""
    found = finding.problem
    if found is None:
        return NOTHING
    code = f"{found.code} ({found.reason})" if found.reason else found.code
    return Html('<p class="problem"><strong>{}</strong> {}</p>').format(code, printable(found.message))


def judgement(found: FileVerdict, *, name: str) -> Html:
    """Returns a verdict with its gauge and its signals, the highest weight first.

    Args:
        found: The verdict.
        name: Name of the method that judged.
    """
    limits = found.thresholds
    said, marks = "", list[Html]()
    if limits is not None:
        said = f"{limits.words}." + (
            "" if limits.stated is None else f" The threshold is {limits.stated:.2f}."
        )
        marks.append(band(100 * limits.spoof, 100 * limits.live, "INCONCLUSIVE"))
        if limits.stated is not None:
            marks.append(mark(100 * limits.stated, "threshold"))
    attack = found.attack
    if attack is not None and attack.telling:
        said += f" Attack type: {attack.name.replace('_', ' ')}, confidence {attack.confidence:.2f}."
    confidence = measure(
        "Confidence that the person is live",
        value=f"{found.confidence:.2f}, {found.verdict.value}",
        bar=gauge(
            100 * found.confidence,
            tone=_TONES[found.verdict],
            spoken=f"confidence {found.confidence:.2f} of 1, {found.verdict.value}",
            marks=marks,
            kind="big",
        ),
        detail=said,
    )
    return Html('<div class="judgement">\n<h3>{}</h3>\n{}\n</div>').format(
        name,
        joined(
            (
                confidence,
                Html('<p class="why">{}</p>').format(
                    f"Why: {' '.join(found.explanations)}" if found.explanations else ""
                ),
                signal_list(_signals(found.signals, assessed=True)),
                _unassessed(found.signals),
            )
        ),
    )


def _signals(signals: Iterable[Signal], *, assessed: bool) -> list[Html]:
    wanted = (signal for signal in signals if signal.assessed is assessed)
    return [
        signal_row(
            signal.label,
            score=signal.score,
            weight=signal.weight,
            detail=printable(signal.detail),
            name=signal.name,
        )
        for signal in sorted(wanted, key=lambda each: -each.weight)
    ]


def _unassessed(signals: Iterable[Signal]) -> Html:
    """Returns the signals that could not be assessed, folded."""
    rows = _signals(signals, assessed=False)
    if not rows:
        return NOTHING
    many = "1 signal" if len(rows) == 1 else f"{len(rows)} signals"
    return folded(f"{many} could not be assessed", signal_list(rows), kind="folded")

"""Reports as tables for the terminal."""

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.text import Text

from cli.analyze.report import FileReport, FileVerdict
from cli.shown import list_table, printable, score_bar, score_style, shown_name
from liveness import Verdict
from server.analysis.assessment import scope_of

_STYLES: Final = {
    Verdict.LIVE: "bold green",
    Verdict.SPOOF: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
}
_NO_VERDICT: Final = Text("NO VERDICT", "bold magenta")
_PASSED: Final = {True: Text("✓", "green"), False: Text("✗", "red"), None: Text("·", "dim")}
_NEUTRAL: Final = Text("○", "dim")
_NEUTRAL_SCORE: Final = 0.5
"""The score of a signal that counts neither for nor against life."""
_LEGEND: Final = "✓ passed, ○ neutral, ✗ not passed, · could not be assessed; no single signal decides."
_CELLS: Final = 6
_GAUGE_CELLS: Final = 24


def finding_view(finding: FileReport) -> RenderableType:
    """Return the whole report on one file."""
    parts: list[RenderableType] = [_title(finding)]
    if finding.assessment:
        parts.append(Text(f"  {printable(finding.assessment)}", "dim"))
    if finding.facts:
        parts.append(
            Text("  " + printable("; ".join(f"{name} {text}" for name, text in finding.facts.items())), "dim")
        )
    problem = finding.problem
    if problem is not None:
        code = f"{problem.code} ({problem.reason})" if problem.reason else problem.code
        parts.append(Text(f"  {printable(code)}: {printable(problem.message)}", "red"))
        return Group(*parts)
    if finding.fusion is not None:
        parts.append(_judgement(finding.fusion, "Fusion"))
    if finding.selfie is not None:
        parts.append(_judgement(finding.selfie, "Sum of the eight signals"))
    parts.append(
        Text(f"  {_LEGEND} {printable(finding.request_id)}, {1000 * finding.seconds:.0f} ms.", "dim")
    )
    return Group(*parts)


def summary_view(findings: Sequence[FileReport]) -> RenderableType:
    """Return one line for each file, and the number of each verdict."""
    table = list_table(
        *("file", "verdict", "confidence", "why"),
        title="Summary",
        right=("confidence",),
        whole=("verdict", "confidence"),
        box=box.SIMPLE,
    )
    for finding in findings:
        judgement = finding.deciding
        table.add_row(
            Text(_names(finding)),
            _verdict(finding),
            f"{judgement.confidence:.2f}" if judgement is not None else "-",
            Text(printable(finding.why)),
        )
    answers = [_verdict(finding).plain for finding in findings]
    counts = ", ".join(f"{answers.count(word)} {word.lower()}" for word in (*Verdict, _NO_VERDICT.plain))
    return Group(table, Text(f"{len(findings)} analysed: {counts}."))


def _title(finding: FileReport) -> Text:
    text = _verdict(finding).copy()
    judgement = finding.deciding
    if judgement is not None:
        text.append(f" {judgement.confidence:.2f}", "default")
        attack = judgement.attack
        if attack is not None and attack.telling and judgement.verdict is Verdict.SPOOF:
            looks = f", looks like {attack.name.replace('_', ' ')} ({attack.confidence:.2f})"
            text.append(looks, "default")
    text.append(f"  {_names(finding)}", "default bold")
    if judgement is not None and finding.problem is None:
        text.append(f": {scope_of(judgement.verdict)}", "default")
    return text


def _names(finding: FileReport) -> str:
    names = [shown_name(file) for file in finding.files]
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]} ({len(names)} still frames)"


def _verdict(finding: FileReport) -> Text:
    judgement = finding.deciding
    if finding.problem is not None or judgement is None:
        return _NO_VERDICT
    return Text(judgement.verdict.value, _STYLES[judgement.verdict])


def _judgement(judgement: FileVerdict, name: str) -> RenderableType:
    title = Text.assemble(
        f"  {name}: ",
        (judgement.verdict.value, _STYLES[judgement.verdict]),
        " ",
        (score_bar(judgement.confidence, _GAUGE_CELLS).replace(" ", "·"), _STYLES[judgement.verdict]),
        f" {judgement.confidence:.2f}",
    )
    if judgement.thresholds is not None:
        title.append(f"\n  {judgement.thresholds.words}.", "dim")
    if judgement.explanations:
        title.append(f"\n  Why: {printable(' '.join(judgement.explanations))}")
    names = ("", "signal", "score", "weight", "detail")
    table = list_table(*names, right=("weight",), whole=names[:4], header_style="dim", pad_edge=True)
    # Signals that could not be assessed come last.
    for signal in sorted(judgement.signals, key=lambda each: not each.assessed):
        neutral = signal.score is not None and round(signal.score, 2) == _NEUTRAL_SCORE
        passed, named = _NEUTRAL if neutral else _PASSED[signal.passed], Text(printable(signal.name))
        weight = f"{signal.weight:.2f}" if signal.weight > 0 else "-"
        detail = Text(printable(signal.detail), "dim" if signal.score is None else "")
        table.add_row(passed, named, _score(signal.score), weight, detail)
    return Group(title, table)


def _score(score: float | None) -> Text:
    if score is None:
        return Text("")
    return Text.assemble((score_bar(score, _CELLS), score_style(score)), f" {score:.2f}")

"""The page that explains the verdicts on files: one HTML file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from cli.analyze.figures import image_groups, video_groups
from cli.analyze.report import ExplainedFile, FileKind, FileReport, FileVerdict
from cli.shown import printable, shown_name
from liveness import Verdict
from server.analysis.assessment import UNASSESSED
from server.pages import Explanation, Group, Judgement, Measure, explanation_page
from vision.packs import Pack

_TONES: Final = {Verdict.LIVE: "good", Verdict.SPOOF: "bad", Verdict.INCONCLUSIVE: "warn"}


def explained_file(explained: ExplainedFile, pack: Pack, *, number: int) -> Explanation:
    """Return what the page shows of a file, which is its ``number``-th, with its images as they are shown."""
    report = explained.finding
    decided, problem = report.deciding, report.problem
    texts = []
    if problem is not None:
        reason = f" ({problem.reason})" if problem.reason else ""
        texts.append(("problem", f"{problem.code}{reason} {printable(problem.message)}"))
    if report.assessment:
        texts.append(("assessment", printable(report.assessment)))
    video = report.kind in {FileKind.VIDEO, FileKind.STILLS} and report.fusion is not None
    inference = {"inference_id": report.request_id} if video else {}
    read = {
        "File": ", ".join(shown_name(file) for file in report.files),
        **report.facts,
        "request_id": report.request_id,
        **inference,
        "Took": f"{1000 * report.seconds:.0f} ms",
    }
    return Explanation(
        key=f"file-{number}",
        title=_name(report),
        outcome=(_verdict(report), "" if problem or decided is None else _TONES[decided.verdict]),
        remark=_attack(decided),
        row=("-" if decided is None else f"{decided.confidence:.2f}", report.why),
        texts=texts,
        judgements=[*_judgements(report)],
        groups=[
            *_groups(explained, pack),
            Group(title="Properties of the file", facts=_printed(read), folded=True),
        ],
    )


def page_html(
    files: Sequence[Explanation],
    reports: Sequence[FileReport],
    *,
    pack: Pack,
    policy: str,
    mode: str,
    version: str,
    made: datetime,
) -> str:
    """Return the page."""
    words = [_verdict(report) for report in reports]
    if len(reports) == 1:
        title = f"{files[0].title}: {words[0]}"
    else:
        counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
        title = f"{len(reports)} files: {counts}"
    restricted = ", for evaluation only" if pack.evaluation_only else ""
    return explanation_page(
        "analyze.html",
        files,
        title=title,
        heading=f"{title} ({UNASSESSED})",
        about=_printed(
            {
                "Facegate": version,
                "Pack": f"{pack.name} {pack.version}{restricted}",
                "Policy of the fusion": policy,
                "Mode": mode,
                "Made": made.strftime("%Y-%m-%d %H:%M %Z"),
            }
        ),
        columns=("File", "Verdict", "Confidence", "Why"),
        numbers=("Confidence",),
        networks=pack.pad_networks,
        mode=mode,
    )


def _printed(found: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return names and values, with control characters made visible."""
    return [(name, printable(value)) for name, value in found.items()]


def _name(report: FileReport) -> str:
    """Return the file's name without its folders; for still frames, the first and the number of others."""
    first = printable(report.files[0].name or str(report.files[0]))
    return first if len(report.files) == 1 else f"{first} and {len(report.files) - 1} more still frames"


def _verdict(report: FileReport) -> str:
    decided = report.deciding
    return "NO VERDICT" if report.problem is not None or decided is None else decided.verdict.value


def _attack(decided: FileVerdict | None) -> tuple[str, str] | None:
    """Return the kind of a likely attack; None if none is named."""
    if decided is None or decided.attack is None or decided.verdict is not Verdict.SPOOF:
        return None
    return (decided.attack.name.replace("_", " "), "bad") if decided.attack.telling else None


def _judgements(report: FileReport) -> Iterator[Judgement]:
    """Yield the verdicts of the two methods, each with its signals, the highest weight first."""
    named = {"The fusion of all signals": report.fusion, "The sum of the eight signals": report.selfie}
    for name, found in named.items():
        if found is None:
            continue
        signals = [
            replace(signal, detail=printable(signal.detail))
            for signal in sorted(found.signals, key=lambda each: -each.weight)
        ]
        missing = [signal for signal in signals if not signal.assessed]
        many = f"{len(missing)} signal{'' if len(missing) == 1 else 's'} could not be assessed"
        yield Judgement(
            title=name,
            measures=[_confidence(found)],
            why=[f"Why: {' '.join(found.explanations)}"] if found.explanations else (),
            signals=[signal for signal in signals if signal.assessed],
            more=missing,
            more_title=many if missing else "",
            named=True,
        )


def _confidence(found: FileVerdict) -> Measure:
    limits, attack, detail = found.thresholds, found.attack, ""
    stated = None if limits is None else limits.stated
    if limits is not None:
        threshold = "" if stated is None else f" The threshold is {stated:.2f}."
        detail = f"{limits.words}.{threshold}"
    if attack is not None and attack.telling:
        detail += f" Attack type: {attack.name.replace('_', ' ')}, confidence {attack.confidence:.2f}."
    return Measure(
        name="Confidence that the person is live",
        value=f"{found.confidence:.2f}, {found.verdict}",
        detail=detail,
        share=100 * found.confidence,
        tone=_TONES[found.verdict],
        spoken=f"confidence {found.confidence:.2f} of 1, {found.verdict}",
        marks=() if stated is None else ((100 * stated, "threshold"),),
        band=None if limits is None else (100 * limits.spoof, 100 * limits.live, "INCONCLUSIVE"),
        kind="big",
    )


def _groups(each: ExplainedFile, pack: Pack) -> Iterator[Group]:
    if each.image is not None:
        yield from image_groups(each.image, exif=each.exif, networks=pack.pad_networks)
    elif each.video is not None:
        timed = each.finding.kind is FileKind.VIDEO
        yield from video_groups(each.video, networks=pack.pad_networks, timed=timed)

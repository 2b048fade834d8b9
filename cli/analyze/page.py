"""The page that explains the verdict: one self-contained HTML file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cli.analyze.explained import ExplainedFile
from cli.analyze.finding import FileKind, FileReport, FileVerdict
from cli.analyze.page_figures import Group
from cli.analyze.page_image import image_groups
from cli.analyze.page_video import video_groups
from cli.shown import printable, shown_name
from liveness import Verdict
from server.analysis.assessment import UNASSESSED
from server.pages import Html, render
from vision.packs import Pack

__all__ = ["ExplanationPage", "PageContext"]

_TONES: Final = {Verdict.LIVE: "good", Verdict.SPOOF: "bad", Verdict.INCONCLUSIVE: "warn"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """The content of the page besides the files.

    Attributes:
        pack: The pack that judged the files.
        policy: Name of the policy whose thresholds the fusion used.
        mode: The mode of the analysis, ``"basic"`` or ``"full"``.
        version: Version of Facegate.
    """

    pack: Pack
    policy: str
    mode: str
    version: str


class ExplanationPage:
    """A page to which files are added one by one. It keeps their images only as they are shown."""

    def __init__(self, context: PageContext) -> None:
        """Begins an empty page.

        Args:
            context: The content besides the files.
        """
        self._context = context
        self._findings: list[FileReport] = []
        self._cards: list[Html] = []

    def add(self, explained: ExplainedFile) -> None:
        """Adds the next file."""
        finding = explained.finding
        self._findings.append(finding)
        card = render(
            "analyze_file.html",
            number=len(self._findings),
            name=_name(finding),
            verdict=_verdict(finding),
            tone=_tone(finding),
            attack=_attack(finding.deciding),
            problem=finding.problem,
            message="" if finding.problem is None else printable(finding.problem.message),
            assessment=printable(finding.assessment),
            judgements=list(_judgements(finding)),
            groups=list(_groups(explained, self._context.pack)),
            read=_printed(
                {
                    "File": ", ".join(shown_name(file) for file in finding.files),
                    **finding.facts,
                    "request_id": finding.request_id,
                    **({"inference_id": finding.inference_id} if finding.inference_id else {}),
                    "Took": f"{1000 * finding.seconds:.0f} ms",
                }
            ),
        )
        self._cards.append(card)

    def html(self, *, made: datetime) -> str:
        """Returns the page with the files so far, at least one.

        Args:
            made: Time of creation, with a time zone.
        """
        context = self._context
        about = {
            "Facegate": context.version,
            "Pack": _pack(context.pack),
            "Policy of the fusion": context.policy,
            "Mode": context.mode,
            "Made": made.strftime("%Y-%m-%d %H:%M %Z"),
        }
        return render(
            "analyze.html",
            title=_headline(self._findings),
            unassessed=UNASSESSED,
            about=_printed(about),
            networks=context.pack.pad_networks,
            rows=[_row(finding) for finding in self._findings],
            cards=self._cards,
            mode=context.mode,
        )


def _printed(found: Mapping[str, str]) -> list[tuple[str, str]]:
    """Returns names and values, with control characters made visible."""
    return [(name, printable(value)) for name, value in found.items()]


def _headline(findings: Sequence[FileReport]) -> str:
    if len(findings) == 1:
        return f"{_name(findings[0])}: {_verdict(findings[0])}"
    words = [_verdict(finding) for finding in findings]
    counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    return f"{len(findings)} files: {counts}"


def _pack(pack: Pack) -> str:
    return f"{pack.name} {pack.version}{', for evaluation only' if pack.evaluation_only else ''}"


def _name(finding: FileReport) -> str:
    """Returns the file's name without its folders; for still frames, the first and the number of others."""
    first = printable(finding.files[0].name or str(finding.files[0]))
    return first if len(finding.files) == 1 else f"{first} and {len(finding.files) - 1} more still frames"


def _verdict(finding: FileReport) -> str:
    decided = finding.deciding
    return "NO VERDICT" if finding.problem is not None or decided is None else decided.verdict.value


def _tone(finding: FileReport) -> str:
    decided = finding.deciding
    return "" if finding.problem is not None or decided is None else _TONES[decided.verdict]


def _attack(decided: FileVerdict | None) -> str:
    """Returns the kind of a likely attack; empty if none is named."""
    if decided is None or decided.attack is None or decided.verdict is not Verdict.SPOOF:
        return ""
    return decided.attack.name.replace("_", " ") if decided.attack.telling else ""


def _row(finding: FileReport) -> dict[str, object]:
    decided = finding.deciding
    why = ""
    if finding.problem is not None:
        why = finding.problem.reason or finding.problem.code
    elif decided is not None:
        why = " ".join(decided.explanations)
    return {
        "name": _name(finding),
        "verdict": _verdict(finding),
        "tone": _tone(finding),
        "confidence": None if decided is None else decided.confidence,
        "why": why,
    }


def _judgements(finding: FileReport) -> Iterator[dict[str, object]]:
    """Yields the verdicts of the two methods, each with its signals, the highest weight first."""
    named = {"The fusion of all signals": finding.fusion, "The sum of the eight signals": finding.selfie}
    for name, found in named.items():
        if found is None:
            continue
        signals = [
            replace(signal, detail=printable(signal.detail))
            for signal in sorted(found.signals, key=lambda each: -each.weight)
        ]
        yield {
            "name": name,
            "verdict": found,
            "tone": _TONES[found.verdict],
            "detail": _detail(found),
            "assessed": [signal for signal in signals if signal.assessed],
            "unassessed": [signal for signal in signals if not signal.assessed],
        }


def _detail(found: FileVerdict) -> str:
    limits, attack, said = found.thresholds, found.attack, ""
    if limits is not None:
        stated = "" if limits.stated is None else f" The threshold is {limits.stated:.2f}."
        said = f"{limits.words}.{stated}"
    if attack is not None and attack.telling:
        said += f" Attack type: {attack.name.replace('_', ' ')}, confidence {attack.confidence:.2f}."
    return said


def _groups(each: ExplainedFile, pack: Pack) -> Iterator[Group]:
    if each.image is not None:
        yield from image_groups(each.image, exif=each.exif, networks=pack.pad_networks)
    elif each.video is not None:
        timed = each.finding.kind is FileKind.VIDEO
        yield from video_groups(each.video, networks=pack.pad_networks, timed=timed)

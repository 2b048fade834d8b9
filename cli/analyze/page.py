"""The page that shows what decided: one HTML file that needs nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cli.analyze.explained import Explained
from cli.analyze.finding import FileKind, FileReport, FileVerdict
from cli.analyze.page_image import image_pictures
from cli.analyze.page_parts import judgement, name_of, problem, row, shown_facts, tone_of, verdict_of
from cli.analyze.page_video import video_pictures
from cli.pages import NOTHING, Html, card, folded, head, joined, page, pill, stylesheet, table
from cli.shown import shown_name
from liveness.verdict import Verdict
from vision.packs import Pack

__all__ = ["ExplanationPage", "PageContext"]

_NOTICE: Final = Html(
    '<section class="notice" aria-label="What this page holds">\n<p><strong>This page holds biometric data:'
    "</strong> pictures of faces and measurements of them. It was written readable for its owner alone. Keep "
    "it as you would keep the pictures, and delete it when it has served.</p>\n"
    '<p class="small">{}</p>\n</section>'
)
_FOOTER: Final = Html(
    "Made by <code>{}</code>. Nothing on this page is fetched from anywhere; nothing of it was sent."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """What the page says besides the files.

    Attributes:
        pack: The pack that judged.
        policy: Name of the policy whose thresholds the fusion used.
        mode: ``"basic"`` or ``"full"``.
        version: Of Facegate.
    """

    pack: Pack
    policy: str
    mode: str
    version: str


class ExplanationPage:
    """A page that grows by one file at a time, and keeps none of their pictures but as they are shown."""

    def __init__(self, context: PageContext) -> None:
        """Begins an empty page.

        Args:
            context: What it says besides the files.
        """
        self._context = context
        self._findings: list[FileReport] = []
        self._cards: list[Html] = []

    def add(self, explained: Explained) -> None:
        """Draws the next file."""
        self._findings.append(explained.finding)
        number = len(self._findings)
        self._cards.append(_card(explained, key=_key(number), number=number, context=self._context))

    def html(self, *, made: datetime) -> str:
        """The page so far; at least one file must be on it.

        Args:
            made: When, with a time zone.
        """
        context = self._context
        headline = _headline(self._findings)
        return page(
            brand="analyze",
            title=headline,
            heading=headline,
            below=shown_facts(
                {
                    "Facegate": context.version,
                    "Pack": _pack(context.pack),
                    "Policy of the fusion": context.policy,
                    "Mode": context.mode,
                    "Made": made.strftime("%Y-%m-%d %H:%M %Z"),
                }
            ),
            main=joined((_NOTICE.format(_standing(context)), _overview(self._findings), *self._cards)),
            footer=_FOOTER.format(f"facegate analyze --mode {context.mode} --explain …"),
            style=stylesheet("cli.analyze", "page"),
        )


def _key(number: int) -> str:
    return f"file-{number}"


def _headline(findings: Sequence[FileReport]) -> str:
    if len(findings) == 1:
        return f"{name_of(findings[0])}: {verdict_of(findings[0])}"
    words = [verdict_of(finding) for finding in findings]
    counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    return f"{len(findings)} files: {counts}"


def _pack(pack: Pack) -> str:
    return f"{pack.name} {pack.version}{', for evaluation only' if pack.evaluation_only else ''}"


def _standing(context: PageContext) -> str:
    networks = ", ".join(network.name for network in context.pack.pad_networks)
    asked = f"The pack's PAD networks: {networks}." if networks else "The pack has no PAD network."
    return (
        "The sum of the eight signals answers single pictures and can be explained to anybody; alone it is "
        "weak, which docs/accuracy.md shows in figures, and it never decides a check. The fusion is what a "
        f"check uses. {asked} A verdict about one file is evidence, not proof."
    )


def _overview(findings: Sequence[FileReport]) -> Html:
    if len(findings) < 2:
        return NOTHING
    rows = [row(finding, key=_key(number)) for number, finding in enumerate(findings, start=1)]
    heads = (head("File"), head("Verdict"), head("Confidence", number=True), head("Why"))
    return Html(
        '<section aria-labelledby="overview">\n<h2 id="overview">At a glance</h2>\n{}\n</section>'
    ).format(table(heads, rows, label="All files", kind="overview"))


def _card(each: Explained, *, key: str, number: int, context: PageContext) -> Html:
    finding = each.finding
    read = {
        "File": ", ".join(shown_name(file) for file in finding.files),
        **finding.facts,
        "request_id": finding.request_id,
        **({"inference_id": finding.inference_id} if finding.inference_id else {}),
        "Took": f"{1000 * finding.seconds:.0f} ms",
    }
    return card(
        key=key,
        number=number,
        title=name_of(finding),
        pills=(pill(verdict_of(finding), tone=tone_of(finding)), _attack(finding.deciding)),
        body=(
            problem(finding),
            _judgements(finding),
            _pictures(each, context),
            folded("What was read", shown_facts(read)),
        ),
    )


def _attack(decided: FileVerdict | None) -> Html:
    if decided is None or decided.attack is None or decided.verdict is not Verdict.SPOOF:
        return NOTHING
    if not decided.attack.telling:
        return NOTHING
    return pill(decided.attack.name.replace("_", " "), tone="bad", outline=True)


def _judgements(finding: FileReport) -> Html:
    found = []
    if finding.fusion is not None:
        found.append(judgement(finding.fusion, name="The fusion of all signals"))
    if finding.selfie is not None:
        found.append(judgement(finding.selfie, name="The sum of the eight signals"))
    return joined(found)


def _pictures(each: Explained, context: PageContext) -> Html:
    networks = context.pack.pad_networks
    if each.image is not None:
        return joined(image_pictures(each.image, exif=each.exif, networks=networks))
    if each.video is not None:
        timed = each.finding.kind is FileKind.VIDEO
        return joined(video_pictures(each.video, networks=networks, timed=timed))
    return NOTHING

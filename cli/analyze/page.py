"""The page that explains the verdict: one self-contained HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cli.analyze.explained import ExplainedFile
from cli.analyze.finding import FileKind, FileReport, FileVerdict
from cli.analyze.page_image import image_pictures
from cli.analyze.page_parts import judgement, name_of, problem, row, shown_facts, tone_of, verdict_of
from cli.analyze.page_video import video_pictures
from cli.shown import printable, shown_name
from liveness import Verdict
from server.analysis.assessment import UNASSESSED
from server.pages import NOTHING, Html, card, folded, head, joined, page, pill, stylesheet, table
from vision.packs import Pack

__all__ = ["ExplanationPage", "PageContext"]

_NOTICE: Final = Html(
    '<section class="notice" aria-label="Content of this page">\n<p><strong>This page contains '
    "biometric data:</strong> images of faces and measurements of them. Only the owner of the file can read "
    "it. Protect it like the images, and delete it when you no longer need it.</p>\n"
    '<p class="small">{}</p>\n</section>'
)
_FOOTER: Final = Html("Made by <code>{}</code>. This page loads nothing, and nothing of it was sent.")


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
        self._findings.append(explained.finding)
        number = len(self._findings)
        self._cards.append(_card(explained, key=_key(number), number=number, context=self._context))

    def html(self, *, made: datetime) -> str:
        """Returns the page with the files so far, at least one.

        Args:
            made: Time of creation, with a time zone.
        """
        context = self._context
        headline = _headline(self._findings)
        return page(
            brand="analyze",
            title=headline,
            heading=f"{headline} ({UNASSESSED})",
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
    available = f"The pack's PAD networks: {networks}." if networks else "The pack has no PAD network."
    return (
        "The sum of the eight signals judges single images and is easy to explain. Alone it is weak, as the "
        "figures in docs/accuracy.md show, and it never decides a check. A check uses the fusion. "
        f"{available} A verdict on one file is evidence, not proof."
    )


def _overview(findings: Sequence[FileReport]) -> Html:
    if len(findings) < 2:
        return NOTHING
    rows = [row(finding, key=_key(number)) for number, finding in enumerate(findings, start=1)]
    heads = (head("File"), head("Verdict"), head("Confidence", number=True), head("Why"))
    return Html(
        '<section aria-labelledby="overview">\n<h2 id="overview">At a glance</h2>\n{}\n</section>'
    ).format(table(heads, rows, label="All files", kind="overview"))


def _card(each: ExplainedFile, *, key: str, number: int, context: PageContext) -> Html:
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
            _assessment(finding),
            _judgements(finding),
            _pictures(each, context),
            folded("Properties of the file", shown_facts(read)),
        ),
    )


def _assessment(finding: FileReport) -> Html:
    if not finding.assessment:
        return NOTHING
    return Html('<p class="assessment">{}</p>').format(printable(finding.assessment))


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


def _pictures(each: ExplainedFile, context: PageContext) -> Html:
    networks = context.pack.pad_networks
    if each.image is not None:
        return joined(image_pictures(each.image, exif=each.exif, networks=networks))
    if each.video is not None:
        timed = each.finding.kind is FileKind.VIDEO
        return joined(video_pictures(each.video, networks=networks, timed=timed))
    return NOTHING

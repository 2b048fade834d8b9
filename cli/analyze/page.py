"""The page that shows what decided: one HTML file that needs nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cli.analyze.explained import Explained
from cli.analyze.finding import Finding, Judgement, Kind
from cli.analyze.page_image import image_pictures
from cli.analyze.page_parts import TEMPLATES, facts, judgement, name_of, problem, row, tone_of, verdict_of
from cli.analyze.page_video import video_pictures
from cli.analyze.shown import shown_name
from cli.markup import Html, joined
from liveness.verdict import Verdict
from vision.packs import Pack

__all__ = ["PageContext", "render_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """What the page says besides the files.

    Attributes:
        pack: The pack that judged.
        policy: Name of the policy whose thresholds the fusion used.
        mode: ``"basic"`` or ``"full"``.
        version: Of Facegate.
        made: When, with a time zone.
    """

    pack: Pack
    policy: str
    mode: str
    version: str
    made: datetime


def render_page(explained: Sequence[Explained], context: PageContext) -> str:
    """The page as HTML.

    Args:
        explained: The files' answers, in order, at least one.
        context: Everything else.
    """
    findings = [each.finding for each in explained]
    keys = [f"file-{number}" for number in range(1, len(explained) + 1)]
    return TEMPLATES.fill(
        "page",
        headline=_headline(findings),
        style=TEMPLATES.style("page"),
        facts=facts(
            {
                "Facegate": context.version,
                "Pack": _pack(context.pack),
                "Policy of the fusion": context.policy,
                "Mode": context.mode,
                "Made": context.made.strftime("%Y-%m-%d %H:%M %Z"),
            }
        ),
        standing=_standing(context),
        overview=_overview(findings, keys),
        cards=[
            _card(each, key=key, number=number, context=context)
            for number, (each, key) in enumerate(zip(explained, keys, strict=True), start=1)
        ],
        command=f"facegate analyze --mode {context.mode} --explain …",
    )


def _headline(findings: Sequence[Finding]) -> str:
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


def _overview(findings: Sequence[Finding], keys: Sequence[str]) -> Html:
    if len(findings) < 2:
        return Html("")
    return TEMPLATES.fill(
        "overview", rows=[row(finding, key=key) for finding, key in zip(findings, keys, strict=True)]
    )


def _card(each: Explained, *, key: str, number: int, context: PageContext) -> Html:
    finding = each.finding
    decided = finding.deciding
    return TEMPLATES.fill(
        "card",
        key=key,
        count=str(number),
        name=name_of(finding),
        tone=tone_of(finding),
        verdict=verdict_of(finding),
        more=_attack(decided),
        problem=problem(finding),
        judgements=_judgements(finding),
        pictures=_pictures(each, context),
        facts=facts(
            {
                "File": ", ".join(shown_name(file) for file in finding.files),
                **finding.facts,
                "request_id": finding.request_id,
                **({"inference_id": finding.inference_id} if finding.inference_id else {}),
                "Took": f"{1000 * finding.seconds:.0f} ms",
            }
        ),
    )


def _attack(decided: Judgement | None) -> Html:
    if decided is None or decided.attack is None or decided.verdict is not Verdict.SPOOF:
        return Html("")
    if not decided.attack.telling:
        return Html("")
    return TEMPLATES.fill("pill", tone="bad", text=decided.attack.name.replace("_", " "))


def _judgements(finding: Finding) -> Html:
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
        timed = each.finding.kind is Kind.VIDEO
        return joined(video_pictures(each.video, networks=networks, timed=timed))
    return Html("")

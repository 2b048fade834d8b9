"""A report of presentation attack detection as one HTML file that needs nothing else and shows nobody."""

from collections.abc import Iterator, Mapping
from typing import Final

from cli.markup import Html, Templates
from cli.pad.rows import sheets
from cli.pad.words import VENDOR
from cli.report import chart_markup, fact_markup, page_style, sheet_markup
from evaluation.pad.report import PadReport

__all__ = ["render_page"]

_TEMPLATES: Final = Templates("cli.pad")
_CAPTIONS: Final = {
    "det": "DET curves: BPCER over APCER of all attacks with an instrument. A curve ends where the number of "
    "attacks shows no lower APCER; a rate of 0 is drawn at the lower edge.",
    "scores": "Scores of bona fide presentations and of each species, each of area 1.",
}


def render_page(report: PadReport, charts: Mapping[str, bytes]) -> str:
    """The page as HTML.

    Args:
        report: What was measured.
        charts: PNG files by name; what follows the first underscore of a name is the pack and the set.
    """
    return _TEMPLATES.fill(
        "page",
        packs=" and ".join(pack.name for pack in report.packs),
        style=page_style(),
        facts=tuple(_facts(report)),
        sheets=[sheet_markup(sheet) for sheet in sheets(report)],
        charts=[_chart(name, content) for name, content in charts.items()],
        resamples=f"{report.bootstrap.resamples:,}",
        confidence=f"{report.bootstrap.confidence:g}",
        vendor=VENDOR,
        command=report.command,
    )


def _facts(report: PadReport) -> Iterator[Html]:
    machine = report.machine
    facts = {
        "Made": report.made.strftime("%Y-%m-%d %H:%M %Z"),
        "Facegate": report.version,
        "Machine": f"{machine.cpu}, {machine.cores} cores",
        "Fusion's coefficients": f"version {report.fusion_model}",
    }
    for pack in report.packs:
        only = ", for evaluation only" if pack.evaluation_only else ""
        facts[pack.name] = f"{', '.join(pack.networks) or 'no PAD network'}; version {pack.version}{only}"
    for name, text in facts.items():
        yield fact_markup(name, text)


def _chart(name: str, content: bytes) -> Html:
    kind, _, of = name.partition("_")
    text = f"{_CAPTIONS[kind]} ({of.replace('_', ', ')})"
    return chart_markup(content, caption=text)

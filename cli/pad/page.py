"""A report of presentation attack detection as one HTML file that needs nothing else and shows nobody."""

from collections.abc import Iterator, Mapping
from typing import Final

from cli.markup import Html, Templates, data_uri
from cli.pad.rows import sheets
from cli.pad.words import VENDOR
from cli.sheets import Sheet
from evaluation.pad.report import PadReport

__all__ = ["render_page"]

_OWN: Final = Templates("cli.pad")
_PARTS: Final = Templates("cli.match")
"""Tables, charts and the style are those of the other evaluation."""

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
    return _OWN.fill(
        "page",
        packs=" and ".join(pack.name for pack in report.packs),
        style=_PARTS.style("page"),
        facts=tuple(_facts(report)),
        sheets=[_sheet(sheet) for sheet in sheets(report)],
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
        yield _PARTS.fill("fact", name=name, text=text)


def _sheet(sheet: Sheet) -> Html:
    return _PARTS.fill(
        "sheet",
        title=sheet.title,
        heads=[_PARTS.fill("head", text=column) for column in sheet.columns],
        rows=[
            _PARTS.fill("row", cells=[_PARTS.fill("cell", text=cell) for cell in row]) for row in sheet.rows
        ],
        notes=[_PARTS.fill("note", text=note) for note in sheet.notes],
    )


def _chart(name: str, content: bytes) -> Html:
    kind, _, of = name.partition("_")
    text = f"{_CAPTIONS[kind]} ({of.replace('_', ', ')})"
    return _PARTS.fill("chart", source=data_uri(content, media_type="image/png"), text=text)

"""A report of "same person?" as one HTML file that needs nothing else and shows nobody."""

from collections.abc import Iterator, Mapping
from typing import Final

from cli.markup import Html, Templates
from cli.match.rows import sheets
from cli.report import chart_markup, fact_markup, page_style, sheet_markup
from evaluation.match.report import MatchReport

__all__ = ["render_page"]

_TEMPLATES: Final = Templates("cli.match")
_CAPTIONS: Final = {
    "det": "DET curves: FNMR over FMR; the thin lines are the upper ends of the intervals of FNMR. A curve "
    "ends where the persons support no lower FMR. A rate of 0 is drawn at the lower edge.",
    "scores": "Scores of genuine and of impostor comparisons, each of area 1; dotted, the thresholds with "
    "the bound on FMR that each has.",
}


def render_page(report: MatchReport, charts: Mapping[str, bytes]) -> str:
    """The page as HTML.

    Args:
        report: What was measured.
        charts: PNG files by name; the part of a name after an underscore is a set.
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
        command=report.command,
    )


def _facts(report: MatchReport) -> Iterator[Html]:
    photos, machine = report.photos, report.machine
    facts = {
        "Photos": f"{photos.photos:,}",
        "Persons": f"{photos.identities:,}" + (" (worked out from the pairs)" if photos.guessed else ""),
        "Compared": "all with all" if photos.kind == "identities" else "the pairs of a list",
        "Left out": ", ".join(f"{count} {why}" for why, count in photos.left_out.items()) or "nothing",
        "Made": report.made.strftime("%Y-%m-%d %H:%M %Z"),
        "Facegate": report.version,
        "Machine": f"{machine.cpu}, {machine.cores} cores",
    }
    for pack in report.packs:
        only = ", for evaluation only" if pack.evaluation_only else ""
        facts[pack.name] = f"{pack.embedder}, version {pack.version}{only}"
    for name, text in facts.items():
        yield fact_markup(name, text)


def _chart(name: str, content: bytes) -> Html:
    kind, _, of_set = name.partition("_")
    text = _CAPTIONS[kind] + (f" Photos measured {of_set}." if of_set else "")
    return chart_markup(content, caption=text)

"""The content of a report on matching. It shows no person."""

from cli.match.sheets import sheets
from cli.match.words import broken_text
from cli.report import ReportDocument
from evaluation.match import MatchReport, PackReport
from server.pages import render

__all__ = ["describe"]


def describe(report: MatchReport) -> ReportDocument:
    """Return the report as words and tables."""
    photos, bootstrap = report.photos, report.bootstrap
    packs = tuple(pack.name for pack in report.packs)
    left_out = ", ".join(f"{count} {why}" for why, count in photos.left_out.items())
    notes = [
        f"{photos.photos} photos of {photos.identities} persons{'; omitted: ' * bool(left_out)}{left_out}.",
        f"Bounds on FMR are one-sided, intervals of FNMR two-sided, {bootstrap.confidence:g}, from "
        f"{bootstrap.resamples} draws of persons or Clopper-Pearson over effective comparisons, whichever "
        "is wider.",
    ]
    broken = [
        f"{pack.name}: the calibration's promise is broken in a group. {broken_text(pack)}"
        for pack in report.packs
        if pack.broken
    ]
    notes += broken
    if photos.guessed:
        notes.insert(1, "Identities were inferred from the pairs; give a manifest.csv to state them.")
    return ReportDocument(
        title="Same person?",
        packs=packs,
        lead=f"How often {' and '.join(packs)} matched two persons as one (FMR), and failed to match "
        + " ".join(["one person (FNMR), by ISO/IEC 19795-1.", *broken]),
        facts={
            "Photos": f"{photos.photos:,}",
            "Persons": f"{photos.identities:,}" + (" (inferred from the pairs)" if photos.guessed else ""),
            "Compared": "all with all" if photos.kind == "identities" else "the pairs of a list",
            "Omitted": left_out or "nothing",
            **{pack.name: _embedder(pack) for pack in report.packs},
        },
        sheets=tuple(sheets(report)),
        notes=tuple(notes),
        method=render(
            "match_method.html", resamples=f"{bootstrap.resamples:,}", confidence=f"{bootstrap.confidence:g}"
        ),
        command=report.command,
        made=report.made,
        version=report.version,
        machine=report.machine,
    )


def _embedder(pack: PackReport) -> str:
    only = ", for evaluation only" if pack.evaluation_only else ""
    return f"{pack.embedder}, version {pack.version}{only}"

"""The content of a report on presentation attack detection. It shows no person."""

from cli.pad.sheets import sheets
from cli.pad.words import VENDOR
from cli.report import ReportDocument
from evaluation.pad import PackReport, PadReport
from server.pages import render

__all__ = ["describe"]


def describe(report: PadReport) -> ReportDocument:
    """Return the report as words and tables."""
    bootstrap = report.bootstrap
    packs = tuple(pack.name for pack in report.packs)
    return ReportDocument(
        title="Presentation attacks",
        packs=packs,
        lead=f"How often {' and '.join(packs)} classified an attack as a person (APCER), and "
        "a person as an attack (BPCER), by ISO/IEC 30107-3.",
        facts={
            "Fusion's coefficients": f"version {report.fusion_model}",
            **{pack.name: _networks(pack) for pack in report.packs},
        },
        sheets=tuple(sheets(report)),
        notes=(
            f"Intervals: two-sided, {bootstrap.confidence:g}, {bootstrap.resamples} samples. Coefficients of "
            f"the fusion: version {report.fusion_model}.",
            VENDOR,
        ),
        method=render(
            "pad_method.html",
            resamples=f"{bootstrap.resamples:,}",
            confidence=f"{bootstrap.confidence:g}",
            vendor=VENDOR,
        ),
        command=report.command,
        made=report.made,
        version=report.version,
        machine=report.machine,
    )


def _networks(pack: PackReport) -> str:
    only = ", for evaluation only" if pack.evaluation_only else ""
    return f"{', '.join(pack.networks) or 'no PAD network'}; version {pack.version}{only}"

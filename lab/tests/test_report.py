import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from cli.errors import CommandError
from lab.evaluation import Chart, ReportDocument, Sheet, render_markdown
from lab.evaluation.bench import Machine
from lab.evaluation.pad.report import describe, sheets
from lab.report import render_page, report_view, require_writable, write_report
from lab.tests.evaluation.pad.samples import made_report
from tests.server.pages.reading import Page

_SHEET = Sheet(title="Rates", columns=("pack", "FMR"), rows=(("open", "0.1 %"),), notes=("few & small",))
DOCUMENT = ReportDocument(
    title="A <u> title",
    packs=("open", "embedded"),
    lead="What it answers.",
    facts={"Photos": "a <u>"},
    sheets=(_SHEET,),
    notes=("Only for who reads plain text.",),
    method=("match_method.html", {"resamples": "7,777", "confidence": "0.95"}),
    command="facegate evaluate <it>",
    made=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    version="0.1.0",
    machine=Machine(cpu="A & B", cores=2, system="Linux", python="3.11", load=None),
)


def test_everything_of_the_document_is_on_the_page_and_text_stays_text() -> None:
    page = Page(render_page(DOCUMENT, [Chart(name="det", png=b"\x89PNG", caption="a < b")]))
    assert page.open == []
    for text in (
        "A <u> title",
        "What it answers.",
        "a <u>",
        "Rates",
        "FMR",
        "0.1 %",
        "few & small",
        "7,777",
        "facegate evaluate <it>",
        "2026-01-02 03:04 UTC",
        "A & B, 2 cores",
        "a < b",
    ):
        assert text in page.text, text
    assert page.links == ["data:image/png;base64,iVBORw=="]
    assert not {"u", "script", "link", "iframe", "object", "form"} & set(page.tags)
    assert "default-src 'none'" in page.source
    assert "://" not in page.source


def test_without_charts_there_is_no_place_for_them() -> None:
    assert "Charts" not in Page(render_page(DOCUMENT, [])).text


def test_a_new_folder_can_be_written_to_and_a_file_is_none(tmp_path: Path) -> None:
    require_writable(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CommandError, match="is a file"):
        require_writable(tmp_path / "file" / "report")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_permissions_are_checked(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CommandError, match="permissions"):
        require_writable(tmp_path / "report")


def test_every_form_of_the_report_is_written(tmp_path: Path) -> None:
    out = tmp_path / "new" / "report"
    page = write_report(
        out,
        DOCUMENT,
        charts=[Chart(name="det", png=b"PNG", caption="c")],
        json="{}",
        more={"mistakes.jpg": b"JPEG"},
    )
    assert page == out / "report.html"
    assert {file.name for file in out.iterdir()} == {
        "det.png",
        "mistakes.jpg",
        "report.html",
        "report.json",
        "report.md",
    }
    assert (out / "report.json").read_bytes() == b"{}\n"
    assert "| open | 0.1 % |" in (out / "report.md").read_text(encoding="utf-8")


def test_every_table_is_there_and_names_are_no_markup() -> None:
    console = Console(width=100, record=True)
    with console.capture() as capture:
        console.print(report_view(describe(made_report())))
    assert "AUC 0.9988" in capture.get()
    text = render_markdown(describe(made_report()))
    for sheet in sheets(made_report()):
        assert f"## {sheet.title.partition(':')[0]}".replace("_", "\\_") in text
    assert "net\\<work\\>" in text
    assert "<work>" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith(" |") for line in rows)
    assert len(rows) == sum(len(sheet.rows) + 2 for sheet in sheets(made_report()))
    assert "$ facegate evaluate pad --dataset pad" in text
    assert "AUC 0.9988" in text

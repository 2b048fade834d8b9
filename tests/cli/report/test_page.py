from datetime import UTC, datetime

from cli.report import Chart, ReportDocument, Sheet, render_page
from evaluation.bench import Machine
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
    assert "u" not in page.tags


def test_without_charts_there_is_no_place_for_them() -> None:
    assert "Charts" not in Page(render_page(DOCUMENT, [])).text

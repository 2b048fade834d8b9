import re

from rich.console import Console

from cli.report import render_page, report_view
from evaluation import Chart, Sheet
from evaluation.pad.reporting import describe, draw_charts, sheets
from tests.evaluation.pad.samples import made_report
from tests.evaluation.samples import plain
from tests.server.pages.reading import Page


def found() -> dict[str, Sheet]:
    return {sheet.title.partition(":")[0]: sheet for sheet in sheets(made_report())}


def test_every_question_has_a_table() -> None:
    tables = found()
    assert list(tables) == [
        "Measured on",
        "Scorers",
        "BPCER at a fixed APCER, threshold set on the same files",
        "The same, each threshold set on other files",
        "Species",
        "Decided at the shipped thresholds",
        "AUC by source",
        "BPCER / APCER by source, %, at thresholds from other files",
        "Signals alone",
        "fusion less each other scorer",
    ]
    for sheet in tables.values():
        assert sheet.rows
        assert all(len(row) == len(sheet.columns) for row in sheet.rows)


def test_the_measured_data_are_described() -> None:
    sheet = found()["Measured on"]
    rows = {row[0]: row[1:] for row in sheet.rows}
    assert rows["bona fide"] == ("72", "-", "24", "6")
    assert rows["deepfake (injected)"][0] == "4"
    assert rows["3-D mask"][0] == "0, not evaluated"
    assert "Omitted as not usable: 2." in sheet.notes


def test_unsupported_figures_are_named_and_not_shown() -> None:
    sheet = found()["BPCER at a fixed APCER, threshold set on the same files"]
    assert {row[2] for row in sheet.rows if row[1] == "screen"} == {"5%", "10%"}
    assert "screen at 1%: 72 attacks allow no APCER below 4.2%, 300 are needed" in sheet.notes[1]
    assert "deepfake at 10%: 4 attacks allow no APCER below 75.0%, 30 are needed" in sheet.notes[1]


def test_non_responses_and_decisions() -> None:
    tables = found()
    assert "net<work>: 1 no face" in tables["Scorers"].notes[1]
    species = {(row[0], row[1]): row for row in tables["Species"].rows}
    assert species["net<work>", "bona fide"][4].startswith("1.4 [0.0, ")
    assert species["fusion", "bona fide"][4].startswith("0.0 [")
    decided = [row for row in tables["Decided at the shipped thresholds"].rows if row[1] == "bona fide"]
    (row,) = decided
    assert sum(map(int, row[2:])) == 72
    assert "Therefore: the fusion is better" in tables["fusion less each other scorer"].notes[1]


def test_the_terminal_shows_the_same_figures() -> None:
    console = Console(width=100, record=True)
    with console.capture() as capture:
        console.print(report_view(describe(made_report())))
    output = plain(capture.get())
    assert "To repeat: facegate evaluate pad --dataset pad" in output
    assert "AUC 0.9988" in output
    assert "not evaluated" in output


def test_the_page_is_one_file_and_shows_no_person() -> None:
    page = Page(render_page(describe(made_report()), [Chart(name="det", png=b"PNG", caption="a <b>")]))
    assert page.open == []
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert [link.partition(",")[0] for link in page.links] == ["data:image/png;base64"]
    assert "default-src 'none'" in page.source
    assert "://" not in page.source
    assert "net&lt;work&gt;" in page.source
    assert "<work>" not in page.source
    assert "for evaluation only" in page.text
    assert ".jpg" not in page.source
    assert not re.search(r"\{[a-z]+\}", page.source)


def test_a_chart_names_its_pack_and_files() -> None:
    charts = {chart.name: chart for chart in draw_charts(made_report())}
    assert list(charts) == ["det_open_pictures", "scores_open_pictures"]
    assert all("(open, pictures)" in chart.caption for chart in charts.values())
    assert all(chart.png.startswith(b"\x89PNG") for chart in charts.values())

import re
from html.parser import HTMLParser

from rich.console import Console

from cli.pad.page import render_page
from cli.pad.rows import sheets
from cli.pad.tables import report_view
from cli.sheets import Sheet
from tests.cli.match.samples import plain
from tests.evaluation.pad.reports import made_report


def found() -> dict[str, Sheet]:
    return {sheet.title.partition(":")[0]: sheet for sheet in sheets(made_report())}


def test_a_table_for_every_question() -> None:
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


def test_what_was_measured_on() -> None:
    sheet = found()["Measured on"]
    rows = {row[0]: row[1:] for row in sheet.rows}
    assert rows["bona fide"] == ("72", "-", "24", "6")
    assert rows["deepfake (injected)"][0] == "4"
    assert rows["3-D mask"][0] == "0, not evaluated"
    assert "Left out as not usable: 2." in sheet.notes


def test_what_the_counts_do_not_support_is_said_and_not_shown() -> None:
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


def test_the_terminal_says_it_too() -> None:
    console = Console(width=100, record=True)
    with console.capture() as capture:
        console.print(report_view(made_report()))
    told = plain(capture.get())
    assert "Again: facegate evaluate pad --dataset pad" in told
    assert "AUC 0.9988" in told
    assert "not evaluated" in told


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "action"}]


def test_the_page_needs_nothing_else_and_shows_nobody() -> None:
    page = render_page(made_report(), {"det_open_pictures": b"\x89PNG1", "scores_open_pictures": b"\x89PNG2"})
    parser = _Page()
    parser.feed(page)
    assert not {"script", "link", "iframe", "object", "form"} & set(parser.tags)
    assert [source.partition(",")[0] for source in parser.sources] == ["data:image/png;base64"] * 2
    assert "default-src 'none'" in page
    assert "://" not in page
    assert "net&lt;work&gt;" in page
    assert "<work>" not in page
    assert "(open, pictures)" in page
    assert "for evaluation only" in page
    assert ".jpg" not in page
    assert not re.search(r"\$[a-z]", page)

import re
from html.parser import HTMLParser

from cli.match.page import render_page
from tests.evaluation.match.reports import made_report


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "action"}]


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    page = render_page(made_report(apart=10), {"det": b"\x89PNG1", "scores_apart": b"\x89PNG2"})
    parser = _Page()
    parser.feed(page)
    assert not {"script", "link", "iframe", "object", "form"} & set(parser.tags)
    assert [source.partition(",")[0] for source in parser.sources] == ["data:image/png;base64"] * 2
    assert "default-src 'none'" in page
    assert "://" not in page
    assert "Photos measured apart." in page


def test_everything_is_said_and_text_stays_text() -> None:
    page = render_page(made_report(), {})
    assert (
        "not supported by these data (needs about 79 persons, all compared with all: 3,081 pairs of persons)"
        in page
    )
    assert "&lt;f&gt;" in page
    assert "<f>" not in page
    assert "(empty)" in page
    assert "for evaluation only" in page
    assert "3 without an identity" in page
    assert not re.search(r"\$[a-z]", page)


def test_nobody_is_shown() -> None:
    assert "p001" not in render_page(made_report(), {})

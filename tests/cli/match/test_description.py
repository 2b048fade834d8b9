import re

from cli.report import Chart, render_page
from evaluation.match.reporting import describe, draw_charts
from tests.evaluation.match.reports import made_report
from tests.server.pages.reading import Page


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    chart = Chart(name="det", png=b"PNG", caption="a <b>")
    page = Page(render_page(describe(made_report(apart=10)), [chart]))
    assert page.open == []
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert [link.partition(",")[0] for link in page.links] == ["data:image/png;base64"]
    assert "default-src 'none'" in page.source
    assert "://" not in page.source


def test_every_figure_is_described_and_text_is_escaped() -> None:
    page = render_page(describe(made_report()), [])
    assert (
        "not supported by these data (needs about 79 persons, all compared with all: 3,081 pairs of persons)"
        in page
    )
    assert "&lt;f&gt;" in page
    assert "<f>" not in page
    assert "(empty)" in page
    assert "for evaluation only" in page
    assert "3 without an identity" in page
    assert not re.search(r"\{[a-z]+\}", page)


def test_no_person_is_shown() -> None:
    assert "p001" not in render_page(describe(made_report()), [])


def test_a_chart_names_its_photos() -> None:
    charts = {chart.name: chart for chart in draw_charts(made_report(apart=10))}
    assert list(charts) == ["det", "scores", "det_apart", "scores_apart"]
    assert "Photos measured apart." in charts["scores_apart"].caption
    assert "Photos measured" not in charts["det"].caption
    assert charts["det"].png.startswith(b"\x89PNG")

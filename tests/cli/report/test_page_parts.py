from cli.report import chart_markup, fact_markup, page_style, sheet_markup
from cli.sheets import Sheet


def test_text_of_facts_is_escaped() -> None:
    assert "a &lt;b&gt;" in fact_markup("Machine", "a <b>")


def test_a_table_has_its_heads_cells_and_notes() -> None:
    markup = sheet_markup(
        Sheet(title="Rates", columns=("pack", "FMR"), rows=(("open", "0.1 %"),), notes=("few & small",))
    )
    assert [
        text for text in ("Rates", "pack", "FMR", "open", "0.1 %", "few &amp; small") if text in markup
    ] == [
        "Rates",
        "pack",
        "FMR",
        "open",
        "0.1 %",
        "few &amp; small",
    ]


def test_a_chart_is_part_of_the_page() -> None:
    markup = chart_markup(b"\x89PNG", caption="a < b")
    assert 'src="data:image/png;base64,iVBORw==' in markup
    assert "a &lt; b" in markup


def test_the_style_is_of_both_colour_schemes() -> None:
    assert "prefers-color-scheme: dark" in page_style() or "light-dark(" in page_style()

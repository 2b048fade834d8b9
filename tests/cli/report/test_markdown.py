from cli.report import render_markdown
from evaluation.pad.reporting import describe, sheets
from tests.evaluation.pad.samples import made_report


def test_every_table_is_there_and_names_are_no_markup() -> None:
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

from pathlib import Path

import pytest

from research.dynamic.rows import DynamicEvaluationError, append_rows, mend_rows, read_rows
from tests.research.dynamic.builders import row


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    written = [row(), row(name="other", lag=None, hints=["TOO_BRIGHT"])]
    for one in written:
        append_rows(path, [one])
    assert read_rows(path) == written


def test_no_file_holds_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "none.jsonl") == []


def test_a_line_that_a_killed_run_did_not_finish_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    append_rows(path, [row()])
    whole = path.read_text()
    path.write_text(whole + whole[: len(whole) // 2])
    assert read_rows(path) == [row()]
    mend_rows(path)
    append_rows(path, [row(name="next")])
    assert read_rows(path) == [row(), row(name="next")]


def test_intact_rows_are_not_repaired(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    mend_rows(path)
    assert not path.exists()
    append_rows(path, [row()])
    mend_rows(path)
    assert read_rows(path) == [row()]


@pytest.mark.parametrize("line", ["{broken\n", "[]\n", '{"name": "x"}\n'])
def test_another_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    append_rows(path, [row()])
    with path.open("a") as stream:
        stream.write(line)
    with pytest.raises(DynamicEvaluationError, match="line 2"):
        read_rows(path)

from pathlib import Path

import pytest

from research.dynamic import measure
from research.dynamic.__main__ import main
from research.dynamic.measure import code_hash
from research.dynamic.people import read_split
from research.dynamic.rows import Draws, Rate, Row, append_rows
from research.dynamic.tables import all_tables, check_table, write_report
from tests.research.dynamic.builders import row

_DRAWS = Draws(resamples=100, seed=1)


def _rows() -> list[Row]:
    people = [f"person {number}" for number in range(12)]
    return [
        *(row(person=person, name=f"i{person}") for person in people),
        *(
            row(
                person=person,
                name=f"s{person}",
                ambient="sun",
                flash="INCONCLUSIVE",
                combined="INCONCLUSIVE",
                finding="NOT_MEASURABLE",
                reason="TOO_BRIGHT_TO_MEASURE",
                bits=0.0,
                end="LIGHT",
                hints=["TOO_BRIGHT"],
            )
            for person in people
        ),
        *(
            row(
                person=person,
                name=f"p{person}",
                group="attack",
                kind="print",
                camera="noisy",
                flash="SUCCESS" if person == "person 3" else "SPOOF",
            )
            for person in people
        ),
        row(group="relighting", kind="injected-relighting", latency=0.05, quality="own head"),
        row(group="relighting", kind="injected-relighting", latency=0.8, quality="crude", lying=True),
    ]


def test_tables_count_every_scan_once() -> None:
    tables = {table.title: table for table in all_tables(_rows(), split=read_split(), draws=_DRAWS)}
    assert [line[:2] for line in tables["Genuine, by ambient light"].rows] == [("indoor", 12), ("sun", 12)]
    assert [line[:2] for line in tables["Attackers, dark to office"].rows] == [("print", 12)]
    apart = tables["Attackers, cameras not used for calibration apart"]
    assert [line[:2] for line in apart.rows] == [("not calibrated with", 12)]
    true, lying = (table for title, table in tables.items() if title.startswith("Relighting"))
    assert true.rows == (("0.05 s", "", "", "", "1 / 0 / 0"),)
    assert lying.rows == (("0.8 s", "1 / 0 / 0", "", "", ""),)


def test_the_report_states_simulation_first_and_has_the_counts(tmp_path: Path) -> None:
    text = write_report(_rows(), tmp_path / "report", resamples=100, seed=1)
    assert "SIMULATION" in text.splitlines()[0]
    assert (tmp_path / "report" / "report.txt").read_text() == text + "\n"
    (line,) = (line for line in text.splitlines() if line.startswith("indoor"))
    assert "0 of 12, 0.0 % [0.0, 25.0]" in line


def test_checks_of_several_attempts_have_a_table_and_count_once_elsewhere() -> None:
    people = [f"person {number}" for number in range(12)]
    failed = {"flash": "INCONCLUSIVE", "combined": "INCONCLUSIVE"}
    rows = [row(person=person, name=person) for person in people[:9]]
    for person in people[9:]:
        rows.append(row(person=person, name=person, **failed))
        rows.append(row(person=person, name=f"{person}/attempt 2", attempt=2))
    table = check_table(rows, _DRAWS)
    assert table is not None
    (line,) = table.rows
    rates = [cell for cell in line if isinstance(cell, Rate)]
    assert [(rate.hits, rate.scans) for rate in rates] == [(9, 12), (12, 12), (0, 12)]
    assert line[-1] == 1.25
    assert check_table(rows[:9], _DRAWS) is None


def test_a_file_without_rows_makes_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--rows", str(tmp_path / "none.jsonl"), "--out", str(tmp_path)]) == 2
    assert "holds no rows" in capsys.readouterr().err


@pytest.mark.parametrize(("code", "wrong"), [("f" * 12, "other code"), (code_hash(), "other conditions")])
def test_rows_of_another_measurement_are_not_added_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, wrong: str
) -> None:
    rows = tmp_path / "rows.jsonl"
    append_rows(rows, [row(code=code)])
    assert main(["scan", "--assets", str(tmp_path), "--rows", str(rows), "--slice", "small"]) == 2
    assert wrong in capsys.readouterr().err


@pytest.mark.parametrize("package", ["research.dynamic", "formats", "liveness", "simulator", "vision"])
def test_the_code_of_rows_is_all_that_decides_them(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = code_hash()
    monkeypatch.setattr(measure, "_MEASURED", tuple(name for name in measure._MEASURED if name != package))
    assert code_hash() != whole

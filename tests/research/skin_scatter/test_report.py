from pathlib import Path

import numpy as np
import pytest

from research.dynamic.errors import DynamicEvaluationError
from research.skin_scatter.cases import AMBIENTS, STAGES, Case, Row, cases_of, read_rows, write_rows
from research.skin_scatter.materials import Kind
from research.skin_scatter.report import Regression, judged, tables
from research.skin_scatter.statistics import NAMES, Measured

PEOPLE = ("a", "b", "c", "d")


def rows_with(*, apart: float) -> list[Row]:
    rng = np.random.default_rng(9)
    rows = []
    for case in cases_of(PEOPLE, ambients=AMBIENTS, turns=2):
        for kind in Kind:
            skin = kind in (Kind.SKIN, Kind.SILICONE)
            for stage in STAGES:
                values = rng.normal(apart if skin else 0.0, 1.0, len(NAMES))
                found = Measured(tuple(values.tolist()), (0.02,) * 3, (0.01,) * 3, (0.0,) * 3, (0.4, -0.3))
                rows.append(Row(case, str(kind), stage, found))
    return rows


def test_each_person_is_lit_by_all_models_in_every_light() -> None:
    cases = cases_of(PEOPLE, ambients=AMBIENTS, turns=2)
    assert len(set(cases)) == len(cases) == len(PEOPLE) * 2 * len(AMBIENTS) * 2
    assert len({case.name for case in cases}) == len(cases)


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    path, rows = tmp_path / "rows.jsonl", rows_with(apart=0.0)[:7]
    assert read_rows(path) == []
    write_rows(path, rows[:3])
    write_rows(path, rows[3:])
    assert read_rows(path) == rows


def test_another_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"case": {}}\n', encoding="utf-8")
    with pytest.raises(DynamicEvaluationError):
        read_rows(path)


def test_a_regression_tells_what_differs() -> None:
    rng = np.random.default_rng(1)
    skin = np.arange(200) < 50
    values = rng.standard_normal((200, 3))
    values[skin, 1] += 3.0
    odds = Regression(values, skin)(values)
    assert (odds[skin] > 0).mean() > 0.85
    assert (odds[~skin] < 0).mean() > 0.85


def test_nobody_is_judged_by_what_was_fitted_on_the_same_person_or_other_models() -> None:
    rows = [row for row in rows_with(apart=2.0) if row.stage == "raw"]
    told = {(one.row.case, one.row.kind): one.odds for one in judged(rows, "held-out")}
    assert {case.models for case, _ in told} == {"held-out"}
    ours = {Case("a", "held-out", "dark", 0), Case("c", "held-out", "dark", 0)}
    changed = [
        Row(row.case, row.kind, row.stage, Measured((9.0,) * len(NAMES), (), (), (), (0.0, 0.0)))
        if row.case.person in ("a", "c") and row.case not in ours
        else row
        for row in rows
    ]
    again = {(one.row.case, one.row.kind): one.odds for one in judged(changed, "held-out")}
    assert all(again[key] == odds for key, odds in told.items() if key[0] in ours)


def test_tables_state_how_well_skin_is_told_in_the_lights_that_were_measured() -> None:
    lines = tables([row for row in rows_with(apart=3.0) if row.case.ambient == "dark"])
    heads = [number for number, line in enumerate(lines) if line.startswith("held-out models")]
    assert len(heads) == len(STAGES)
    assert lines[heads[0] + 1].startswith("dark")
    assert lines[heads[0] + 2].startswith("all")
    assert f"{Kind.PAPER} 1.00" in lines[heads[0] + 1]
    silicone = float(lines[heads[0] + 1].split(f"{Kind.SILICONE} ")[1].split()[0])
    assert 0.2 < silicone < 0.8


def test_one_person_cannot_be_judged() -> None:
    with pytest.raises(DynamicEvaluationError):
        tables([row for row in rows_with(apart=0.0) if row.case.person == "a"])

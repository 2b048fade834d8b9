import json

from research.movement import Row, report


def _row(finding: str, *, approacher: str = "GENUINE", person: str = "a", attempt: int = 0) -> Row:
    return Row(
        approacher=approacher,
        person=person,
        geometry="relief",
        attempt=attempt,
        finding=finding,
        ovals_filled=2,
        seconds=4.5,
        seen=None,
    )


def test_people_are_counted_once_and_attempts_all() -> None:
    rows = [
        _row("NOT_MEASURABLE", person="a"),
        _row("RIGHT", person="a", attempt=1),
        _row("RIGHT", person="b"),
        _row("ABSENT", person="c"),
        _row("WRONG", approacher="PRINT", person="a"),
    ]
    lines = report(rows).splitlines()
    assert lines[2].startswith("| genuine person | relief | 4: 2 / 0 / 1 / 1 | 2 of 3 [9, 99 %] |")
    assert lines[3].startswith("| print | relief | 1: 0 / 1 / 0 / 0 | 0 of 1 [0, 98 %] |")
    assert len(lines) == 4


def test_a_row_is_a_line_of_json() -> None:
    assert json.loads(json.dumps(_row("RIGHT").as_record()))["finding"] == "RIGHT"

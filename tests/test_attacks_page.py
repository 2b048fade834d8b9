"""docs/attacks.md names existing tests, and a command that runs every one of them."""

import re
from functools import cache
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[1]
_PAGE = _REPOSITORY / "docs" / "attacks.md"
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_FUNCTION = re.compile(r"^\s*(?:async )?def (\w+)", re.MULTILINE)
_ROW = re.compile(r"^\| (?!Attack|---).*\|$", re.MULTILINE)


@cache
def _functions(path: Path) -> frozenset[str]:
    return frozenset(_FUNCTION.findall(path.read_text()))


def test_every_row_names_how_it_is_repeated() -> None:
    rows = _ROW.findall(_PAGE.read_text())
    assert len(rows) > 30
    assert [row for row in rows if row.count(" | ") != 2] == []
    assert [row for row in rows if not _TEST.search(row) and "`make demo`" not in row] == []


def test_one_command_runs_every_row() -> None:
    page = _PAGE.read_text()
    # The empty expression replaces the one of addopts, so no test is deselected and no row needs a mark.
    assert '`.venv/bin/python -m pytest -m "" <test>`' in page
    assert "slow*" not in page


def test_the_tests_that_it_names_exist() -> None:
    named = _TEST.findall(_PAGE.read_text())
    for path, function in named:
        assert (_REPOSITORY / path).is_file(), path
        assert not function or function in _functions(_REPOSITORY / path), (path, function)

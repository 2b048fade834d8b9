"""docs/attacks.md names existing tests."""

import ast
import re
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[1]
_PAGE = _REPOSITORY / "docs" / "attacks.md"
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_ROW = re.compile(r"^\| (?!Attack|---).*\|$", re.MULTILINE)


def _functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_row_names_how_it_is_repeated() -> None:
    rows = _ROW.findall(_PAGE.read_text())
    assert len(rows) > 30
    assert [row for row in rows if row.count(" | ") != 2] == []
    assert [row for row in rows if not _TEST.search(row) and "`make demo`" not in row] == []


def test_the_tests_that_it_names_exist() -> None:
    named = _TEST.findall(_PAGE.read_text())
    for path, function in named:
        assert (_REPOSITORY / path).is_file(), path
        assert not function or function in _functions(_REPOSITORY / path), (path, function)

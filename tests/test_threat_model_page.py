"""docs/threat_model.md names existing tests, and a command that runs every one of them."""

import re
from functools import cache
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[1]
_PAGE = _REPOSITORY / "docs" / "threat_model.md"
_TEST = re.compile(r"`(?:(tests/[\w/]+\.py)(?:::)?)?(test_\w+)?`")
_FUNCTION = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)
_ROW = re.compile(r"^\| (?!Attack|---).*\|$", re.MULTILINE)


@cache
def _functions(path: Path) -> frozenset[str]:
    return frozenset(_FUNCTION.findall(path.read_text()))


def _attacks() -> str:
    """The page below its list of attacks' heading."""
    return _PAGE.read_text().partition("\n## Attacks that were tried\n")[2]


def test_every_row_names_how_it_is_repeated() -> None:
    rows = _ROW.findall(_attacks())
    assert len(rows) > 150
    assert [row for row in rows if row.count(" | ") != 2] == []
    assert [row for row in rows if not _named(row) and "`make demo`" not in row] == []


def test_one_command_runs_every_row() -> None:
    # The empty expression replaces the one of addopts, so no test is deselected and no row needs a mark.
    assert '`.venv/bin/python -m pytest -m "" $(grep -rl "def <test>" tests) -k <test>`' in _attacks()
    assert "slow*" not in _attacks()


def test_the_tests_that_it_names_exist() -> None:
    everywhere = [name for path in (_REPOSITORY / "tests").rglob("test_*.py") for name in _functions(path)]
    for path, function in _named(_attacks()):
        if path:
            assert (_REPOSITORY / path).is_file(), path
            assert not function or function in _functions(_REPOSITORY / path), (path, function)
        else:
            # A name alone is that of one file's test only, so that `-k` runs what the row means.
            assert everywhere.count(function) == 1, function


def _named(text: str) -> list[tuple[str, str]]:
    """Path and function of each test that a text names; one of both may be empty."""
    return [(path, function) for path, function in _TEST.findall(text) if path or function]

"""``docs/evidence.md`` has every datum."""

import re
from pathlib import Path

from server.storage.tables import metadata

_PAGE = Path(__file__).parents[1] / "docs" / "evidence.md"


def _rows(heading: str) -> list[list[str]]:
    section = _PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_table_of_the_database_is_in_the_table_of_data() -> None:
    named = set(re.findall(r"`([a-z_]+)`", " ".join(cell for row in _rows("Personal data") for cell in row)))
    assert set(metadata.tables) - named == set()

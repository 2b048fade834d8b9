"""The published results of OFIQ, the reference implementation of ISO/IEC 29794-5."""

import csv
from pathlib import Path

FILE = "BSI-OFIQ__data__tests__expected_results__expected_results.csv"


def expected_scores(assets: Path, component: str) -> list[tuple[float, int]]:
    """Native measure and score of OFIQ's own test images; ``component`` as OFIQ writes it."""
    with (assets / "data" / "iso" / FILE).open(newline="") as table:
        rows = list(csv.DictReader(table, delimiter=";"))
    found = [(float(row[component]), int(row[f"{component}.scalar"])) for row in rows]
    assert len(found) == 28
    return found

"""Species and small sources separately: the counts and the tables."""

import io
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from research.pad_network.breakdown import Judgement, break_down
from research.pad_network.material import LARGEST_SOURCE
from research.pad_network.tables import parts_table, standings_table
from tests.research.pad_network.builders import region

PICTURES = (
    *[(LARGEST_SOURCE, "live")] * 6,
    *[(LARGEST_SOURCE, "print")] * 4,
    *[(LARGEST_SOURCE, "screen")] * 2,
    *[("a/tutorial", "live")] * 3,
    *[("a/tutorial", "screen")] * 5,
    *[("b/selfies", "live")] * 2,
)
SCREENS = np.array([species == "screen" for _, species in PICTURES])
LIVE = np.array([species == "live" for _, species in PICTURES])


@pytest.fixture(scope="module")
def judgement() -> Judgement:
    ours: NDArray[np.float64] = LIVE + np.linspace(0, 0.1, len(PICTURES))
    # It scores every screen above the persons.
    ours[SCREENS] = 2.0
    return break_down(
        "some pictures",
        regions=[
            region(str(at), source=source, species=species) for at, (source, species) in enumerate(PICTURES)
        ],
        persons=[at // 2 for at in range(len(PICTURES))],
        scores={"ours": ours, "teacher": LIVE.astype(np.float64)},
        draws=50,
    )


def test_species_and_sources_are_counted_with_the_genuine_pictures_beside_them(judgement: Judgement) -> None:
    assert [(part.title, part.live, part.attacks, part.persons) for part in judgement.parts] == [
        ("all: prints", 11, 4, 8),
        ("all: screens", 11, 7, 9),
        ("the large source: prints", 6, 4, 5),
        ("the large source: screens", 6, 2, 4),
        ("the small sources: screens", 5, 5, 5),
        ("a/tutorial", 3, 5, 4),
        ("b/selfies", 2, 0, 1),
    ]
    assert [(one.title, one.live, one.attacks) for one in judgement.overall] == [
        ("some pictures: all", 11, 11),
        ("some pictures: the large source", 6, 6),
        ("some pictures: the small sources", 5, 5),
    ]


def test_a_network_that_fails_at_one_species_is_seen_there_and_nowhere_else(judgement: Judgement) -> None:
    areas = {part.title: [standing.area for standing in part.standings] for part in judgement.parts}
    assert [area.value for area in areas["the large source: prints"]] == [1.0, 1.0]
    assert [area.value for area in areas["the large source: screens"]] == [0.0, 1.0]
    assert [area.value for area in areas["a/tutorial"]] == [0.0, 1.0]
    assert (areas["a/tutorial"][0].low, areas["a/tutorial"][0].high) == (0.0, 0.0)
    # Selfies alone give no figure for attacks.
    assert math.isnan(areas["b/selfies"][0].value)


def test_the_tables_contain_the_breakdown(judgement: Judgement) -> None:
    output = io.StringIO()
    console = Console(file=output, width=180)
    console.print(parts_table(judgement))
    console.print(standings_table(judgement.overall[1]))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.getvalue().splitlines()]
    lines = {cells[0]: cells[1:] for cells in rows if len(cells) == 4}
    assert lines["the large source: screens"] == [
        "6, 2, 4",
        "0.000 [0.000 to 0.000]",
        "1.000 [1.000 to 1.000]",
    ]
    assert lines["b/selfies"] == ["2, 0, 1", "", ""]
    assert "some pictures: AUC by species and by small source" in output.getvalue()
    assert "6 bona fide, 6 attack pictures" in output.getvalue()


def test_nothing_gives_no_parts() -> None:
    nothing = break_down("none", regions=[], persons=[], scores={"ours": np.zeros(0)})
    assert (nothing.overall, nothing.parts) == ((), ())
    assert parts_table(nothing).row_count == 0

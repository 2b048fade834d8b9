import numpy as np
import pytest

from research.liveness_fusion.attack_types import named_rightly
from research.liveness_fusion.rows import Kind, Row


def _rows(source: str, species: str, gamut: float, count: int = 30) -> list[Row]:
    rng = np.random.default_rng(len(source + species))
    return [
        Row(
            Kind.PICTURE,
            f"{source}{number}",
            source,
            species,
            False,
            {"colour_gamut": float(np.clip(rng.normal(gamut, 0.05), 0.02, 0.98))},
            {},
        )
        for number in range(count)
    ]


def test_what_tells_two_species_apart_in_one_source_need_not_hold_in_another() -> None:
    rows = _rows("a", "print:A4", 0.3) + _rows("a", "screen", 0.7) + _rows("b", "screen?", 0.3)
    found = named_rightly(rows)
    assert found["prints, fitted"][0] >= 28
    assert found["screens, fitted"][0] >= 28
    assert found["screens, other sources"][0] <= 2
    assert found["screens, other sources"][1] == 30


def test_sources_of_one_species_alone_tell_nothing() -> None:
    with pytest.raises(ValueError, match="both"):
        named_rightly(_rows("a", "print", 0.3) + _rows("b", "screen", 0.7))

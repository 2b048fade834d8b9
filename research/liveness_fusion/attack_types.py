"""Can prints be told from screens by single-frame cues?

::

    python -m research.liveness_fusion.attack_types ROWS

Fits the cues of attack pictures, both signs allowed, to print against screen within the sources that hold
both, and asks how many pictures of those and of the other sources are named rightly. The answer is why the
fusion names neither: what tells the two apart in one source names half of the other sources' screens prints.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liveness.express.frame_cues import FRAME_CUES
from liveness.express.scoring import log_odds
from research.liveness_fusion.logistic import balanced_shares, fit_logistic
from research.liveness_fusion.rows import Kind, Row, RowsUnusable, read_rows

__all__ = ["main", "named_rightly"]

_PRIOR = (0.0, 0.2, 0.05)
_PRINT, _SCREEN = "print", "screen"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, or 2 with one line on stderr when there is nothing to tell."""
    parser = argparse.ArgumentParser(prog="python -m research.liveness_fusion.attack_types")
    parser.add_argument("rows", type=Path, nargs="+", help="files of research.liveness_fusion.measure")
    options = parser.parse_args(arguments)
    try:
        found = named_rightly([row for path in options.rows for row in read_rows(path)])
    except (RowsUnusable, OSError, ValueError) as error:
        sys.stderr.write(f"could not tell: {error}\n")
        return 2
    for place, (right, count) in found.items():
        sys.stdout.write(f"{place}: {right} of {count} named rightly\n")
    return 0


def named_rightly(rows: Sequence[Row]) -> dict[str, tuple[int, int]]:
    """How many attack pictures are named rightly, and of how many, by species and where the fit knew them.

    Raises:
        ValueError: No source holds both prints and screens.
    """
    attacks = [row for row in rows if row.kind is Kind.PICTURE and not row.live and _species(row)]
    kinds = {
        source: {_species(row) for row in attacks if row.source == source} for source in _sources(attacks)
    }
    fitted = [row for row in attacks if len(kinds[row.source]) == 2]
    if not fitted:
        raise ValueError("no source holds both prints and screens")
    prints = [_species(row) == _PRINT for row in fitted]
    # Weights are held at 0 or above, so each cue stands once for either side.
    values = _values(fitted)
    weights, bias = fit_logistic(
        np.hstack([values, -values]),
        np.array(prints, np.float64),
        balanced_shares(prints, [row.source for row in fitted]),
        prior=_PRIOR,
    )
    found: dict[str, tuple[int, int]] = {}
    for place, chosen in (
        ("fitted", fitted),
        ("other sources", [row for row in attacks if row not in fitted]),
    ):
        for species in (_PRINT, _SCREEN):
            mine = [row for row in chosen if _species(row) == species]
            if mine:
                shown = _values(mine)
                odds = np.hstack([shown, -shown]) @ weights + bias
                found[f"{species}s, {place}"] = (int(((odds > 0) == (species == _PRINT)).sum()), len(mine))
    return found


def _sources(rows: Sequence[Row]) -> set[str]:
    return {row.source for row in rows}


def _species(row: Row) -> str | None:
    return next((species for species in (_PRINT, _SCREEN) if row.species.startswith(species)), None)


def _values(rows: Sequence[Row]) -> NDArray[np.float64]:
    return np.array(
        [[log_odds(row.scores[name]) if name in row.scores else 0.0 for name in FRAME_CUES] for row in rows]
    )


if __name__ == "__main__":
    sys.exit(main())

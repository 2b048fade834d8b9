"""Which templates are compared: every variant is one change of what dlib does by itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from research.embedded_study.centring import Change, changed_cosines
from research.embedded_study.scores import Pairs
from research.embedded_study.views import Alignment, View, drawn_moves
from vision.packs.dlib_chips import MOVES

__all__ = ["PLAIN", "SHIPPED", "VIEWS", "Templates", "mean_of", "scores_of"]

PLAIN: Final = "one chip, as dlib does"
SHIPPED: Final = "4 moves and their mirrors (the pack)"
_DRAWN: Final = 16

_ALIGNMENTS: Final = {alignment.value: View(alignment=alignment) for alignment in Alignment}
_PADDINGS: Final = {f"padding {padding:g}": View(padding=padding) for padding in (0.2, 0.3, 0.35)}
_SIDES: Final = {f"cut at {side} pixels": View(side=side) for side in (100, 300)}
_OWN: Final = {
    f"move {index}{' mirrored' * mirrored}": View(move=move, mirrored=mirrored)
    for index, move in enumerate(MOVES)
    for mirrored in (False, True)
}
_RANDOM: Final = {
    f"drawn {index}": View(move=move, mirrored=index % 2 == 1)
    for index, move in enumerate(drawn_moves(_DRAWN))
}

VIEWS: Final[Mapping[str, View]] = {
    PLAIN: View(),
    "mirrored": View(mirrored=True),
    **{name: view for name, view in _ALIGNMENTS.items() if view != View()},
    **_PADDINGS,
    **_SIDES,
    **_OWN,
    **_RANDOM,
}
"""Every view that is embedded."""


def mean_of() -> dict[str, tuple[str, ...]]:
    """By variant, the views whose templates are averaged."""
    single = {name: (name,) for name in (PLAIN, *_ALIGNMENTS, *_PADDINGS, *_SIDES) if name in VIEWS}
    drawn = tuple(_RANDOM)
    return single | {
        "mirror added": (PLAIN, "mirrored"),
        "2 moves, 2 other mirrored": ("move 0", "move 1", "move 2 mirrored", "move 3 mirrored"),
        SHIPPED: tuple(_OWN),
        **{f"{count} drawn moves, half mirrored": drawn[:count] for count in (4, 8, _DRAWN)},
    }


@dataclass(frozen=True, slots=True)
class Templates:
    """What the network gave.

    Attributes:
        portraits: By view, shape (t, 128), of the photos as they are.
        probes: By view, shape (t, 128), of the same photos as a scan sees them.
        identities: Shape (t,).
        worn: True where the probes were made worse; portrait and probe of a pair are then of two photos.
    """

    portraits: Mapping[str, NDArray[np.float64]]
    probes: Mapping[str, NDArray[np.float64]]
    identities: NDArray[np.str_]
    worn: bool


def scores_of(templates: Templates, pairs: Pairs) -> dict[str, Callable[[], NDArray[np.float64]]]:
    """By variant, what gives the score of every pair."""
    plain_portraits, plain_probes = templates.portraits[PLAIN], templates.probes[PLAIN]

    def averaged(portrait: tuple[str, ...], probe: tuple[str, ...]) -> Callable[[], NDArray[np.float64]]:
        return lambda: _cosines(_mean(templates.portraits, portrait), _mean(templates.probes, probe), pairs)

    found = {name: averaged(views, views) for name, views in mean_of().items()}
    found["the pack's portrait, plain frames"] = averaged(mean_of()[SHIPPED], (PLAIN,))
    found["distance instead of cosine"] = lambda: (
        -np.linalg.norm(plain_portraits[pairs.rows] - plain_probes[pairs.columns], axis=1)
    )
    if not templates.worn:
        for change in Change:
            found[change.value] = _changed(plain_portraits, templates.identities, pairs, change)
    return found


def _changed(
    vectors: NDArray[np.float64], identities: NDArray[np.str_], pairs: Pairs, change: Change
) -> Callable[[], NDArray[np.float64]]:
    return lambda: changed_cosines(vectors, identities, pairs, change, seed=5)


def _mean(vectors: Mapping[str, NDArray[np.float64]], names: tuple[str, ...]) -> NDArray[np.float64]:
    total = np.sum([vectors[name] for name in names], axis=0)
    unit: NDArray[np.float64] = total / np.linalg.norm(total, axis=1, keepdims=True)
    return unit


def _cosines(
    portraits: NDArray[np.float64], probes: NDArray[np.float64], pairs: Pairs
) -> NDArray[np.float64]:
    products: NDArray[np.float64] = np.einsum("ij,ij->i", portraits[pairs.rows], probes[pairs.columns])
    return products

import math
from dataclasses import replace

import pytest

from liveness.fusion_model import (
    FusionModel,
    NetworkCalibration,
    NetworkCalibrations,
    Trace,
    Traces,
    load_fusion_model,
)
from research.liveness_fusion.left_out import count_pushes, placed_without
from research.liveness_fusion.parts import PUBLIC, Limits
from research.liveness_fusion.rows import Row, RowKind

_EVEN = NetworkCalibrations(known={}, unknown=NetworkCalibration(bias=0.0, weight=1.0))
"""Every set of networks counts as the mean of its log odds."""
_SEEN, _UNSEEN = 0.1, 0.9
_CUES = {"colour_gamut": 0.5, "blur_depth": 0.5}


def _model() -> FusionModel:
    shipped = load_fusion_model()
    return replace(
        shipped,
        traces=Traces(2.0, {"moire": Trace(begins=-1.0, full=-2.0, strength=2.0)}),
        still_networks=_EVEN,
    )


def _row(name: str, moire: float | None, one: float, *others: float) -> Row:
    scores = _CUES if moire is None else {"moire": moire, **_CUES}
    networks = dict(zip(PUBLIC, (one, *others), strict=False))
    return Row(RowKind.PICTURE, name, f"Silent-Face-Anti-Spoofing/{name}", "", True, scores, networks)


def test_rows_are_counted_once_whatever_the_number_of_networks() -> None:
    rows = [
        _row("not looked for", None, 0.9),
        _row("not seen", _UNSEEN, 0.9),
        _row("doubted", _SEEN, 0.8, 0.8),
        _row("fallen from LIVE", _SEEN, 0.75),
        _row("of two networks one is moved", _SEEN, 0.5, 0.99),
        _row("spoof anyway", _SEEN, 0.1),
        _row("live anyway", _SEEN, 0.97),
    ]
    found = count_pushes(rows, "moire", model_for=lambda _: _model())
    assert found is not None
    assert (found.seen.hits, found.seen.trials) == (5, 6)
    # Two log odds: 0.8 becomes 0.35, 0.75 becomes 0.29, 0.5 becomes 0.12. The two networks of 0.5 and 0.99
    # together have 0.91, which becomes 0.57.
    assert (found.from_live.hits, found.from_live.trials) == (3, 6)
    assert (found.into_spoof.hits, found.into_spoof.trials) == (2, 6)
    assert found.from_live.upper > found.from_live.rate


def test_networks_of_a_row_are_judged_alone_and_together() -> None:
    # Alone, each has the same verdict with the trace and without it.
    apart = _row("apart", _SEEN, 0.05, 0.998)
    alone = [replace(apart, networks={name: real}) for name, real in apart.networks.items()]
    for row in alone:
        found = count_pushes([row], "moire", model_for=lambda _: _model())
        assert found is not None
        assert found.from_live.hits == 0
    together = count_pushes([apart], "moire", model_for=lambda _: _model())
    assert together is not None
    assert (together.from_live.hits, together.from_live.trials) == (1, 1)


def test_a_scan_is_also_judged_without_a_network() -> None:
    model = replace(_model(), scan_networks=load_fusion_model().scan_networks)
    moving = {"planar_motion": 0.9, "moire": _SEEN}
    scan = Row(RowKind.CLIP, "scan", "Silent-Face-Anti-Spoofing", "", True, moving, {})
    found = count_pushes([scan], "moire", model_for=lambda _: model)
    assert found is not None
    # A sign of life without a network is LIVE, and 1.1 - 2 log odds are not.
    assert (found.from_live.hits, found.into_spoof.hits) == (1, 1)


def test_a_trace_that_was_looked_for_nowhere_has_no_counts() -> None:
    assert count_pushes([_row("a", None, 0.9)], "moire", model_for=lambda _: _model()) is None


def test_places_are_those_of_the_other_sources_and_strengths_those_of_all() -> None:
    others = [_row(f"live {number}", 0.3 + 0.004 * number, 0.9) for number in range(120)]
    attack = replace(_row("attack", 0.05, 0.1), live=False, species="screen")
    mine = _row("mine", 0.01, 0.9)
    model = placed_without([*others, attack, mine], _model(), Limits())(mine.source)
    sign = model.traces.signals["moire"]
    assert sign.begins == pytest.approx(math.log(0.3 / 0.7))
    assert sign.strength == 2.0

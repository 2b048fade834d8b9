from pathlib import Path

import numpy as np
import pytest

from evaluation.pad.dataset import PadLabel, PadSample
from evaluation.pad.resampling import Bootstrap
from liveness.express.settings import CueLine
from research.frame_cues.presentations import Presentation
from research.frame_cues.separation import live_levels, separations, suggested_line

_LINES = CueLine(line=2.0, live=1.0)
_BOOTSTRAP = Bootstrap(resamples=200, confidence=0.95, seed=1)


def _presentation(source: str, person: str, species: str, value: float | None) -> Presentation:
    sample = PadSample(
        path=Path("x"),
        label=PadLabel.ATTACK if species else PadLabel.LIVE,
        species=species,
        source=source,
        identity=person,
        session=person,
        usable=True,
    )
    return Presentation(sample=sample, values={} if value is None else {"moire": value})


def _measured() -> list[Presentation]:
    rng = np.random.default_rng(0)
    live = [
        _presentation("a", f"p{at}", "", float(value)) for at, value in enumerate(rng.uniform(0.5, 1.5, 30))
    ]
    screens = [
        _presentation("a", f"s{at}", "screen", float(v)) for at, v in enumerate(rng.uniform(1.2, 4, 30))
    ]
    few = [_presentation("b", "q", "", 3.0), _presentation("b", "q", "print", 3.0)]
    return [*live, *screens, *few, _presentation("a", "p0", "", None)]


def test_a_source_is_judged_by_itself_and_small_ones_not_at_all() -> None:
    (found,) = separations(_measured(), "moire", _LINES, bootstrap=_BOOTSTRAP)
    assert (found.source, found.species) == ("a", "screen")
    assert (found.live, found.attacks, found.missing) == (30, 30, 1)
    assert 0.9 < found.auc < 1
    assert found.bounds is not None
    assert found.bounds.lower < found.auc < found.bounds.upper
    assert found.caught is not None
    expected = sum(each.values.get("moire", 0) > 2 for each in _measured() if each.sample.species == "screen")
    assert found.caught.hits == expected


def test_live_levels_show_the_false_alarms_of_a_line() -> None:
    largest, smallest = live_levels(_measured(), "moire", _LINES)
    assert (largest.source, largest.live) == ("a", 30)
    assert largest.wronged is not None
    assert largest.wronged.hits == 0
    assert smallest.wronged is not None
    assert (smallest.wronged.hits, smallest.wronged.trials) == (1, 1)


@pytest.mark.parametrize("higher", [True, False])
def test_a_line_wrongs_one_in_twenty_of_the_worst_group(*, higher: bool) -> None:
    sign = 1 if higher else -1
    calm, restless = sign * np.linspace(0, 1, 101), sign * np.linspace(0, 3, 101)
    small = [sign * np.full(5, 0.5) for _ in range(4)]
    lines = suggested_line([calm, restless, *small], higher_is_attack=higher)
    assert lines.line == pytest.approx(sign * 2.85)
    assert lines.live == pytest.approx(sign * 0.5)
    with pytest.raises(ValueError, match="large enough"):
        suggested_line(small[:1], higher_is_attack=higher)

from pathlib import Path

import numpy as np
import pytest

from evaluation.pad.dataset import PadLabel, PadSample
from liveness.express.settings import CueLine
from research.frame_cues import Presentation, live_levels, suggested_line

_LINES = CueLine(line=2.0, live=1.0)


def _presentation(source: str, person: str, value: float | None) -> Presentation:
    sample = PadSample(
        path=Path("x"),
        label=PadLabel.LIVE,
        species="",
        source=source,
        identity=person,
        session=person,
        usable=True,
    )
    return Presentation(sample=sample, values={} if value is None else {"moire": value})


def _measured() -> list[Presentation]:
    values = np.random.default_rng(0).uniform(0.5, 1.5, 30)
    live = [_presentation("a", f"p{at}", float(value)) for at, value in enumerate(values)]
    return [*live, _presentation("b", "q", 3.0), _presentation("a", "p0", None)]


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

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.express.cue_summary import score_of_cue, summarise_cue
from liveness.express.interface import FrameCues
from liveness.express.settings import CueLine
from tests.liveness.express.portrait import cues_of

_VALUES = st.floats(-1e6, 1e6)


def test_the_median_of_the_frames_that_have_the_cue() -> None:
    cues = [*cues_of("moire", [1.0, 9.0, 2.0]), FrameCues(frame_index=3, values={})]
    found = summarise_cue(cues, "moire")
    assert found is not None
    assert (found.value, found.frames, found.counted) == (2.0, 3, "3 frames")
    assert summarise_cue(cues, "medium_border") is None


@given(value=_VALUES, line=_VALUES, live=_VALUES)
def test_a_score_is_a_half_on_the_line_and_more_on_the_live_side(
    value: float, line: float, live: float
) -> None:
    if abs(line - live) < 1e-3:
        return
    lines = CueLine(line=line, live=live)
    score = score_of_cue(value, lines)
    assert 0 <= score <= 1
    assert score_of_cue(line, lines) == pytest.approx(0.5)
    assert score_of_cue(live, lines) == pytest.approx(0.8)
    if (value - line) * (live - line) > 0:
        assert score >= 0.5
    else:
        assert score <= 0.5

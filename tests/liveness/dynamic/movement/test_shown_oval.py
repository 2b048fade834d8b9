import pytest

from liveness.dynamic.challenge.actions import HintCode
from liveness.dynamic.challenge.ovals import OvalScript
from liveness.dynamic.movement.shown_oval import ShownOval
from liveness.guidance import Oval
from liveness.observation import FrameObservation
from tests.liveness.builders import HEIGHT, WIDTH, face_at, observation
from tests.liveness.dynamic.random_source import seeded

_STEP = OvalScript(seeded(4), rest=Oval()).draw()


def _frame(index: int, *, size: float = 1.0, aside: float = 0.0, faces: int = 1) -> FrameObservation:
    oval = _STEP.oval
    wide = oval.width * WIDTH
    face = face_at(oval.centre_x * WIDTH + aside * wide, oval.centre_y * HEIGHT, size * wide)
    return observation(index, face=face, faces=faces, capture_time=index / 10)


def test_an_oval_is_held_after_four_frames_and_its_time() -> None:
    shown = ShownOval(_STEP, moved_at=2.0)
    assert shown.arrives == 2.0 + _STEP.transition_seconds
    held = []
    for index in range(5):
        shown.add(_frame(index))
        held.append(shown.held)
    assert held == [False, False, False, False, True]
    assert [frame.index for frame in shown.run] == [0, 1, 2, 3, 4]
    assert shown.hint is None
    assert all(frame.view is None for frame in shown.run[:-1])
    shown.discard()
    assert (shown.run, shown.held) == ((), False)


@pytest.mark.parametrize(
    ("frame", "hint"),
    [
        (_frame(5, size=0.7), HintCode.MOVE_CLOSER),
        (_frame(5, size=1.4), HintCode.MOVE_BACK),
        (_frame(5, aside=0.3), HintCode.CENTER_FACE),
        (_frame(5, faces=2), HintCode.MULTIPLE_FACES),
        (observation(5, face=None), HintCode.NO_FACE),
    ],
)
def test_leaving_the_oval_ends_the_run_with_a_hint(frame: FrameObservation, hint: HintCode) -> None:
    shown = ShownOval(_STEP, moved_at=0.0)
    for index in range(4):
        shown.add(_frame(index))
    shown.add(frame)
    assert (shown.run, shown.hint) == ((), hint)

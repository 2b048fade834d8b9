import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from liveness.dynamic.challenge.ovals import APPROACHES, CHANGES, OvalScript, distance_from
from liveness.errors import LivenessPolicyError
from liveness.extent import FaceExtent
from liveness.guidance import Oval
from tests.liveness.dynamic.random_source import seeded


def _filling(oval: Oval, *, width: int = 480, height: int = 640) -> FaceExtent:
    placed = oval.placed(width=width, height=height)
    return FaceExtent(x=placed.x, y=placed.y, width=placed.width, height=1.35 * placed.width)


@given(seed=st.integers(0, 10_000))
def test_first_a_smaller_then_a_larger_one_in_the_frame(seed: int) -> None:
    script, rest = OvalScript(seeded(seed), rest=Oval()), Oval()
    far, near = script.draw(), script.draw()
    assert (far.number, near.number) == (1, CHANGES)
    assert far.oval.width < rest.width < near.oval.width
    assert 1.59 < near.oval.width / far.oval.width < 2.3
    assert far.bits + near.bits == pytest.approx(script.bits)


@given(seed=st.integers(0, 10_000))
def test_as_many_approaches_as_it_takes_each_drawn_anew(seed: int) -> None:
    script = OvalScript(seeded(seed), rest=Oval())
    drawn = []
    while script.left:
        drawn.append(script.draw())
    assert [step.number for step in drawn] == list(range(1, APPROACHES * CHANGES + 1))
    for far, near in zip(drawn[::2], drawn[1::2], strict=True):
        assert 1.59 < near.oval.width / far.oval.width < 2.3
        assert far.transition_seconds < near.transition_seconds
        assert far.bits + near.bits == pytest.approx(script.bits)
    with pytest.raises(LivenessPolicyError, match="all ovals"):
        script.draw()


def test_no_face_that_fills_one_fills_another_as_well() -> None:
    script = OvalScript(seeded(1), rest=Oval())
    for step in (script.draw(), script.draw()):
        for width, height in ((480, 640), (480, 854), (720, 1280), (640, 480), (1280, 720)):
            face = _filling(step.oval, width=width, height=height)
            assert distance_from(step.oval, face, width=width, height=height) == pytest.approx(0)
            assert min(face.left, face.top, width - face.right, height - face.bottom) > 0
            assert all(distance_from(other, face, width=width, height=height) > 1 for other in step.others)


def test_every_oval_is_equally_likely_and_counted_in_bits() -> None:
    random = seeded(2)
    scripts = [OvalScript(random, rest=Oval()) for _ in range(1500)]
    steps = [(script.draw(), script.draw()) for script in scripts]
    for drawn, count in zip(zip(*steps, strict=True), (18, 4), strict=True):
        seen = Counter(step.oval for step in drawn)
        assert len(seen) == count
        assert chisquare(list(seen.values())).pvalue > 1e-4
        assert {1 + len(step.others) for step in drawn} == {count}
        assert drawn[0].bits == pytest.approx(math.log2(count))
    assert scripts[0].bits == pytest.approx(math.log2(18 * 4))


def test_nothing_is_drawn_before_it_is_needed() -> None:
    asked: list[int] = []
    random = seeded(3)

    def counting(count: int) -> bytes:
        asked.append(count)
        return random(count)

    script = OvalScript(counting, rest=Oval())
    assert not asked
    script.draw()
    assert sum(asked) <= 4


def test_an_oval_that_fills_the_frame_leaves_no_room() -> None:
    with pytest.raises(LivenessPolicyError, match="no room"):
        OvalScript(seeded(1), rest=Oval(centre_x=0.5, centre_y=0.5, width=0.95, height=0.95))

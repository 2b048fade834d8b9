from collections.abc import Callable

import numpy as np
import pytest

from liveness.dynamic.challenge import HintCode
from research.dynamic.drive import CLOCKS_APART, VirtualPhone
from simulator import AppGuide, PhoneSettings, ScreenLight
from simulator.app_guide import RestingFace

_NOW = CLOCKS_APART + 1.0


def _phone() -> VirtualPhone:
    return VirtualPhone(
        light=ScreenLight(PhoneSettings()),
        frames=iter(()),
        one_way=0.1,
        person=AppGuide(seed=3),
        face_width=0.5,
        claimed_late=0.0,
    )


def _first(movement: Callable[[float], float]) -> float | None:
    """The first time at which a person moves, seconds of the device's clock."""
    times = (step / 100 for step in range(600))
    return next((time for time in times if movement(time) > 0), None)


def test_the_person_opens_the_mouth_after_the_request_arrives() -> None:
    phone = _phone()
    assert _first(phone.person.opening) is None
    phone.hint("OPEN_MOUTH", _NOW)
    begun = _first(phone.person.opening)
    assert begun is not None
    assert 1.1 + 0.4 <= begun <= 1.1 + 1.25
    assert _first(phone.person.closure) is None


@pytest.mark.parametrize(("code", "sign"), [("TURN_LEFT", 1), ("TURN_RIGHT", -1)])
def test_the_person_turns_to_the_side_after_the_request_arrives(code: str, sign: int) -> None:
    phone, face = _phone(), RestingFace(width=0.5, outline_width=0.5, x=0.5, y=0.5, frame=(480, 640))
    phone.hint(code, _NOW)
    begun = _first(lambda time: sign * phone.person.placement(time, face=face).yaw)
    assert begun is not None
    assert 1.1 + 0.4 <= begun <= 1.1 + 1.25


@pytest.mark.parametrize("code", list(HintCode))
def test_no_hint_of_a_challenge_opens_the_mouth(code: HintCode) -> None:
    phone = _phone()
    phone.hint(code, _NOW)
    assert _first(phone.person.opening) is None
    assert (_first(phone.person.closure) is not None) == (code is HintCode.BLINK)


def test_frames_are_not_sent_during_a_pause() -> None:
    phone = _phone()
    phone.pause(_NOW)
    assert list(map(phone.sends, np.array([1.0, 1.2, 9.0]))) == [True, False, False]
    phone.resume(_NOW + 2.0)
    assert list(map(phone.sends, np.array([1.2, 3.2]))) == [False, True]

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation
from device_integrity.policy import find_signs
from device_integrity.policy.signs import InjectionInstrument, InjectionMethod
from tests.device_integrity.policy.checks import failed, made, open_check

_SOURCES = ("camera", "stream", "memory", "device", "contradiction", "android_key")


def test_nothing_failed_is_no_sign() -> None:
    assert find_signs([*made("camera.facing"), open_check("camera.name")]) == ()


def test_a_hard_check_decides_in_the_words_of_cen_ts_18099() -> None:
    (sign,) = find_signs([failed("stream.duplicates", Manipulation.INJECTION, reason="FRAMES_RETURN")])
    assert sign.decided
    assert sign.method is InjectionMethod.UNKNOWN
    assert sign.instrument is InjectionInstrument.RECORDED_VIDEO
    camera = failed("camera.name", Manipulation.VIRTUAL_CAMERA)
    both = find_signs(
        [camera, failed("stream.loop", Manipulation.INJECTION, reason="FRAMES_LOOP", soft=True)]
    )
    assert {sign.of for sign in both if sign.decided} == {Manipulation.VIRTUAL_CAMERA, Manipulation.INJECTION}
    assert {sign.method for sign in both} == {InjectionMethod.VIRTUAL_CAMERA}
    assert {sign.instrument for sign in both} == {InjectionInstrument.RECORDED_VIDEO}


def test_several_soft_checks_of_one_source_are_a_suspicion_and_decide_nothing() -> None:
    one = find_signs([failed("stream.noise", Manipulation.INJECTION, soft=True)])
    many = find_signs(
        [failed(f"stream.{name}", Manipulation.INJECTION, soft=True) for name in ("noise", "loop", "arrival")]
    )
    assert not one[0].suspected
    assert many[0].suspected
    assert many[0].strength < 2 * one[0].strength


def test_a_contradiction_weighs_more_than_a_flag_and_two_decide() -> None:
    flag = failed("stream.noise", Manipulation.INJECTION, soft=True)
    contradiction = failed("contradiction.exposure", Manipulation.INJECTION, soft=True)
    (alone,), (flagged,) = find_signs([contradiction]), find_signs([flag])
    assert alone.strength == 2 * flagged.strength
    assert alone.suspected
    assert not alone.decided
    assert not find_signs([flag, contradiction])[0].decided
    another = failed("contradiction.model", Manipulation.INJECTION, soft=True)
    assert find_signs([another, contradiction])[0].decided


@given(
    st.lists(
        st.tuples(
            st.sampled_from([source for source in _SOURCES if source != "contradiction"]),
            st.sampled_from(list(Manipulation)),
        ),
        max_size=12,
    )
)
def test_soft_flags_never_decide_alone(flags: list[tuple[str, Manipulation]]) -> None:
    checks = [failed(f"{source}.{at}", of, soft=True) for at, (source, of) in enumerate(flags)]
    assert not any(sign.decided for sign in find_signs(checks))


@st.composite
def _checks(draw: st.DrawFn) -> DeviceCheck:
    return DeviceCheck(
        name=f"{draw(st.sampled_from(_SOURCES))}.{draw(st.integers(0, 3))}",
        outcome=draw(st.sampled_from(list(DeviceFinding))),
        reason="X",
        detail="x",
        sign_of=draw(st.none() | st.sampled_from(list(Manipulation))),
        soft=draw(st.booleans()),
    )


@given(st.lists(_checks(), max_size=8), _checks())
def test_one_more_failure_never_weakens_a_sign(checks: list[DeviceCheck], more: DeviceCheck) -> None:
    before = {sign.of: sign.strength for sign in find_signs(checks)}
    after = {sign.of: sign.strength for sign in find_signs([*checks, more])}
    assert all(after[of] >= strength for of, strength in before.items())
    assert all(0 < strength <= 1 for strength in after.values())


@pytest.mark.parametrize("of", list(Manipulation))
def test_every_manipulation_has_a_method(of: Manipulation) -> None:
    sign = find_signs([failed("x.y", of)])[0]
    assert (sign.of, sign.checks) == (of, ("x.y",))
    assert (sign.method is InjectionMethod.UNKNOWN) is (of is Manipulation.INJECTION)

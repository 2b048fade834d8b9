from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.camera import Platform
from device_integrity.device_test import Assurance, DeviceFinding, DeviceTest, Manipulation
from device_integrity.policy import (
    ATTESTATIONS,
    Demand,
    DemandTable,
    DeviceAssessment,
    Evidence,
    Shortfall,
    assess,
    find_shortfall,
    find_signs,
)
from device_integrity.policy.assess import Unmet, UnmetReason
from device_integrity.policy.signs import InjectionInstrument, InjectionMethod
from tests.device_integrity.policy.checks import (
    DEFAULT_DEMANDS,
    attested,
    failed,
    made,
    observed,
    open_check,
)

_KEY = attested("android_key")
_PLAY = attested("play_integrity")
_HONEST = (*observed(), *_KEY)


def _assessed(
    checks: tuple[DeviceTest, ...],
    platform: Platform = Platform.ANDROID,
    demands: DemandTable = DEFAULT_DEMANDS,
    *,
    bound: bool = True,
    challenge: bool = True,
    ceilings: dict[str, Assurance] | None = None,
) -> DeviceAssessment:
    return assess(
        checks,
        platform=platform,
        demands=demands,
        transcript_bound=bound,
        active_challenge=challenge,
        ceilings=ceilings,
    )


def test_high_needs_hardware_a_bound_transcript_and_a_challenge() -> None:
    assert _assessed(_HONEST).assurance is Assurance.HIGH
    assert _assessed(_HONEST).unmet == ()
    assert _assessed(_HONEST, challenge=False).assurance is Assurance.MEDIUM
    assert _assessed(_HONEST, bound=False).assurance is Assurance.NONE
    play_only = _assessed((*observed(), *_PLAY))
    assert play_only.assurance is Assurance.MEDIUM
    assert play_only.unmet == (Unmet(Evidence.ANDROID_KEY, UnmetReason.MISSING),)


@pytest.mark.parametrize(
    ("platform", "checks", "ceilings", "assurance"),
    [
        (Platform.IOS, attested("app_attest"), {}, Assurance.HIGH),
        (Platform.IOS, attested("app_attest_assertion"), {}, Assurance.HIGH),
        (Platform.WEB, attested("web_authn"), {}, Assurance.MEDIUM),
        (Platform.WEB, attested("web_authn"), {"web_authn": Assurance.LOW}, Assurance.LOW),
        (Platform.WEB, attested("web_crypto"), {}, Assurance.LOW),
        (Platform.WEB, attested("web_crypto"), {"web_crypto": Assurance.HIGH}, Assurance.LOW),
    ],
)
def test_each_platform_reaches_the_assurance_it_can_prove(
    platform: Platform,
    checks: tuple[DeviceTest, ...],
    ceilings: dict[str, Assurance],
    assurance: Assurance,
) -> None:
    found = _assessed((*observed(), *checks), platform, ceilings=ceilings)
    assert (found.assurance, found.unmet) == (assurance, ())


@pytest.mark.parametrize(
    ("name", "reason", "assurance"),
    [
        ("android_key.provisioning", "KEY_FARM", Assurance.MEDIUM),
        ("android_key.patch_level", "PATCH_LEVEL_OLD", Assurance.HIGH),
        ("android_key.encoding", "NOT_DER", Assurance.HIGH),
    ],
)
def test_many_keys_of_one_device_leave_doubt_and_old_devices_none(
    name: str, reason: str, assurance: Assurance
) -> None:
    found = _assessed((*_HONEST, failed(name, soft=True, reason=reason)))
    assert (found.assurance, found.unmet) == (assurance, ())


def test_a_risky_receipt_leaves_doubt() -> None:
    risky = failed("app_attest_receipt.risk", soft=True, reason="RISK_HIGH")
    checks = (*observed(), *attested("app_attest"), *attested("app_attest_assertion"), risky)
    assert _assessed(checks, Platform.IOS).assurance is Assurance.MEDIUM


@pytest.mark.parametrize("silent", ["camera.facing", "camera.hardware_level"])
def test_a_phone_that_hides_its_camera_is_not_evaluated(silent: str) -> None:
    checks = tuple(check for check in _HONEST if check.name != silent)
    kept_back = _assessed((*checks, open_check(silent, DeviceFinding.UNAVAILABLE)))
    assert kept_back.assurance is Assurance.MEDIUM
    assert kept_back.unmet == (Unmet(Evidence.CAMERA, UnmetReason.MISSING),)
    # A platform that does not report it is a different case.
    assert _assessed((*checks, open_check(silent))).assurance is Assurance.HIGH


def test_claims_without_contradictions_are_worth_little_and_nothing_is_worth_nothing() -> None:
    assert _assessed(observed()).assurance is Assurance.LOW
    flag = failed("stream.noise", Manipulation.INJECTION, soft=True)
    assert _assessed((*observed(), flag)).assurance is Assurance.LOW
    contradiction = failed("contradiction.wording", Manipulation.EMULATOR, soft=True)
    assert _assessed((*observed(), contradiction)).assurance is Assurance.NONE
    assert _assessed((*observed(), failed("camera.facing"))).assurance is Assurance.NONE
    assert _assessed(()).assurance is Assurance.NONE
    assert _assessed(()).unmet == tuple(
        Unmet(evidence, UnmetReason.MISSING)
        for evidence in (
            Evidence.ANDROID_KEY,
            Evidence.SERVER_KEY,
            Evidence.DEVICE,
            Evidence.CAMERA,
            Evidence.STREAM,
            Evidence.CONTRADICTION,
        )
    )


@pytest.mark.parametrize(
    "outcome", [DeviceFinding.NOT_EVALUATED, DeviceFinding.UNAVAILABLE, DeviceFinding.FAIL, None]
)
@pytest.mark.parametrize("at", range(len(_KEY)))
def test_an_attestation_without_one_of_its_tests_does_not_count(
    at: int, outcome: DeviceFinding | None
) -> None:
    weaker = () if outcome is None else (replace(_KEY[at], outcome=outcome),)
    found = _assessed((*observed(), *_KEY[:at], *weaker, *_KEY[at + 1 :]))
    assert found.unmet == (Unmet(Evidence.ANDROID_KEY, UnmetReason.NOT_VERIFIED),)
    assert found.assurance.level <= Assurance.LOW.level


def test_tests_that_a_platform_cannot_answer_may_stay_open() -> None:
    assert _assessed((*_HONEST, open_check("android_key.provisioning"))).assurance is Assurance.HIGH
    unavailable = open_check("android_key.provisioning", DeviceFinding.UNAVAILABLE)
    assert _assessed((*_HONEST, unavailable)).unmet


@pytest.mark.parametrize("name", ["play_integrity.device_recall", "play_integrity.test_response"])
def test_an_advisory_attestation_that_failed_without_a_sign_keeps_from_high(name: str) -> None:
    play = (*(check for check in _PLAY if check.name != name), failed(name))
    found = _assessed((*_HONEST, *play))
    assert (found.assurance, found.unmet, found.signs) == (Assurance.MEDIUM, (), ())
    soft = (*(check for check in _PLAY if check.name != name), failed(name, soft=True))
    assert _assessed((*_HONEST, *soft)).assurance is Assurance.HIGH


def test_a_play_token_without_an_api_level_counts_as_a_low_one() -> None:
    table = DemandTable({Platform.ANDROID: {Evidence.PLAY_INTEGRITY: Demand.REQUIRED}})
    name = "play_integrity.android_version"
    for check in (open_check(name), failed(name, soft=True)):
        found = _assessed((*observed(), *_PLAY, check), demands=table)
        assert (found.assurance, found.unmet) == (Assurance.MEDIUM, ())


def test_the_least_assurance_is_that_of_the_claimed_platform() -> None:
    table = replace(DEFAULT_DEMANDS, floor=Assurance.MEDIUM, floors={Platform.WEB: Assurance.LOW})
    asked = {
        platform: assess(
            (), platform=platform, demands=table, transcript_bound=True, active_challenge=False
        ).required
        for platform in Platform
    }
    assert asked == dict.fromkeys(Platform, Assurance.MEDIUM) | {Platform.WEB: Assurance.LOW}


def test_a_decided_sign_leaves_nothing() -> None:
    found = _assessed((*_HONEST, failed("stream.duplicates", Manipulation.INJECTION)))
    assert found.assurance is Assurance.NONE
    assert found.unmet == (Unmet(Evidence.STREAM, UnmetReason.MANIPULATED),)


def test_a_suspicion_keeps_from_high_and_fails_nothing() -> None:
    soft = failed("contradiction.exposure", Manipulation.INJECTION, soft=True)
    found = _assessed((*_HONEST, soft))
    assert (found.assurance, found.unmet) == (Assurance.MEDIUM, ())
    flag = failed("stream.noise", Manipulation.INJECTION, soft=True)
    assert _assessed((*_HONEST, flag)).assurance is Assurance.HIGH


def test_evidence_that_contradicts_the_claim_fails_a_device() -> None:
    wrong = failed("contradiction.platform", Manipulation.MAN_IN_THE_MIDDLE)
    found = _assessed((*_HONEST, wrong))
    assert (found.assurance, found.unmet) == (
        Assurance.NONE,
        (Unmet(Evidence.CONTRADICTION, UnmetReason.MANIPULATED),),
    )
    unseen = tuple(check for check in _HONEST if not check.name.startswith("contradiction."))
    assert _assessed(unseen).unmet == (Unmet(Evidence.CONTRADICTION, UnmetReason.MISSING),)
    assert _assessed((*unseen, open_check("contradiction.app"))).unmet == ()


def test_a_device_without_claims_is_not_evaluated() -> None:
    silent = tuple(
        replace(check, outcome=DeviceFinding.UNAVAILABLE) if check.name.startswith("device.") else check
        for check in observed()
    )
    assert _assessed((*silent, *_KEY)).unmet == (Unmet(Evidence.DEVICE, UnmetReason.MISSING),)
    assert _assessed(silent).assurance is Assurance.NONE


def test_ignored_evidence_has_no_effect() -> None:
    ignored = dict.fromkeys(Evidence, Demand.IGNORED)
    table = DemandTable({Platform.ANDROID: ignored})
    checks = (*_HONEST, failed("stream.duplicates", Manipulation.INJECTION))
    found = _assessed(checks, demands=table)
    assert (found.assurance, found.unmet, found.signs) == (Assurance.NONE, (), ())
    assert found.checks == checks


@pytest.mark.parametrize("platform", [Platform.UNSPECIFIED, Platform.DESKTOP])
def test_platforms_without_a_row_are_refused(platform: Platform) -> None:
    found = _assessed(_HONEST, platform)
    assert found.assurance is Assurance.NONE
    assert found.unmet == (Unmet(None, UnmetReason.PLATFORM_NOT_ALLOWED),)


def test_evidence_of_another_platform_does_not_vouch() -> None:
    found = _assessed((*observed(), *attested("app_attest")), Platform.ANDROID)
    assert found.assurance is not Assurance.HIGH
    assert Unmet(Evidence.ANDROID_KEY, UnmetReason.MISSING) in found.unmet


_POOL = (
    *_HONEST,
    *_PLAY,
    failed("camera.name", Manipulation.VIRTUAL_CAMERA),
    failed("stream.noise", Manipulation.INJECTION, soft=True),
    failed("contradiction.exposure", Manipulation.INJECTION, soft=True),
    failed("android_key.boot_state", Manipulation.ROOTED),
    open_check("stream.structure", DeviceFinding.UNAVAILABLE),
)


@given(st.sets(st.sampled_from(range(len(_POOL)))), st.sampled_from(range(len(_POOL))), st.booleans())
def test_turning_a_pass_into_anything_else_never_helps(kept: set[int], at: int, bound: bool) -> None:
    checks = tuple(_POOL[place] for place in sorted(kept | {at}))
    before = _assessed(checks, bound=bound)
    for outcome in (DeviceFinding.UNAVAILABLE, DeviceFinding.NOT_EVALUATED, DeviceFinding.FAIL):
        worse = tuple(
            replace(check, outcome=outcome)
            if check is _POOL[at] and check.outcome is DeviceFinding.PASS
            else check
            for check in checks
        )
        after = _assessed(worse, bound=bound)
        assert after.assurance.level <= before.assurance.level
        assert {one.evidence for one in before.unmet} <= {one.evidence for one in after.unmet}


_REACH_KEY, _REACH_PLAY, _WEB = Evidence.ANDROID_KEY, Evidence.PLAY_INTEGRITY, Evidence.WEB_KEY


def _found(
    row: dict[Evidence, Demand],
    *verifiable: Evidence,
    platform: Platform = Platform.ANDROID,
    least: Assurance = Assurance.NONE,
) -> Shortfall | None:
    table = DemandTable({platform: row}, floor=least)
    return find_shortfall(
        platform, demands=table, verifiable=verifiable, ceilings={Evidence.WEB_KEY: Assurance.LOW}
    )


def test_required_evidence_has_to_be_verifiable() -> None:
    row = {_REACH_KEY: Demand.REQUIRED, Evidence.SERVER_KEY: Demand.REQUIRED, _REACH_PLAY: Demand.ADVISORY}
    assert _found(row) == Shortfall(missing=(_REACH_KEY, Evidence.SERVER_KEY))
    assert _found(row, _REACH_KEY) == Shortfall(missing=(Evidence.SERVER_KEY,))
    assert _found(row, _REACH_KEY, Evidence.SERVER_KEY) is None


def test_observations_need_nothing_of_the_server() -> None:
    observations = {evidence for evidence in Evidence if not evidence.raises_assurance} - {
        Evidence.SERVER_KEY
    }
    assert _found(dict.fromkeys(observations, Demand.REQUIRED), least=Assurance.LOW) is None


@pytest.mark.parametrize(
    ("least", "verifiable", "one_of"),
    [
        (Assurance.LOW, (), None),
        (Assurance.MEDIUM, (), (_REACH_KEY, _REACH_PLAY)),
        (Assurance.MEDIUM, (_REACH_PLAY,), None),
        (Assurance.HIGH, (_REACH_PLAY,), (_REACH_KEY,)),
        (Assurance.HIGH, (_REACH_KEY,), None),
    ],
)
def test_an_assurance_takes_evidence_that_reaches_it(
    least: Assurance, verifiable: tuple[Evidence, ...], one_of: tuple[Evidence, ...] | None
) -> None:
    expected = None if one_of is None else Shortfall(one_of=one_of)
    assert _found({}, *verifiable, least=least) == expected


def test_ignored_evidence_reaches_nothing() -> None:
    ignored = dict.fromkeys(ATTESTATIONS[Platform.ANDROID], Demand.IGNORED)
    found = _found(ignored, *Evidence, least=Assurance.MEDIUM)
    assert found is not None
    assert "MEDIUM" in found.impossible
    # Consistent claims reach LOW, except for ignored ones.
    assert _found(ignored, least=Assurance.LOW) is None
    assert _found(ignored | {Evidence.STREAM: Demand.IGNORED}, least=Assurance.LOW) is not None


@pytest.mark.parametrize(
    ("platform", "row", "least"),
    [
        (Platform.WEB, {_WEB: Demand.REQUIRED}, Assurance.MEDIUM),
        (Platform.WEB, {Evidence.SERVER_KEY: Demand.REQUIRED}, Assurance.NONE),
        (Platform.IOS, {_REACH_KEY: Demand.REQUIRED}, Assurance.NONE),
        (Platform.DESKTOP, {}, Assurance.MEDIUM),
    ],
)
def test_an_impossible_demand_is_reported_as_impossible(
    platform: Platform, row: dict[Evidence, Demand], least: Assurance
) -> None:
    found = _found(row, *Evidence, platform=platform, least=least)
    assert found is not None
    assert found == Shortfall(impossible=found.impossible)
    assert found.impossible


# Signs of a manipulation.

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
def _checks(draw: st.DrawFn) -> DeviceTest:
    return DeviceTest(
        name=f"{draw(st.sampled_from(_SOURCES))}.{draw(st.integers(0, 3))}",
        outcome=draw(st.sampled_from(list(DeviceFinding))),
        reason="X",
        detail="x",
        sign_of=draw(st.none() | st.sampled_from(list(Manipulation))),
        soft=draw(st.booleans()),
    )


@given(st.lists(_checks(), max_size=8), _checks())
def test_one_more_failure_never_weakens_a_sign(checks: list[DeviceTest], more: DeviceTest) -> None:
    before = {sign.of: sign.strength for sign in find_signs(checks)}
    after = {sign.of: sign.strength for sign in find_signs([*checks, more])}
    assert all(after[of] >= strength for of, strength in before.items())
    assert all(0 < strength <= 1 for strength in after.values())


@pytest.mark.parametrize("of", list(Manipulation))
def test_every_manipulation_has_a_method(of: Manipulation) -> None:
    sign = find_signs([failed("x.y", of)])[0]
    assert (sign.of, sign.checks) == (of, ("x.y",))
    assert (sign.method is InjectionMethod.UNKNOWN) is (of is Manipulation.INJECTION)

"""The plans of attempts, by the demands of the check and the capabilities of the device."""

from collections.abc import Set

import pytest

from attempt import CapturePlan
from liveness import ChallengeKind, DoubtTerms, VerdictReason, unresolved
from server.domain.terms import Mode, Plan
from server.policies import Policy, load_policies
from server.policies.schema import ChallengeRules, DeadlineRules, DoubtRules, FlashAnswer
from server.scan.messages import Capability, CaptureBudget
from server.scan.plans import (
    ScanPlans,
    expected_seconds,
    fewer_bytes,
    fewer_frames,
    leaner_frames,
    smallest_frame,
)
from tests.server.scan.records import attempt_record

_ALL = frozenset(Capability)
_NONE: frozenset[Capability] = frozenset()
_GESTURES = frozenset({Capability.OPEN_MOUTH, Capability.TURN_HEAD})
_DOUBT = (VerdictReason.NOT_SURE,)


def _policy(name: str) -> Policy:
    return load_policies().get(name).policy


def _plans(name: str, requested: Mode, capabilities: Set[Capability] = _ALL) -> ScanPlans:
    return ScanPlans(policy=_policy(name), requested=requested, capabilities=capabilities)


@pytest.mark.parametrize(
    ("policy", "requested", "capabilities", "plan", "mode"),
    [
        ("standard", Mode.EXPRESS, _ALL, Plan.EXPRESS, Mode.EXPRESS),
        ("standard", Mode.DYNAMIC, _ALL, Plan.FLASH, Mode.DYNAMIC),
        ("high", Mode.DYNAMIC, {Capability.FLASH}, Plan.FLASH, Mode.DYNAMIC),
        ("adaptive", Mode.EXPRESS, _ALL, Plan.FLASH, Mode.DYNAMIC),
        ("adaptive", Mode.EXPRESS, {Capability.OVAL_CHANGE}, Plan.MOVEMENT, Mode.EXPRESS),
        ("adaptive", Mode.EXPRESS, _NONE, Plan.EXPRESS, Mode.EXPRESS),
        ("no-flash", Mode.EXPRESS, _ALL, Plan.EXPRESS, Mode.EXPRESS),
    ],
)
def test_the_policy_plans_the_first_attempt(
    policy: str, requested: Mode, capabilities: Set[Capability], plan: Plan, mode: Mode
) -> None:
    plans = _plans(policy, requested, capabilities)
    assert (plans.next, plans.mode) == (plan, mode)
    assert plans.open


@pytest.mark.parametrize(
    ("policy", "capabilities", "challenge"),
    [
        ("standard", _ALL, ChallengeKind.FLASH),
        ("low", _ALL, ChallengeKind.FLASH),
        ("no-flash", _ALL, ChallengeKind.MOVEMENT),
        ("standard", {Capability.OVAL_CHANGE, *_GESTURES}, ChallengeKind.MOVEMENT),
        ("standard", _GESTURES, ChallengeKind.GESTURES),
        ("standard", {Capability.TURN_HEAD}, None),
        ("standard", _NONE, None),
    ],
)
def test_doubt_leads_to_the_first_challenge_that_the_device_shows(
    policy: str, capabilities: Set[Capability], challenge: ChallengeKind | None
) -> None:
    plans = _plans(policy, Mode.EXPRESS, capabilities)
    assert plans.challenge is None
    assert plans.only_sure is (challenge is None)
    plans.note(_DOUBT)
    assert plans.challenge is challenge
    assert plans.open is (challenge is not None), "doubt never leads back to EXPRESS"
    assert plans.terms(challenge) == DoubtTerms(challenge, _DOUBT)


def test_a_later_stream_knows_the_doubt_of_earlier_attempts() -> None:
    attempts = (attempt_record(1, doubts=_DOUBT), attempt_record(2))
    plans = ScanPlans(
        policy=_policy("standard"), requested=Mode.EXPRESS, capabilities=_ALL, attempts=attempts
    )
    assert (plans.next, plans.doubts) == (Plan.FLASH, _DOUBT)


def test_a_challenge_that_the_pack_cannot_measure_is_left_out() -> None:
    plans = ScanPlans(
        policy=_policy("standard"),
        requested=Mode.EXPRESS,
        capabilities=_ALL,
        unmeasured={ChallengeKind.FLASH},
    )
    plans.note(_DOUBT)
    assert plans.challenge is ChallengeKind.MOVEMENT


@pytest.mark.parametrize("name", ["evaluation", "dynamic"])
def test_a_policy_without_the_table_knows_no_doubt(name: str) -> None:
    requested = _policy(name).mode
    plans, same = _plans(name, requested), _plans(name, requested)
    plans.note(_DOUBT)
    assert (plans.next, plans.doubts, plans.terms(None)) == (same.next, (), None)
    assert (plans.answer_doubt, plans.only_sure, plans.reserved) == (False, False, 0)


def test_a_check_that_was_raised_has_only_the_flash() -> None:
    plans = _plans("standard", Mode.DYNAMIC)
    plans.note(_DOUBT)
    assert (plans.challenge, plans.terms(ChallengeKind.FLASH)) == (ChallengeKind.FLASH, None)
    plans.leave_out(ChallengeKind.FLASH)
    assert not plans.open


def test_one_attempt_is_reserved_until_there_is_doubt() -> None:
    plans = _plans("standard", Mode.EXPRESS)
    assert plans.reserved == 1
    plans.note(_DOUBT)
    assert plans.reserved == 0
    assert _plans("standard", Mode.EXPRESS, _NONE).reserved == 0


def test_a_declined_challenge_leads_to_the_next_one() -> None:
    plans = _plans("adaptive", Mode.EXPRESS)
    for challenge in ChallengeKind:
        assert plans.challenge is challenge
        plans.leave_out(challenge)
    assert (plans.challenge, plans.open, plans.only_sure) == (None, True, True)
    plans.note(_DOUBT)
    assert not plans.open


def test_a_challenge_that_does_not_resolve_the_doubt_is_left_out() -> None:
    other = VerdictReason.SUNGLASSES
    assert all(unresolved((other,), challenge) for challenge in ChallengeKind)
    plans = _plans("standard", Mode.EXPRESS)
    plans.note((other,))
    assert (plans.challenge, plans.open) == (None, False)


def test_bright_light_leads_to_the_next_challenge() -> None:
    plans = _plans("adaptive", Mode.EXPRESS)
    assert plans.limits().falls_back
    plans.fall_back()
    assert (plans.next, plans.mode) == (Plan.MOVEMENT, Mode.EXPRESS)


@pytest.mark.parametrize(
    ("policy", "requested", "capabilities"),
    [
        ("adaptive", Mode.DYNAMIC, _ALL),
        ("standard", Mode.DYNAMIC, _ALL),
        ("adaptive", Mode.EXPRESS, {Capability.FLASH}),
    ],
    ids=["demanded by the orchestrator", "none named", "the device shows no other"],
)
def test_else_the_flash_is_tried_again(policy: str, requested: Mode, capabilities: Set[Capability]) -> None:
    plans = _plans(policy, requested, capabilities)
    assert not plans.limits().falls_back
    plans.fall_back()
    assert plans.next is Plan.FLASH


def test_the_limits_are_the_policys() -> None:
    assert _plans("high", Mode.DYNAMIC).limits().minimum_bits == 16
    assert _plans("high", Mode.DYNAMIC).limits().blink
    assert _plans("high", Mode.DYNAMIC).limits().depth
    own = _policy("adaptive").model_copy(update={"doubt": DoubtRules(flash=FlashAnswer(blink=False))})
    plans = ScanPlans(policy=own, requested=Mode.EXPRESS, capabilities=_ALL)
    assert (plans.limits().blink, plans.limits().depth) == (False, True)


@pytest.mark.parametrize("name", ["standard", "low", "adaptive"])
def test_raising_the_mode_applies_the_demands_of_that_mode(name: str) -> None:
    assert _plans(name, Mode.DYNAMIC).limits() == _plans("dynamic", Mode.DYNAMIC).limits()


def test_only_a_screen_that_scrolls_is_asked_to() -> None:
    assert _plans("standard", Mode.DYNAMIC, {Capability.FLASH}).script.scroll_one_in is None
    assert _plans("standard", Mode.DYNAMIC).script.scroll_one_in is not None


@pytest.mark.parametrize(("plan", "side"), [(Plan.EXPRESS, 480), (Plan.FLASH, 480), (Plan.MOVEMENT, 0)])
def test_movement_is_never_asked_for_smaller_frames(plan: Plan, side: int) -> None:
    asked = fewer_bytes(plan, max_frame_bytes=524_288)
    assert (asked.max_side, asked.max_frame_bytes, asked.max_frames_per_second) == (side, 65_536, 0.0)


@pytest.mark.parametrize("plan", list(Plan))
@pytest.mark.parametrize("scarce", [False, True])
def test_fewer_frames_are_asked_for_in_movement_and_where_bytes_are_scarce(plan: Plan, scarce: bool) -> None:
    paced = fewer_frames(plan, scarce=scarce)
    assert (paced is not None) == (scarce or plan is Plan.MOVEMENT)
    if paced is not None:
        assert 8 <= paced.max_frames_per_second <= 15
        assert (paced.max_side, paced.max_frame_bytes) == (0, 0)


def test_movement_keeps_frames_that_can_be_measured() -> None:
    assert smallest_frame(Plan.FLASH) == smallest_frame(Plan.EXPRESS) == 8 * 1024
    assert smallest_frame(Plan.MOVEMENT) == 24 * 1024


@pytest.mark.parametrize(("mean", "size"), [(46_080.0, 15_360), (9_000.0, 8 * 1024)])
def test_late_answers_lead_to_fewer_frames_of_a_third_of_their_size(mean: float, size: int) -> None:
    asked = leaner_frames(Plan.FLASH, mean=mean)
    assert (asked.max_frames_per_second, asked.max_frame_bytes) == (12.0, size)


def test_a_challenge_takes_longer_than_a_mere_capture() -> None:
    assert expected_seconds(Plan.EXPRESS, capture=2.5) == 2.5
    assert 2.5 < expected_seconds(Plan.FLASH, capture=2.5) < expected_seconds(Plan.MOVEMENT, capture=2.5)
    for plan in Plan:
        plain = expected_seconds(plan, capture=2.5)
        assert plain < expected_seconds(plan, capture=2.5, gestures=1) < plain + 5.0


@pytest.mark.parametrize("requested", Mode)
@pytest.mark.parametrize(
    ("mouth", "turn", "seconds"), [(True, False, 5.0), (False, True, 5.0), (True, True, 12.0)]
)
def test_an_attempt_lasts_longer_by_the_wait_for_gestures(
    requested: Mode, mouth: bool, turn: bool, seconds: float
) -> None:
    policy, budget = (
        _policy("evaluation"),
        CaptureBudget(max_attempt_seconds=15.0, max_frames_per_attempt=300),
    )
    asking = policy.model_copy(update={"challenge": ChallengeRules(open_mouth=mouth, turn_head=turn)})
    plans = ScanPlans(policy=asking, requested=requested, capabilities=_ALL)
    assert plans.capture_plan(CapturePlan(frames=9)) == CapturePlan(
        frames=9, open_mouth=mouth, turn_head=turn
    )
    longer = plans.budget(budget)
    assert longer.max_attempt_seconds == budget.max_attempt_seconds + seconds
    assert longer.max_frames_per_attempt * budget.max_attempt_seconds == (
        budget.max_frames_per_attempt * longer.max_attempt_seconds
    )
    assert longer.max_scan_bytes == budget.max_scan_bytes, "of the protocol"
    plain = _plans("evaluation", requested)
    assert plain.capture_plan(CapturePlan()) == CapturePlan()
    assert plain.budget(budget) == budget


def test_only_the_challenge_of_gestures_asks_for_them() -> None:
    plans, budget = _plans("standard", Mode.EXPRESS), CaptureBudget()
    longest = plans.budget(budget).max_attempt_seconds
    assert longest == min(30.0, budget.max_attempt_seconds + 12)
    assert plans.capture_plan(CapturePlan()) == CapturePlan()
    plans.note(_DOUBT)
    for challenge in (ChallengeKind.FLASH, ChallengeKind.MOVEMENT):
        assert plans.challenge is challenge
        assert plans.capture_plan(CapturePlan()) == CapturePlan()
        plans.leave_out(challenge)
    assert plans.next is Plan.EXPRESS
    assert plans.capture_plan(CapturePlan()) == CapturePlan(open_mouth=True, turn_head=True)
    assert plans.expected_seconds(capture=4.0) == expected_seconds(Plan.EXPRESS, capture=4.0, gestures=2)


def test_an_attempt_lasts_no_longer_than_the_policy_allows() -> None:
    policy = _policy("evaluation")
    short = policy.model_copy(update={"deadlines": DeadlineRules(attempt_seconds=12)})
    plans = ScanPlans(policy=short, requested=Mode.EXPRESS, capabilities=_ALL)
    assert plans.budget(CaptureBudget()) == CaptureBudget(max_attempt_seconds=12.0)

"""The plans of attempts, their work on a pool, and the codes of feedback."""

import ast
import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable, Set
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from facegate.v1 import feedback_pb2

import attempt
import server.scan
from attempt import CapturePlan, FlashRun
from attempt.analyst import ExaminedFrame, FrameAnalyst, SeenFrame
from attempt.capture import AttemptCapture
from attempt.frame import FrameLimits
from liveness import ChallengeKind, DoubtTerms, Gesture, HintCode, VerdictReason, unresolved
from liveness.guidance import GuidanceSettings, Oval
from matcher.persons import SCAN_SUBJECT
from server.base.errors import Reason, Refusal
from server.base.worker_pool import WorkerPool
from server.domain.terms import Mode, Plan
from server.policies import Policy, load_policies
from server.policies.schema import ChallengeRules, DeadlineRules, DoubtRules, FlashAnswer
from server.scan.budget import fewer_bytes, fewer_frames, leaner_frames, smallest_frame
from server.scan.capture_work import AttemptTrace, CaptureWork
from server.scan.handshake import require_challenge
from server.scan.messages import Capability, CaptureBudget, FrameMessage
from server.scan.plans import ScanPlans, conclude_challenge
from tests.attempt.capturing import undecodable
from tests.server.live import PLAN, pictures
from tests.server.models_once import remembering_pack
from tests.server.scan.records import attempt_record, frame_message, until_idle

# The plans of attempts, by the demands of the check and the capabilities of the device.

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
    assert (plans.next, plans.next.mode) == (plan, mode)
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


@pytest.mark.parametrize(
    ("policy", "capabilities", "doubt", "missing"),
    [
        ("standard", _NONE, VerdictReason.NOT_SURE, Capability.FLASH),
        ("standard", _GESTURES, VerdictReason.ONE_PICTURE_MOVED, Capability.FLASH),
        ("no-flash", {Capability.FLASH}, VerdictReason.NOT_SURE, Capability.OVAL_CHANGE),
        ("no-flash", _ALL, VerdictReason.ONE_PICTURE_MOVED, None),
    ],
)
def test_a_device_that_cannot_resolve_doubt_learns_what_it_lacks(
    policy: str, capabilities: Set[Capability], doubt: VerdictReason, missing: Capability | None
) -> None:
    plans = _plans(policy, Mode.EXPRESS, capabilities)
    require_challenge(plans)
    plans.note([doubt])
    with pytest.raises(Refusal) as caught:
        require_challenge(plans)
    assert caught.value.reason is Reason.CAPABILITY_MISSING
    assert caught.value.details == ({} if missing is None else {"capability": missing.value})


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
    assert (plans.next, plans.next.mode) == (Plan.MOVEMENT, Mode.EXPRESS)


def test_the_steps_of_a_stream_are_numbered_over_its_attempts() -> None:
    plans = _plans("adaptive", Mode.EXPRESS)
    conclude_challenge(plans, Mock(spec=FlashRun, next_step=7, fell_back=True))
    assert (plans.first_step, plans.next) == (7, Plan.MOVEMENT)


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
    plans = _plans("standard", Mode.EXPRESS)
    seconds = [plans.expected_seconds(capture=2.5)]
    plans.note(_DOUBT)
    for challenge in (ChallengeKind.FLASH, ChallengeKind.MOVEMENT):
        seconds.append(plans.expected_seconds(capture=2.5))
        plans.leave_out(challenge)
    assert seconds == [2.5, 6.0, 9.0]


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
    captured = plans.capture_plan(CapturePlan(frames=9), early=False)
    assert captured == CapturePlan(frames=9, early_seconds=0.0, open_mouth=mouth, turn_head=turn)
    longer = plans.budget(budget)
    assert longer.max_attempt_seconds == budget.max_attempt_seconds + seconds
    assert longer.max_frames_per_attempt * budget.max_attempt_seconds == (
        budget.max_frames_per_attempt * longer.max_attempt_seconds
    )
    assert longer.max_scan_bytes == budget.max_scan_bytes, "of the protocol"
    plain = _plans("evaluation", requested)
    assert plain.capture_plan(CapturePlan(), early=False) == CapturePlan(early_seconds=0.0)
    assert plain.budget(budget) == budget


def test_only_the_challenge_of_gestures_asks_for_them() -> None:
    plans, budget = _plans("standard", Mode.EXPRESS), CaptureBudget()
    longest = plans.budget(budget).max_attempt_seconds
    assert longest == min(30.0, budget.max_attempt_seconds + 12)
    assert plans.capture_plan(CapturePlan(), early=True) == CapturePlan()
    plans.note(_DOUBT)
    late = CapturePlan(early_seconds=0.0)
    for challenge in (ChallengeKind.FLASH, ChallengeKind.MOVEMENT):
        assert plans.challenge is challenge
        assert plans.capture_plan(CapturePlan(), early=True) == late
        plans.leave_out(challenge)
    assert plans.next is Plan.EXPRESS
    asked = replace(late, open_mouth=True, turn_head=True)
    assert plans.capture_plan(CapturePlan(), early=True) == asked
    assert plans.expected_seconds(capture=4.0) == 4.0 + 2 * 2.0, "for two gestures"


@pytest.mark.parametrize("challenge", [False, True])
def test_only_an_attempt_without_doubt_and_challenge_may_end_early(challenge: bool) -> None:
    plans = _plans("standard", Mode.DYNAMIC if challenge else Mode.EXPRESS, _ALL)
    assert plans.capture_plan(CapturePlan(), early=False).early_share is None
    assert plans.capture_plan(CapturePlan(), early=True).early_share == (None if challenge else 0.5)
    plans.note((VerdictReason.SHOWS_TRUSTED_IMAGE,))
    assert plans.capture_plan(CapturePlan(), early=True).early_share is None


def test_a_scan_that_should_begin_with_a_challenge_does_not_end_early_without_one() -> None:
    plans = _plans("adaptive", Mode.EXPRESS, _NONE)
    assert (plans.challenge, plans.only_sure) == (None, True)
    assert plans.capture_plan(CapturePlan(), early=True).early_share is None


def test_an_attempt_lasts_no_longer_than_the_policy_allows() -> None:
    policy = _policy("evaluation")
    short = policy.model_copy(update={"deadlines": DeadlineRules(attempt_seconds=12)})
    plans = ScanPlans(policy=short, requested=Mode.EXPRESS, capabilities=_ALL)
    assert plans.budget(CaptureBudget()) == CaptureBudget(max_attempt_seconds=12.0)


# An attempt on a pool whose only worker can be blocked: frames, examinations ahead, and the end.


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(workers=1, patience_seconds=60.0)
    yield pool
    pool.close()


class _Counting(FrameAnalyst):
    """Records the frames that it examined, in order, and the threads on which it measured frames."""

    def __init__(self) -> None:
        super().__init__(pack=remembering_pack(), limits=FrameLimits())
        self.examined: list[int] = []
        self.threads: set[str] = set()
        self.held: int | None = None
        self.reached, self.release = threading.Event(), threading.Event()
        self.before: Callable[[], object] = lambda: None

    def measure_frame(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.threads.add(threading.current_thread().name)
        self.before()
        return super().measure_frame(*args, **kwargs)

    def examine(self, seen: SeenFrame, *, with_cues: bool = False) -> ExaminedFrame:
        self.examined.append(seen.observation.index)
        if seen.observation.index == self.held:
            self.reached.set()
            self.release.wait(100)
        return super().examine(seen, with_cues=with_cues)


class _Setting:
    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool
        self.analyst = _Counting()
        self.trace = AttemptTrace(blocks=self.analyst.decoder.coded_blocks)
        self.capture = AttemptCapture(
            analyst=self.analyst,
            plan=PLAN,
            oval=Oval(),
            guidance=GuidanceSettings(),
            random=bytes,
            subject=SCAN_SUBJECT,
        )
        self.work = CaptureWork(self.capture, pool=pool, trace=self.trace, monotonic=lambda: 0.0)

    async def take(self, *indices: int) -> None:
        for index in indices:
            await self.work.measure_frame(_frame(index), arrival=0.0, then_act=False)

    async def ahead(self) -> None:
        await self.work.examine_ahead()
        await until_idle(self.pool)

    @property
    def known(self) -> list[int]:
        return [examined.frame_index for examined in self.capture.examined]


def _frame(index: int) -> FrameMessage:
    picture = pictures()[index]
    return frame_message(index, image=picture.jpeg, capture_time_us=picture.time_us + 1)


async def test_a_frame_is_worked_in_and_traced_on_a_worker(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    await setting.take(0)
    assert len(setting.capture.observations.frames) == 1
    assert len(setting.trace.observed.measured_claims) == len(setting.trace.images) == 1
    assert all(name.startswith("facegate-cpu") for name in setting.analyst.threads)


async def test_an_image_that_cannot_be_used_is_refused(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    broken = frame_message(0, image=undecodable(pictures()[0].jpeg))
    with pytest.raises(Refusal) as caught:
        await setting.work.measure_frame(broken, arrival=0.0, then_act=False)
    assert caught.value.reason is Reason.FRAME_IMAGE_INVALID
    assert caught.value.details["frameIndex"] == 0


async def test_a_frame_is_worked_in_to_its_end_when_the_device_vanishes(pool: WorkerPool) -> None:
    setting, begun, release = _Setting(pool), threading.Event(), threading.Event()

    def hold() -> bool:
        begun.set()
        return release.wait(100)

    setting.analyst.before = hold
    taking = asyncio.ensure_future(setting.take(0))
    assert await asyncio.to_thread(begun.wait, 100)
    taking.cancel()
    await asyncio.sleep(0.02)
    assert not taking.done(), "the attempt must not be read while a thread writes it"
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert len(setting.capture.observations.frames) == 1


async def test_one_frame_at_a_time_is_examined_ahead(pool: WorkerPool) -> None:
    setting, release = _Setting(pool), threading.Event()
    await setting.take(*range(PLAN.frames))
    busy = asyncio.ensure_future(pool.run(release.wait, 100))
    await asyncio.sleep(0.01)
    for _ in range(3):
        await setting.work.examine_ahead()
    frame = asyncio.ensure_future(pool.run(setting.analyst.examined.append, -1))
    await asyncio.sleep(0.01)
    assert not setting.known
    release.set()
    await asyncio.gather(busy, frame)
    await until_idle(pool)
    assert setting.analyst.examined[0] == -1, "a frame of any scan comes before it"
    assert len(setting.analyst.examined) == 2


async def test_the_rest_awaits_examinations_that_run(pool: WorkerPool) -> None:
    setting, release = _Setting(pool), threading.Event()
    await setting.take(*range(PLAN.frames))
    await setting.ahead()
    busy = asyncio.ensure_future(pool.run(release.wait, 100))
    await asyncio.sleep(0.01)
    await setting.work.examine_ahead()
    other = asyncio.ensure_future(pool.run(setting.analyst.examined.append, -1))
    rest = asyncio.ensure_future(setting.work.examine_rest())
    await asyncio.sleep(0.01)
    release.set()
    await asyncio.gather(busy, other, rest)
    assert sorted(setting.analyst.examined[:-1]) == setting.known, "each once"
    assert setting.analyst.examined[-1] == -1, "a caller waits for it now, so it precedes other scans' frames"
    assert len(setting.known) == PLAN.selected


@pytest.mark.parametrize("discarded", [False, True])
async def test_an_early_error_reaches_its_caller_and_is_lost_with_its_attempt(
    pool: WorkerPool, discarded: bool
) -> None:
    setting = _Setting(pool)
    await setting.take(*range(PLAN.frames))
    examination = setting.capture.next_examination()
    assert examination is not None
    object.__setattr__(examination.seen, "pixels", None)
    await setting.ahead()
    if discarded:
        await setting.work.close()
        assert pool.waiting == 0
    else:
        with pytest.raises(ValueError, match="only a frame with a face"):
            await setting.work.examine_rest()


async def test_when_one_examination_fails_the_others_have_ended(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    await setting.take(*range(PLAN.frames))
    held, broken, *_ = setting.capture.examinations(begun=None)
    object.__setattr__(broken.seen, "pixels", None)
    setting.analyst.held = held.index
    rest = asyncio.ensure_future(setting.work.examine_rest())
    assert await asyncio.to_thread(setting.analyst.reached.wait, 100)
    await asyncio.sleep(0.05)
    assert not rest.done(), "a thread still works on the attempt"
    setting.analyst.release.set()
    with pytest.raises(ValueError, match="only a frame with a face"):
        await rest
    assert pool.waiting == 0


async def test_a_second_cancellation_waits_for_the_running_examination(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    await setting.take(*range(PLAN.frames))
    held, *_ = setting.capture.examinations(begun=None)
    setting.analyst.held = held.index
    rest = asyncio.ensure_future(setting.work.examine_rest())
    assert await asyncio.to_thread(setting.analyst.reached.wait, 100)
    for _ in range(2):
        rest.cancel()
        await asyncio.sleep(0.02)
        assert not rest.done(), "a thread still works on the attempt"
    setting.analyst.release.set()
    with pytest.raises(asyncio.CancelledError):
        await rest
    assert pool.waiting == 0


async def test_a_drawn_frame_that_does_not_decode_is_refused_at_the_end(pool: WorkerPool) -> None:
    setting = _Setting(pool)
    await setting.take(0)
    broken = frame_message(1, image=undecodable(pictures()[1].jpeg))
    setting.work.pass_over(broken, arrival=0.0)
    with pytest.raises(Refusal) as caught:
        await setting.work.verify_sample()
    assert caught.value.reason is Reason.FRAME_IMAGE_INVALID


async def _ahead_of_a_replaced_frame(setting: _Setting) -> None:
    """Hold an examination that was started ahead, of a frame that is then no longer selected."""
    await setting.take(*range(PLAN.frames))
    examination = setting.capture.next_examination()
    assert examination is not None
    setting.analyst.held = examination.index
    await setting.work.examine_ahead()
    assert await asyncio.to_thread(setting.analyst.reached.wait, 100)
    setting.capture._kept._selector._kept = [
        kept for kept in setting.capture._kept._selector._kept if kept.index != examination.index
    ]
    assert examination.index not in setting.capture.selected


async def test_an_attempt_is_put_away_after_an_examination_of_a_replaced_frame() -> None:
    pool = WorkerPool(workers=2)
    setting = _Setting(pool)
    await _ahead_of_a_replaced_frame(setting)
    held = setting.analyst.held
    await asyncio.wait_for(setting.work.examine_rest(), 60)
    assert held not in setting.known, "the verdict does not wait for it"
    closing = asyncio.ensure_future(setting.work.close())
    await asyncio.sleep(0.02)
    assert not closing.done(), "a thread still works on the attempt"
    setting.analyst.release.set()
    await closing
    assert pool.waiting == 0
    await setting.work.close()
    pool.close()


async def test_an_examination_that_has_not_begun_is_dropped_with_its_attempt(pool: WorkerPool) -> None:
    setting, release = _Setting(pool), threading.Event()
    await setting.take(*range(PLAN.frames))
    busy = asyncio.ensure_future(pool.run(release.wait, 100))
    await asyncio.sleep(0.01)
    await setting.work.examine_ahead()
    await asyncio.wait_for(setting.work.close(), 60)
    release.set()
    await busy
    await until_idle(pool)
    assert setting.analyst.examined == []


# Every feedback code is sent, or the contract states that it is not.

_REPOSITORY = Path(__file__).resolve().parents[3]
_PREFIX = "FEEDBACK_CODE_"
_ENTRY = re.compile(r"((?:^ +//.*\n)+)^ +FEEDBACK_CODE_(\w+) = \d+;", re.MULTILINE)


def _codes() -> set[str]:
    return {value.name.removeprefix(_PREFIX) for value in feedback_pb2.FeedbackCode.DESCRIPTOR.values}


def _said_not_to_be_sent() -> set[str]:
    """Return the codes whose comment in the contract states that they are not sent."""
    source = (_REPOSITORY / "protos/facegate/v1/feedback.proto").read_text(encoding="utf-8")
    comments = {
        name: " ".join(re.sub(r"^ +//", "", text, flags=re.MULTILINE).split())
        for text, name in _ENTRY.findall(source)
    }
    assert set(comments) == _codes()
    return {name for name, text in comments.items() if "ot sent yet" in text or "never send" in text}


def _named_in_code() -> set[str]:
    """Return the codes that the modules of attempts and scans name, in a table or alone."""
    found = set()
    folders = (Path(folder) for package in (attempt, server.scan) for folder in package.__path__)
    for module in (module for folder in folders for module in folder.glob("*.py")):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return (found | {str(code) for code in (*HintCode, *Gesture)}) & _codes()


def test_every_code_is_sent_or_listed_as_never_sent() -> None:
    assert _named_in_code() == _codes() - _said_not_to_be_sent()

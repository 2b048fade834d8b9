"""The plans of a scan's attempts, their challenges, their limits, and the bytes that they share."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from typing import Final

from attempt import AttemptChallenge, CapturePlan, FlashRun, MovementRun, evidence_of
from liveness import ChallengeEvidence, ChallengeKind, DoubtTerms, VerdictReason, unresolved
from liveness.dynamic import DynamicPolicy
from liveness.dynamic.challenge import ScriptSettings
from server.domain.terms import Mode, Plan
from server.policies import Policy
from server.policies.schema import ChallengeDemands
from server.scan.environment import ScanEnvironment
from server.scan.messages import AdjustmentMessage, Capability, CaptureBudget
from server.storage.records import AttemptRecord

_CHALLENGE_SECONDS = {Plan.FLASH: 6.0, Plan.MOVEMENT: 9.0}
_GESTURE_MADE_AFTER_SECONDS = 2.0
"""From the request until a person who complies has made the gesture."""

_PLANS: Mapping[ChallengeKind | None, Plan] = {
    ChallengeKind.FLASH: Plan.FLASH,
    ChallengeKind.MOVEMENT: Plan.MOVEMENT,
}
"""The plans of challenges. Gestures are requested by hints, in attempts of every plan."""
_CAPABILITIES = {
    ChallengeKind.FLASH: Capability.FLASH,
    ChallengeKind.MOVEMENT: Capability.OVAL_CHANGE,
}

_SMALLEST_FRAME = 8 * 1024
_SMALLEST_FRAMES = {Plan.MOVEMENT: 24 * 1024}
"""Movement is measured in frames of one size, whose shorter side has 480 pixels or more. A device can
lower only the JPEG quality of these."""
_SMALLER_SIDE = 480
FEWER_A_SECOND: Final = 12.0
"""The frame rate that is requested if an attempt should need few bytes.

An approach is measured as well at ten frames per second as at twenty. At twenty, a scan with a flash and two
further attempts of 13 seconds would exceed its bytes. A flash passes as often at 12 frames per second as at
20: 33 and 34 of 38 simulated scans in the dark and indoors, and 10 and 8 of 19 in an office.
"""

LEANEST: Final = 1 / 3
"""The size of the frames that are requested, as a share of that before. A third of a frame of 46 kB is one of
240 x 320, on which the flash was measured."""


def fewer_bytes(plan: Plan, *, max_frame_bytes: int) -> AdjustmentMessage:
    """Return the request for a slow connection: smaller frames, with an eighth of the bytes.

    The size stays the same for movement, which is measured in frames of one size.
    """
    return AdjustmentMessage(
        max_frames_per_second=0.0,
        max_side=0 if plan is Plan.MOVEMENT else _SMALLER_SIDE,
        max_frame_bytes=max_frame_bytes // 8,
    )


def leaner_frames(plan: Plan, *, mean: float) -> AdjustmentMessage:
    """Return the request for answers that come too late: fewer frames, of a third of their size.

    Args:
        mean: The mean size of its frames so far, bytes.
    """
    return AdjustmentMessage(
        max_frames_per_second=FEWER_A_SECOND,
        max_side=0,
        max_frame_bytes=max(smallest_frame(plan), int(LEANEST * mean)),
    )


def smallest_frame(plan: Plan) -> int:
    """Return the least frame size, bytes, that may be requested to make the scan's bytes last."""
    return _SMALLEST_FRAMES.get(plan, _SMALLEST_FRAME)


def fewer_frames(plan: Plan, *, scarce: bool) -> AdjustmentMessage | None:
    """Return the request to reduce the frame rate at the start of an attempt; ``None`` if it is not needed.

    Args:
        scarce: Whether the scan's bytes would not last for the attempts that are still allowed.
    """
    if plan is not Plan.MOVEMENT and not scarce:
        return None
    return AdjustmentMessage(max_frames_per_second=FEWER_A_SECOND, max_side=0, max_frame_bytes=0)


def doubts_of(attempts: Iterable[AttemptRecord]) -> tuple[VerdictReason, ...]:
    """Return the doubts that attempts raised, the earliest first."""
    return tuple(dict.fromkeys(doubt for attempt in attempts for doubt in attempt.doubts))


class ScanPlans:
    """The plans of one stream's attempts, in order.

    A check that demands the flash has no other challenge. Otherwise attempts have none until there is doubt
    about the person (``liveness.doubt``), unless the policy begins with a challenge; then the first challenge
    follows that the policy names, the device shows, the person does not decline, the light allows, and that
    resolves the doubt. Doubt lasts for the check. A later stream knows it, but not what was declined.

    Attributes:
        first_step: The number of the next flash's first step. Numbers continue from attempt to attempt.
        doubts: The doubts of the check's attempts, the earliest first; none if its policy has no challenges
            for them.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        requested: Mode,
        capabilities: Set[Capability],
        attempts: Iterable[AttemptRecord] = (),
        unmeasured: Set[ChallengeKind] = frozenset(),
    ) -> None:
        """Initialise the plans.

        Args:
            requested: The weakest mode that may lead to SUCCESS.
            capabilities: The capabilities that the device announced.
            attempts: The check's earlier attempts.
            unmeasured: The challenges that the pack cannot measure.
        """
        self.first_step = 1
        self.doubts: tuple[VerdictReason, ...] = ()
        self._policy = policy
        self._requested = requested
        self._demanded = requested is Mode.DYNAMIC
        self._answers = policy.answers_doubt(requested)
        self._capabilities = capabilities
        order: tuple[ChallengeKind, ...] = (ChallengeKind.FLASH,) if self._demanded else ()
        if self._answers is not None:
            order = self._answers.order
        self._measured = [each for each in order if each not in unmeasured]
        self._left = [each for each in self._measured if not self._lacking(each)]
        self.note(doubts_of(attempts))

    def _lacking(self, challenge: ChallengeKind) -> list[Capability]:
        demands = self._policy.challenge_for(self._requested, challenge)
        needed = [_CAPABILITIES[challenge]] if challenge in _CAPABILITIES else []
        if demands.open_mouth:
            needed.append(Capability.OPEN_MOUTH)
        if demands.turn_head:
            needed.append(Capability.TURN_HEAD)
        return [each for each in needed if each not in self._capabilities]

    def note(self, doubts: Iterable[VerdictReason]) -> None:
        """Note doubts of the check's attempts, which last."""
        if self._answers is not None:
            self.doubts = tuple(dict.fromkeys((*self.doubts, *doubts)))

    @property
    def answer_doubt(self) -> bool:
        """Whether doubt leads to a challenge."""
        return self._answers is not None

    @property
    def _possible(self) -> list[ChallengeKind]:
        return [each for each in self._left if not unresolved(self.doubts, each)]

    @property
    def challenge(self) -> ChallengeKind | None:
        """The challenge of the next attempt; ``None`` if it makes none."""
        at_start = self._answers is not None and self._answers.at_start
        if not (self._demanded or self.doubts or at_start):
            return None
        return next(iter(self._possible), None)

    @property
    def open(self) -> bool:
        """Whether another attempt can lead to SUCCESS: with a challenge, or without one and without doubt."""
        return self.challenge is not None or not (self._demanded or self.doubts)

    @property
    def missing(self) -> Capability | None:
        """The first capability that the device lacks for a challenge that resolves the doubts."""
        useful = (each for each in self._measured if not unresolved(self.doubts, each))
        return next((lacks for each in useful for lacks in self._lacking(each)), None)

    @property
    def only_sure(self) -> bool:
        """Whether the scan can succeed only beyond doubt, because no challenge can follow."""
        return self._answers is not None and not self._possible

    @property
    def next(self) -> Plan:
        """The plan of the next attempt."""
        return _PLANS.get(self.challenge, Plan.EXPRESS)

    @property
    def mode(self) -> Mode:
        """The mode of the next attempt."""
        return Mode.DYNAMIC if self.next is Plan.FLASH else Mode.EXPRESS

    @property
    def reserved(self) -> int:
        """The number of attempts that doubt would allow beyond those that remain: one, or none."""
        answers = self._answers
        return int(answers is not None and not (answers.at_start or self.doubts) and bool(self._possible))

    def terms(self, challenge: ChallengeKind | None, *, early: bool = False) -> DoubtTerms | None:
        """Return what doubt means for an attempt; ``None`` if the policy has no challenges for it.

        Args:
            early: See ``DoubtTerms``.
        """
        return None if self._answers is None else DoubtTerms(challenge, self.doubts, early)

    def limits(self, challenge: ChallengeKind = ChallengeKind.FLASH) -> DynamicPolicy:
        """Return the policy of an attempt with the challenge."""
        demands = self._policy.challenge_for(self._requested, challenge)
        others = any(each is not ChallengeKind.FLASH for each in self._possible)
        return DynamicPolicy(
            minimum_bits=demands.required_bits,
            blink=demands.blink,
            depth=demands.depth,
            falls_back=others,
        )

    @property
    def _demands(self) -> ChallengeDemands:
        return self._policy.challenge_for(self._requested, self.challenge)

    def expected_seconds(self, *, capture: float) -> float:
        """Return the seconds that the next attempt takes if it is good.

        Args:
            capture: The time of a capture without a challenge, seconds.
        """
        gestures = self._demands.gestures * _GESTURE_MADE_AFTER_SECONDS
        return _CHALLENGE_SECONDS.get(self.next, capture) + gestures

    def capture_plan(self, plan: CapturePlan, *, early: bool) -> CapturePlan:
        """Return the server's plan of a capture, adapted to the policy.

        Args:
            early: Whether the attempt may end early. One with a challenge, or after doubt, never does. Nor
                does one that should begin with a challenge, if the device shows none.
        """
        demands = self._demands
        at_start = self._answers is not None and self._answers.at_start
        early = early and not (self.challenge or self.doubts or at_start)
        return replace(
            plan,
            early_seconds=plan.early_seconds if early else 0.0,
            open_mouth=demands.open_mouth,
            turn_head=demands.turn_head,
        )

    def budget(self, budget: CaptureBudget) -> CaptureBudget:
        """Return the server's limits of a scan, adapted to the policy.

        The policy may allow less time for an attempt, and more if the person may be asked for gestures.
        """
        kinds: tuple[ChallengeKind | None, ...] = (None, *self._left)
        gestures = max(self._policy.challenge_for(self._requested, each).gesture_seconds for each in kinds)
        longer = budget.extended(float(gestures))
        allowed = float(self._policy.deadlines.attempt_seconds)
        return replace(longer, max_attempt_seconds=min(allowed, longer.max_attempt_seconds))

    @property
    def script(self) -> ScriptSettings:
        """The settings from which a flash attempt's steps are drawn."""
        if Capability.FLASH_SCROLL in self._capabilities:
            return ScriptSettings()
        return ScriptSettings(scroll_one_in=None)

    def leave_out(self, challenge: ChallengeKind) -> None:
        """Continue without a challenge, because the person declined it."""
        self._left.remove(challenge)

    def fall_back(self) -> None:
        """Continue without the flash if there is another challenge: the light does not allow the flash."""
        if self.limits().falls_back:
            self._left.remove(ChallengeKind.FLASH)


def start_challenge(env: ScanEnvironment, plans: ScanPlans) -> FlashRun | MovementRun | None:
    """Start the challenge of the next attempt; return ``None`` in EXPRESS.

    Args:
        env: The environment that all streams share. Each draw uses its random source at the time it is
            needed.
    """
    if plans.next is Plan.FLASH:
        return FlashRun.drawn(
            env.random,
            model=env.models.flash,
            limits=plans.limits(),
            script=plans.script,
            first_step=plans.first_step,
        )
    if plans.next is Plan.MOVEMENT:
        return MovementRun.drawn(
            env.random,
            rest=env.limits.oval,
            analyst=env.models.analyst,
            model=env.models.flash,
            blink=plans.limits(ChallengeKind.MOVEMENT).blink,
        )
    return None


def challenge_evidence(
    env: ScanEnvironment, plans: ScanPlans, challenge: AttemptChallenge | None
) -> ChallengeEvidence | None:
    """Return the evidence of an attempt's challenge, for the judge; ``None`` in EXPRESS."""
    kind = ChallengeKind.MOVEMENT if isinstance(challenge, MovementRun) else ChallengeKind.FLASH
    return evidence_of(challenge, limits=plans.limits(kind), model=env.models.flash)


def may_be_declined(challenge: AttemptChallenge | None) -> bool:
    """Return whether cancelling the challenge declines it: that of a flash only before its first colour."""
    return not isinstance(challenge, FlashRun) or not challenge.coloured


def conclude_challenge(plans: ScanPlans, challenge: AttemptChallenge | None) -> None:
    """Update the plans after the end of an attempt's challenge."""
    if isinstance(challenge, FlashRun):
        plans.first_step = challenge.next_step
        if challenge.fell_back:
            plans.fall_back()


_USUAL_A_SECOND: Final = 20.0
_POOR_OVER_GOOD: Final = 2.0
"""The length of an attempt that ends without a decision, in lengths of a good attempt."""
_MEASURED_SECONDS: Final = 1.0
"""The time over which the pace is measured before a request, seconds."""
_PREFERENCE: Final = 1.5
"""The share of an attempt over that of each later one, because most people need no other."""
_SPARE: Final = 0.9
"""The part of the remaining bytes that is planned. The rest is for frames that are already on their way."""


@dataclass(slots=True)
class ScanBytes:
    """Counts the bytes that a stream's frames use, over its attempts.

    Attributes:
        used: Bytes of images in the whole scan, earlier streams included.
        own: Bytes of this stream's images.
    """

    used: int = 0
    frames: int = 0
    own: int = 0

    def add(self, size: int) -> None:
        """Count a frame."""
        self.used += size
        self.own += size
        self.frames += 1

    def scarce(self, *, seconds: float, attempts: int, budget: CaptureBudget) -> bool:
        """Return whether frames at the usual rate would use up the bytes before the last attempt.

        Args:
            seconds: How long a good attempt takes.
            attempts: The number of attempts that are still allowed, the one that begins included.
            budget: The scan's limits.

        Returns:
            False while this stream has no frames, because their size is unknown.
        """
        wanted = attempts * _POOR_OVER_GOOD * seconds * _USUAL_A_SECOND * self.mean
        return wanted > budget.max_scan_bytes - self.used

    def suffice(self, *, seconds: float, budget: CaptureBudget) -> bool:
        """Return whether the remaining bytes suffice for another good attempt at the reduced frame rate.

        Args:
            seconds: How long a good attempt takes.
            budget: The scan's limits.
        """
        least = max(1.0, seconds * FEWER_A_SECOND * self.mean)
        return least <= budget.max_scan_bytes - self.used

    @property
    def mean(self) -> float:
        """The mean size of this stream's frames, bytes; 0 without frames."""
        return self.own / self.frames if self.frames else 0.0

    def share(self, *, attempts: int, budget: CaptureBudget) -> float:
        """Return the bytes that an attempt may use without taking those of later attempts.

        Args:
            attempts: The number of attempts that are still allowed, the one that begins included.
            budget: The scan's limits.
        """
        left = max(0.0, budget.max_scan_bytes - self.used)
        return left * _PREFERENCE / (max(1, attempts) - 1 + _PREFERENCE)


class AttemptShare:
    """Plans one attempt's share of the scan's bytes, so that later attempts keep theirs.

    First the device is requested to send fewer frames, which costs no accuracy (``FEWER_A_SECOND``).
    Smaller frames are requested as late as they still suffice, because most attempts end earlier.
    """

    def __init__(self, share: float, *, longest: float, smallest: int, fewer: bool) -> None:
        """Start an attempt.

        Args:
            share: The bytes that the attempt may use.
            longest: The longest course of the attempt, seconds.
            smallest: The smallest size of a frame that may be requested, bytes.
            fewer: Whether fewer frames were requested at its start.
        """
        self._left = share
        self._longest = longest
        self._smallest = smallest
        self._fewer = fewer
        self._frames = 0
        self._bytes = 0
        self._since = 0.0

    def add(self, size: int) -> None:
        """Count a frame."""
        self._left -= size
        self._bytes += size
        self._frames += 1

    def request(self, elapsed: float) -> AdjustmentMessage | None:
        """Return the request that is due ``elapsed`` seconds after the first frame; ``None`` without one."""
        measured, rest = elapsed - self._since, self._longest - elapsed
        if measured < _MEASURED_SECONDS or rest <= 0 or not self._frames:
            return None
        needed = self._bytes / measured * rest
        if needed <= self._left:
            return None
        rate, size, mean = 0.0, 0, self._bytes / self._frames
        often = (self._frames - 1) / measured
        if not self._fewer and often > FEWER_A_SECOND:
            self._fewer, rate = True, FEWER_A_SECOND
            needed *= FEWER_A_SECOND / often
        # Less only if it would not suffice.
        leanest = max(LEANEST, self._smallest / mean)
        if leanest < 1 and leanest * needed >= _SPARE * self._left:
            share = min(leanest, _SPARE * max(0.0, self._left) / needed)
            size = max(self._smallest, int(share * mean))
        if not (rate or size):
            return None
        self._frames = self._bytes = 0
        self._since = elapsed
        return AdjustmentMessage(max_frames_per_second=rate, max_side=0, max_frame_bytes=size)

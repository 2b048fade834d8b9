"""The plans of a scan's attempts, their challenges, and their limits."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from attempt import AttemptChallenge, CapturePlan, FlashRun, MovementRun, evidence_of
from liveness import ChallengeEvidence, ChallengeKind, DoubtTerms, VerdictReason, unresolved
from liveness.dynamic import DynamicPolicy
from liveness.dynamic.challenge import ScriptSettings
from server.domain.terms import Mode, Plan
from server.policies import Policy
from server.policies.schema import ChallengeDemands
from server.scan.environment import ScanEnvironment
from server.scan.messages import Capability, CaptureBudget
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

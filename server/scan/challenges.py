"""Starts the challenges of a stream's attempts, and collects their evidence for the judge."""

from attempt import AttemptChallenge, FlashRun, MovementRun, evidence_of
from liveness import ChallengeEvidence, ChallengeKind
from server.domain.terms import Plan
from server.scan.environment import ScanEnvironment
from server.scan.plans import ScanPlans

__all__ = ["challenge_evidence", "conclude_challenge", "may_be_declined", "start_challenge"]


def start_challenge(env: ScanEnvironment, plans: ScanPlans) -> FlashRun | MovementRun | None:
    """Starts the challenge of the next attempt; returns ``None`` in EXPRESS.

    Args:
        env: The environment that all streams share. Each draw uses its random source at the time it is
            needed.
        plans: The plans of the scan.
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
            rest=env.settings.oval,
            analyst=env.models.analyst,
            model=env.models.flash,
            blink=plans.limits(ChallengeKind.MOVEMENT).blink,
        )
    return None


def challenge_evidence(
    env: ScanEnvironment, plans: ScanPlans, challenge: AttemptChallenge | None
) -> ChallengeEvidence | None:
    """Returns the evidence of an attempt's challenge, for the judge; ``None`` in EXPRESS."""
    kind = ChallengeKind.MOVEMENT if isinstance(challenge, MovementRun) else ChallengeKind.FLASH
    return evidence_of(challenge, limits=plans.limits(kind), model=env.models.flash)


def may_be_declined(challenge: AttemptChallenge | None) -> bool:
    """Returns whether cancelling the challenge declines it: that of a flash only before its first colour."""
    return not isinstance(challenge, FlashRun) or not challenge.coloured


def conclude_challenge(plans: ScanPlans, challenge: AttemptChallenge | None) -> None:
    """Updates the plans after the end of an attempt's challenge."""
    if isinstance(challenge, FlashRun):
        plans.first_step = challenge.next_step
        if challenge.fell_back:
            plans.fall_back()

"""The challenges of a stream's attempts: made when an attempt begins, and what they leave when it ends."""

from attempt.challenge import AttemptChallenge
from attempt.flash_run import FlashRun
from attempt.judgement import evidence_of
from attempt.movement_run import MovementRun
from liveness.challenge_evidence import ChallengeEvidence
from server.domain.terms import Plan
from server.scan.environment import ScanEnvironment
from server.scan.plans import ScanPlans

__all__ = ["challenge_evidence", "conclude_challenge", "declined", "start_challenge"]


def start_challenge(env: ScanEnvironment, plans: ScanPlans) -> FlashRun | MovementRun | None:
    """What the next attempt asks for beside frames; ``None`` in EXPRESS.

    Args:
        env: What every stream shares; every draw comes from its random source, when it is due.
        plans: What the scan asks for.
    """
    if plans.next is Plan.FLASH:
        return FlashRun.drawn(
            env.random,
            model=env.models.flash,
            limits=plans.limits,
            script=plans.script,
            first_step=plans.first_step,
        )
    if plans.next is Plan.MOVEMENT:
        return MovementRun.drawn(
            env.random, rest=env.settings.oval, analyst=env.models.analyst, model=env.models.flash
        )
    return None


def challenge_evidence(
    env: ScanEnvironment, plans: ScanPlans, challenge: AttemptChallenge | None
) -> ChallengeEvidence | None:
    """What an attempt's challenge leaves for the judge; ``None`` in EXPRESS."""
    return evidence_of(challenge, limits=plans.limits, model=env.models.flash)


def declined(challenge: AttemptChallenge | None) -> bool:
    """Whether an attempt that the person cancelled was a flash that had shown no colour yet."""
    return isinstance(challenge, FlashRun) and not challenge.coloured


def conclude_challenge(plans: ScanPlans, challenge: AttemptChallenge | None) -> None:
    """Tells the plans how an attempt's challenge ended."""
    if isinstance(challenge, FlashRun):
        plans.first_step = challenge.next_step
        if challenge.fell_back:
            plans.fall_back()

"""The challenges of a stream's attempts: made when an attempt begins, and what they leave when it ends."""

from liveness.dynamic.challenge import ColourScript, FlashChallenge, OvalScript
from liveness.dynamic.meter import FlashMeter
from liveness.dynamic.movement import MovementChallenge
from server.checks.terms import Plan
from server.scan.challenge import AttemptChallenge
from server.scan.environment import ScanEnvironment
from server.scan.flash_run import FlashRun
from server.scan.judgement import ChallengeEvidence
from server.scan.movement_run import MovementRun
from server.scan.plans import ScanPlans

__all__ = ["challenge_evidence", "conclude_challenge", "declined", "start_challenge"]


def start_challenge(env: ScanEnvironment, plans: ScanPlans) -> FlashRun | MovementRun | None:
    """What the next attempt asks for beside frames; ``None`` in EXPRESS.

    Args:
        env: What every stream shares; every draw comes from its random source, when it is due.
        plans: What the scan asks for.
    """
    if plans.next is Plan.FLASH:
        challenge = FlashChallenge(
            script=ColourScript(env.random, plans.script, first_number=plans.first_step),
            meter=FlashMeter(env.flash),
            policy=plans.limits,
            depth_line=env.flash.judge.depth_odds,
        )
        return FlashRun(challenge, analyst=env.analyst, pool=env.pool, first_step=plans.first_step)
    if plans.next is Plan.MOVEMENT:
        movement = MovementChallenge(OvalScript(env.random, rest=env.settings.oval))
        return MovementRun(movement, analyst=env.analyst, pool=env.pool)
    return None


def challenge_evidence(
    env: ScanEnvironment, plans: ScanPlans, challenge: AttemptChallenge | None
) -> ChallengeEvidence | None:
    """What an attempt's challenge leaves for the judge; ``None`` in EXPRESS."""
    if challenge is None:
        return None
    return ChallengeEvidence(
        limits=plans.limits,
        flash=challenge.evidence if isinstance(challenge, FlashRun) else None,
        movement=challenge.record if isinstance(challenge, MovementRun) else None,
        model=env.flash,
    )


def declined(challenge: AttemptChallenge | None) -> bool:
    """Whether an attempt that the person cancelled was a flash that had shown no colour yet."""
    return isinstance(challenge, FlashRun) and not challenge.coloured


def conclude_challenge(plans: ScanPlans, challenge: AttemptChallenge | None) -> None:
    """Tells the plans how an attempt's challenge ended."""
    if isinstance(challenge, FlashRun):
        plans.first_step = challenge.next_step
        if challenge.fell_back:
            plans.fall_back()

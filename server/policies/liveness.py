"""Converts the liveness part of a policy."""

from liveness import ChallengeKind, LivenessPolicy
from server.policies import Policy

__all__ = ["liveness_policy"]


def liveness_policy(policy: Policy, challenge: ChallengeKind | None = None) -> LivenessPolicy:
    """Returns the part of the policy of a check that liveness applies.

    Args:
        policy: The policy.
        challenge: The challenge with which an attempt answers doubt; ``None`` without one.
    """
    rules = policy.liveness
    live = rules.live_threshold
    if policy.doubt is not None and challenge is not None:
        live = policy.doubt.live_threshold(challenge)
    return LivenessPolicy(
        live_threshold=live,
        spoof_threshold=rules.spoof_threshold,
        require_pad_network=rules.require_pad_network,
        minimum_frames=rules.minimum_frames,
        evidence=rules.evidence.as_limits(),
    )

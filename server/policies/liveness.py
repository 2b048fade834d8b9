"""Converts the liveness part of a policy."""

from liveness import LivenessPolicy
from server.policies import Policy

__all__ = ["liveness_policy"]


def liveness_policy(policy: Policy) -> LivenessPolicy:
    """Returns the part of the policy of a check that liveness applies."""
    rules = policy.liveness
    return LivenessPolicy(
        live_threshold=rules.live_threshold,
        spoof_threshold=rules.spoof_threshold,
        require_pad_network=rules.require_pad_network,
        minimum_frames=rules.minimum_frames,
        evidence=rules.evidence.as_limits(),
    )

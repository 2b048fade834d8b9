"""The part of a policy that liveness applies."""

from liveness.policy import LivenessPolicy
from server.policies import Policy

__all__ = ["liveness_policy"]


def liveness_policy(policy: Policy) -> LivenessPolicy:
    """The part of a check's policy that liveness applies."""
    rules = policy.liveness
    return LivenessPolicy(
        live_threshold=rules.live_threshold,
        spoof_threshold=rules.spoof_threshold,
        require_pad_network=rules.require_pad_network,
        minimum_frames=rules.minimum_frames,
    )

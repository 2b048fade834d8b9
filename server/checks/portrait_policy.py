"""The matcher's part of a policy file."""

from matcher.portrait_report import PortraitPolicy, RuleChange
from server.policies import Policy

__all__ = ["portrait_policy"]


def portrait_policy(policy: Policy) -> PortraitPolicy:
    """What a policy demands of the trusted image."""
    rules = policy.portrait
    return PortraitPolicy(
        max_bytes=rules.max_bytes,
        max_pixels=rules.max_pixels,
        min_eye_distance=rules.min_eye_distance,
        profile=rules.profile,
        changes={
            code: RuleChange(
                severity=change.severity,
                minimum=change.minimum,
                maximum=change.maximum,
                minimum_score=change.minimum_score,
            )
            for code, change in rules.requirements.items()
        },
        representations=rules.representations,
    )

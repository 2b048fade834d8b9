"""Policies: named settings of a use case, as versioned files that are frozen into each check."""

from server.policies.loading import (
    PolicyBook,
    PolicyFile,
    load_policies,
    parse_policy,
    read_policy,
)
from server.policies.schema import Policy

__all__ = [
    "Policy",
    "PolicyBook",
    "PolicyFile",
    "load_policies",
    "parse_policy",
    "read_policy",
]

"""Derives a device's assurance from its tests: demands, contradictions, decisive tests and signs."""

from device_integrity.policy.assess import (
    DeviceAssessment,
    Shortfall,
    assess,
    find_shortfall,
)
from device_integrity.policy.contradictions import AttestedFacts, check_contradictions
from device_integrity.policy.demands import (
    ATTESTATIONS,
    DECISIVE_NAMES,
    RAISED_NAMES,
    Demand,
    DemandTable,
    Evidence,
    decided_by,
    mark_decisive,
)
from device_integrity.policy.signs import Sign, find_signs

__all__ = [
    "ATTESTATIONS",
    "DECISIVE_NAMES",
    "RAISED_NAMES",
    "AttestedFacts",
    "Demand",
    "DemandTable",
    "DeviceAssessment",
    "Evidence",
    "Shortfall",
    "Sign",
    "assess",
    "check_contradictions",
    "decided_by",
    "find_shortfall",
    "find_signs",
    "mark_decisive",
]

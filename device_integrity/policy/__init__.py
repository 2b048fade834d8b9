"""Derives a device's assurance from its tests: demands, contradictions, decisive tests and signs."""

from device_integrity.policy.assess import (
    DeviceAssessment,
    Shortfall,
    Unmet,
    UnmetReason,
    assess,
    find_shortfall,
)
from device_integrity.policy.contradictions import AttestedFacts, check_contradictions
from device_integrity.policy.demands import (
    ATTESTATIONS,
    DECISIVE_CHECKS,
    DECISIVE_NAMES,
    RAISED_NAMES,
    Demand,
    DemandTable,
    Evidence,
    decided_by,
    mark_decisive,
)
from device_integrity.policy.signs import InjectionInstrument, InjectionMethod, Sign, find_signs

__all__ = [
    "ATTESTATIONS",
    "DECISIVE_CHECKS",
    "DECISIVE_NAMES",
    "RAISED_NAMES",
    "AttestedFacts",
    "Demand",
    "DemandTable",
    "DeviceAssessment",
    "Evidence",
    "InjectionInstrument",
    "InjectionMethod",
    "Shortfall",
    "Sign",
    "Unmet",
    "UnmetReason",
    "assess",
    "check_contradictions",
    "decided_by",
    "find_shortfall",
    "find_signs",
    "mark_decisive",
]

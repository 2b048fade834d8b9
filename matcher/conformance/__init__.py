"""The conformance report of a trusted image, component by component of ISO/IEC 29794-5."""

from matcher.conformance.interface import Component, Method
from matcher.conformance.remedies import remedy_for
from matcher.conformance.requirement import IntakeCode, RequirementCode, requirement_code

__all__ = [
    "Component",
    "IntakeCode",
    "Method",
    "RequirementCode",
    "remedy_for",
    "requirement_code",
]

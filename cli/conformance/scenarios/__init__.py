"""The scenarios, in the order in which they run."""

from typing import Final

from cli.conformance.scan import Scenario
from cli.conformance.scenarios.capture import CAPTURE
from cli.conformance.scenarios.challenges import CHALLENGES
from cli.conformance.scenarios.connections import CONNECTIONS
from cli.conformance.scenarios.screen import SCREEN

__all__ = ["SCENARIOS"]

SCENARIOS: Final[tuple[Scenario, ...]] = (*CAPTURE, *SCREEN, *CHALLENGES, *CONNECTIONS)

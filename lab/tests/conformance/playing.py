"""Runs scenarios against a client in this process."""

import asyncio
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric import ec

from lab.conformance.clients import Client, ReferenceClient
from lab.conformance.conductor import Conductor, Outcome, Verdict
from lab.conformance.endpoint import listening
from lab.conformance.opening import Ticket
from lab.conformance.scenarios import SCENARIOS

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
SLOW = ("reconnect-limit", "no-challenge", "back-off")
"""Most of their time is waiting, the longest first."""


async def played(
    names: Iterable[str], client: Client | None = None, *, origin: str = ""
) -> dict[str, Outcome]:
    """The outcomes of scenarios, by name."""
    key = ec.generate_private_key(ec.SECP256R1())
    conductor = Conductor(Ticket(token="conformance-token", private_key=key), wait_s=60.0)
    async with listening(conductor.add_stream, origins=[origin] if origin else []) as addresses:
        running = conductor.run(map(BY_NAME.__getitem__, names), addresses, client or ReferenceClient())
        return {outcome.scenario.name: outcome async for outcome in running}


async def played_at_once(
    names: Iterable[str], client: Client | None = None, *, servers: int, origin: str = ""
) -> dict[str, Outcome]:
    """The same on several servers, of which each takes the next scenario once it has played one."""
    rest = iter(names)
    parts = await asyncio.gather(*(played(rest, client, origin=origin) for _ in range(servers)))
    return {name: outcome for part in parts for name, outcome in part.items()}


def failures(outcomes: dict[str, Outcome]) -> dict[str, str]:
    """Why scenarios were not passed, by name."""
    return {
        name: f"{outcome.verdict}, {outcome.rule}: {outcome.detail}"
        for name, outcome in outcomes.items()
        if outcome.verdict is not Verdict.PASSED
    }

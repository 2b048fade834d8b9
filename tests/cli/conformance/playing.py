"""Runs scenarios against a client in this process."""

import asyncio
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric import ec

from cli.conformance.clients import Client, ReferenceClient
from cli.conformance.conductor import Conductor, Outcome
from cli.conformance.endpoint import listening
from cli.conformance.opening import Ticket
from cli.conformance.scenarios import SCENARIOS

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
SLOW = ("back-off", "no-challenge", "reconnect-limit")


async def played(
    names: Sequence[str], client: Client | None = None, *, origin: str = ""
) -> dict[str, Outcome]:
    """The outcomes of scenarios, by name."""
    key = ec.generate_private_key(ec.SECP256R1())
    conductor = Conductor(Ticket(token="conformance-token", private_key=key), wait_s=20.0)
    scenarios = [BY_NAME[name] for name in names]
    async with listening(conductor.add_stream, origins=[origin] if origin else []) as addresses:
        running = conductor.run(scenarios, addresses, client or ReferenceClient())
        return {outcome.scenario.name: outcome async for outcome in running}


async def played_at_once(names: Sequence[str], *, runs: int) -> dict[str, Outcome]:
    """The same, spread over several servers, each with a client of its own."""
    parts = await asyncio.gather(*(played(names[first::runs]) for first in range(runs)))
    return {name: outcome for part in parts for name, outcome in part.items()}

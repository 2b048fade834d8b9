"""The memory of a server does not grow with the scans that it has served."""

from pathlib import Path

import pytest

from server.configuration.settings import EVALUATION_POLICY
from tests.server.process.memory import memory_after, scan_material
from tests.server.process.server_process import DataFolder

_ROUNDS = 6


@pytest.mark.slow
async def test_memory_does_not_grow_from_scan_to_scan(tmp_path: Path) -> None:
    policies = {"folder": str(tmp_path / "policies"), "default": EVALUATION_POLICY}
    async with DataFolder(tmp_path, policies=policies).serving() as server:
        with scan_material() as material:
            seen = [await memory_after(server, material, scans=4, at_once=4)]
            # Threads and models take buffers when they are first used: a round may add what none after it
            # does. A scan holds some 20 MiB while it runs: keeping a tenth of it adds 32 MiB in every round.
            for _ in range(_ROUNDS):
                seen.append(await memory_after(server, material, scans=16, at_once=4))
                if seen[-1].own - max(memory.own for memory in seen[:-1]) < 16:
                    return
    pytest.fail(f"The memory grew in each of {_ROUNDS} rounds of 16 scans: {seen}")

"""The memory of a server does not grow with the scans that it has served."""

from pathlib import Path

import pytest

from server.configuration.settings import EVALUATION_POLICY
from tests.server.process.memory import memory_after, scan_material
from tests.server.process.server_process import DataFolder

_MOST_ROUNDS = 10
_GROWN_MIB = 40
"""A scan holds some 20 MiB while it runs: keeping a tenth of it adds 64 MiB in two rounds of 16."""


@pytest.mark.slow
@pytest.mark.long
async def test_memory_does_not_grow_from_scan_to_scan(tmp_path: Path) -> None:
    policies = {"folder": str(tmp_path / "policies"), "default": EVALUATION_POLICY}
    own: list[int] = []
    async with DataFolder(tmp_path, policies=policies).serving() as server:
        with scan_material() as material:
            # Threads and models take buffers when they are first used: two rounds later both sides have them.
            while len(own) < 4 or (_growth(own) >= _GROWN_MIB and len(own) < _MOST_ROUNDS):
                own.append((await memory_after(server, material, scans=16, at_once=4)).own)
    assert _growth(own) < _GROWN_MIB, own


def _growth(own: list[int]) -> int:
    """The growth from the two rounds before the last two to these, MiB."""
    return min(own[-2:]) - min(own[-4:-2])

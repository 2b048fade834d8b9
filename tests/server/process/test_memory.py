"""The memory of a server does not grow with the scans that it has served."""

from pathlib import Path

import pytest

from server.configuration.settings import EVALUATION_POLICY
from tests.server.process.memory import memory_after, scan_material
from tests.server.process.server_process import DataFolder


@pytest.mark.slow
async def test_memory_does_not_grow_from_scan_to_scan(tmp_path: Path) -> None:
    policies = {"folder": str(tmp_path / "policies"), "default": EVALUATION_POLICY}
    async with DataFolder(tmp_path, policies=policies).serving() as server:
        with scan_material() as material:
            few = await memory_after(server, material, scans=4, at_once=4)
            many = await memory_after(server, material, scans=16, at_once=4)
    # A scan holds some 20 MiB while it runs: what would keep a tenth of it is found.
    assert many.own - few.own < 32, (few, many)

"""The short form of ``make cluster``: few devices, four faults; counts are compared, never times."""

import asyncio
from pathlib import Path

import pytest

from tests.cluster.devices import crowd
from tests.cluster.run import Plan, run
from tests.deploy.edge import require_proxy

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(1800)]


def test_no_verdict_is_lost_while_parts_of_a_cluster_fail(tmp_path: Path) -> None:
    require_proxy("haproxy")
    plan = Plan(
        minutes=0.0,
        faults=("kill -9", "database restart", "S3 outage", "certificates"),
        away_s=4.0,
        scans=1,
        busy=True,
    )
    report = asyncio.run(run(plan, tmp_path, print))
    assert not report.problems, "\n".join(report.problems)
    assert {visit.device.kind for visit in report.visits} == {device.kind for device in crowd()}
    document = report.document()
    # More devices came than scans fit.
    assert document["refusals"]
    assert document["resumed"]
    verdicts = document["verdicts"]
    assert isinstance(verdicts, dict)
    assert verdicts["SUCCESS"]

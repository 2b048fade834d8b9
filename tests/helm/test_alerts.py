"""Each alert rule of the chart fires when it should, with its labels, as Prometheus evaluates it."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.server.telemetry.chart_files import alerts

_CASES = Path(__file__).with_name("alerts.yaml")


def test_each_alert_has_a_case() -> None:
    cases = {case["name"].partition(",")[0] for case in yaml.safe_load(_CASES.read_text())["tests"]}
    assert cases == {alert.name for alert in alerts()}


def test_the_alerts_fire_when_they_should() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed; on Debian: apt-get install prometheus")
    done = subprocess.run(
        ["promtool", "test", "rules", str(_CASES)], check=False, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr

"""Recorded live persons, as the reference client would send them, without injection."""

from pathlib import Path

import pytest

from device_integrity.check import DeviceFinding
from research.device_alarms.material import live_scans
from research.device_alarms.measure import checks_of


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_live_clips_fail_nothing_hard_and_noise_alone_softly(assets: Path) -> None:
    scans = live_scans(assets)
    failed = {
        (check.name, check.soft)
        for scan in scans
        for check in checks_of(scan)
        if check.outcome is DeviceFinding.FAIL
    }
    # One clip has such a low bit rate that no noise is left; see docs/device_integrity.md.
    assert failed <= {("stream.noise", True)}
    assert len(scans) > 40

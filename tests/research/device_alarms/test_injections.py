import pytest

from device_integrity.check import DeviceFinding
from research.device_alarms.injections import INJECTIONS
from research.device_alarms.measure import UNMEASURED, checks_of
from tests.research.device_alarms.clips import made_scan


@pytest.mark.parametrize("species", INJECTIONS)
def test_an_injected_scan_is_as_long_as_the_honest_one(species: str) -> None:
    scan = made_scan()
    injected = INJECTIONS[species](scan)
    assert len(injected.jpegs) == len(scan.jpegs)
    assert injected.jpegs != scan.jpegs
    assert len({image.shape for image in injected.pixels()}) == 1


def test_tests_without_recorded_data_are_left_out() -> None:
    checks = {check.name: check for check in checks_of(made_scan())}
    assert not set(checks) & set(UNMEASURED)
    assert checks["stream.duplicates"].outcome is DeviceFinding.PASS
    looped = {check.name: check for check in checks_of(INJECTIONS["looped file"](made_scan()))}
    assert looped["stream.duplicates"].outcome is DeviceFinding.FAIL

from device_integrity.check import DeviceFinding
from device_integrity.stream import StreamTracer, check_stream
from tests.device_integrity.stream.streams import camera_stream, measured


def test_a_cameras_stream_fails_nothing() -> None:
    for seed in range(3):
        checks = check_stream(measured(camera_stream(seed=seed), seed=seed))
        assert not [check for check in checks if check.outcome is DeviceFinding.FAIL]


def test_no_stream_passes_nothing() -> None:
    checks = check_stream(StreamTracer().measurements)
    assert len({check.name for check in checks}) == len(checks) == 7
    assert {check.outcome for check in checks} <= {DeviceFinding.UNAVAILABLE, DeviceFinding.NOT_EVALUATED}


def test_only_returning_bytes_fail_hard() -> None:
    jpegs = camera_stream(12)
    checks = check_stream(measured([*jpegs, *jpegs, *jpegs]))
    assert [check.name for check in checks if check.outcome is DeviceFinding.FAIL and not check.soft] == [
        "stream.duplicates"
    ]

from dataclasses import replace

from research.device_alarms.memory_study import COPIES, study_memory
from tests.research.device_alarms.clips import made_scan


def test_pairs_are_counted_by_kind() -> None:
    scan = made_scan(40)
    backwards = replace(scan, jpegs=scan.jpegs[::-1])
    same_frames = replace(scan, source="another")
    found = study_memory([scan, backwards, same_frames], copies={"mirrored": COPIES["mirrored"]})
    assert len(found.second_scans) == 1
    # A scan under another name is a copy, and it is not one of the scan that runs backwards.
    assert sorted(found.strangers) == [False, True]
    assert found.same_pictures == 3
    assert found.copies == {"mirrored": (True, True, True)}

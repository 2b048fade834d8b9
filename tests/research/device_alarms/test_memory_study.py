from dataclasses import replace

from research.device_alarms.memory_study import study_memory
from tests.research.device_alarms.clips import made_scan


def test_pairs_are_counted_by_kind() -> None:
    scan = made_scan(40)
    later = replace(scan, jpegs=scan.jpegs[::-1])
    stranger = replace(scan, source="another", jpegs=scan.jpegs[20:] + scan.jpegs[:20])
    found = study_memory([scan, later, stranger])
    assert (found.honest_pairs, found.stranger_pairs, found.replay_pairs) == (1, 2, 3)
    assert 0 <= found.shifted <= found.replay_pairs

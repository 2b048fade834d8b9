from facegate_client.attempt import AttemptTally, ScanTally


def test_frames_count_for_the_attempt_and_the_scan() -> None:
    scan = ScanTally()
    for attempt in (1, 2):
        tally = AttemptTally(scan)
        tally.count_dropped(2)
        assert tally.dropped_before == 2
        tally.send(100)
        tally.count_dropped(1)
        tally.send(50)
        assert (tally.frames, tally.dropped, tally.dropped_before) == (2, 3, 0)
        assert (scan.frames, scan.dropped) == (2 * attempt, 3 * attempt)
        assert scan.bytes == tally.scan_bytes == 150 * attempt


def test_a_result_is_awaited_from_the_end_until_it_comes_or_another_attempt_begins() -> None:
    scan = ScanTally()
    tally = AttemptTally(scan)
    tally.note_end()
    awaited = [scan.awaiting_result]
    tally.note_result()
    awaited.append(scan.awaiting_result)
    tally.note_end()
    AttemptTally(scan)
    awaited.append(scan.awaiting_result)
    assert awaited == [True, False, False]

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from server.audit import Tally

_NOW = datetime(2027, 3, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


def test_the_first_passes_and_repeats_are_counted_for_a_minute() -> None:
    tally: Tally[str] = Tally(most=4)
    assert tally.record_or_count("a", _NOW)
    assert [tally.record_or_count("a", _NOW) for _ in range(3)] == [False] * 3
    assert tally.due(_NOW + _MINUTE / 2) == ()
    (repeats,) = tally.due(_NOW + _MINUTE)
    assert (repeats.key, repeats.count) == ("a", 3)
    # It goes on: one entry a minute.
    assert not tally.record_or_count("a", _NOW + _MINUTE)
    assert [repeats.count for repeats in tally.due(_NOW + 2 * _MINUTE)] == [1]
    assert tally.due(_NOW + 3 * _MINUTE) == ()
    assert tally.record_or_count("a", _NOW + 3 * _MINUTE)


def test_kinds_beyond_the_limit_are_counted_together() -> None:
    tally: Tally[int] = Tally(most=2)
    assert [tally.record_or_count(kind, _NOW) for kind in range(5)] == [True, True, False, False, False]
    assert [(repeats.key, repeats.count) for repeats in tally.due(_NOW + _MINUTE)] == [(None, 3)]
    assert tally.record_or_count(9, _NOW + _MINUTE)


def test_the_end_reports_running_minutes() -> None:
    tally: Tally[str] = Tally(most=2)
    tally.record_or_count("a", _NOW)
    tally.record_or_count("a", _NOW)
    assert [repeats.count for repeats in tally.due(_NOW, everything=True)] == [1]
    assert tally.due(_NOW, everything=True) == ()


def test_a_clock_that_was_set_back_blocks_nothing() -> None:
    tally: Tally[str] = Tally(most=1)
    tally.record_or_count("a", _NOW)
    assert tally.due(_NOW - 100 * _MINUTE) == ()
    assert tally.record_or_count("b", _NOW - 100 * _MINUTE)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 30)), max_size=80))
def test_nothing_is_lost_and_writes_are_bounded(steps: list[tuple[int, int]]) -> None:
    tally: Tally[int] = Tally(most=3)
    now, written, counted = _NOW, 0, 0
    for kind, seconds in steps:
        now += timedelta(seconds=seconds)
        written += tally.record_or_count(kind, now)
        found = tally.due(now)
        written += len(found)
        counted += sum(repeats.count for repeats in found)
    last = tally.due(now, everything=True)
    counted += sum(repeats.count for repeats in last)
    minutes = (now - _NOW) / _MINUTE + 1
    taken = len(steps) - counted
    assert taken >= 0
    assert written <= (minutes + 1) * 2 * 4

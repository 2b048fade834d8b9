"""The capture time of an image."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.records import CaptureTime


def test_a_moment_is_parsed() -> None:
    moment = CaptureTime(2022, 12, 28, 20, 51, 16, 542)
    assert moment.given
    assert moment.utc == datetime(2022, 12, 28, 20, 51, 16, 542_000, tzinfo=UTC)


@pytest.mark.parametrize("moment", [CaptureTime(), CaptureTime(0, 0, 0, 0, 0, 0, 0)])
def test_a_missing_time_stays_missing(moment: CaptureTime) -> None:
    assert not moment.given
    assert moment.utc is None


def test_unknown_milliseconds_are_none() -> None:
    assert CaptureTime(2005, 12, 15, 17, 35, 20).utc == datetime(2005, 12, 15, 17, 35, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "moment",
    [
        CaptureTime(2022, 13, 1, 0, 0, 0, 0),
        CaptureTime(2022, 2, 30, 0, 0, 0, 0),
        CaptureTime(2022, 1, 1, 24, 0, 0, 0),
        CaptureTime(2022, 1, 1, 0, 0, 0, 1000),
        CaptureTime(60_000, 1, 1, 0, 0, 0, 0),
        CaptureTime(2022),
    ],
)
def test_an_impossible_moment_is_given_but_none(moment: CaptureTime) -> None:
    assert moment.given
    assert moment.utc is None


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))  # noqa: DTZ001
def test_a_moment_survives_to_the_millisecond(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    cut = aware.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert CaptureTime.of_datetime(moment).utc == cut
    assert CaptureTime.of_datetime(aware.astimezone(timezone(timedelta(hours=5)))).utc == cut

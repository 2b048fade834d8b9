import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.bench.jobs import DeviceJob, ScanTimes

jobs = st.builds(
    DeviceJob,
    target=st.text(),
    frames=st.text(),
    frames_per_second=st.floats(min_value=1, max_value=60),
    tickets=st.lists(st.tuples(st.text(), st.text())).map(tuple),
    flash=st.booleans(),
)
times = st.builds(
    ScanTimes,
    frames=st.integers(0, 1000),
    dropped=st.integers(0, 1000),
    seconds_to_result=st.none() | st.floats(min_value=0, max_value=100),
    seconds_from_last_frame=st.none() | st.floats(min_value=0, max_value=100),
    error=st.text(),
)


@given(job=jobs)
def test_a_job_survives_the_pipe(job: DeviceJob) -> None:
    line = job.to_line()
    assert line.count("\n") == 1
    assert DeviceJob.from_line(line) == job


@given(scans=st.lists(times, max_size=3).map(tuple))
def test_times_survive_the_pipe(scans: tuple[ScanTimes, ...]) -> None:
    line = ScanTimes.to_line(scans)
    assert line.count("\n") == 1
    assert ScanTimes.from_line(line) == scans


@pytest.mark.parametrize("line", ["", "nonsense", "[1]", "{}", '{"target": 1}', '[{"x": 1}]', "7"])
def test_nonsense_is_a_value_error(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's error is a ValueError with words of its own
        DeviceJob.from_line(line)
    with pytest.raises(ValueError):  # noqa: PT011 - likewise
        ScanTimes.from_line(line if line != "{}" else "")

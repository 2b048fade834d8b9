"""What the stream checks cost; a ratio of times, so it is measured where nothing else runs."""

import pytest

from evaluation.device_alarms.speed import stream_cost
from tests.evaluation.device_alarms.clips import made_scan


@pytest.mark.slow
def test_stream_checks_cost_less_than_half_of_a_decoding() -> None:
    scan = made_scan(24)
    costs = [stream_cost(scan) for _ in range(8)]
    assert all(cost.decode > cost.decode_luma > 0 for cost in costs)
    # Measured at 0.34 in the median; the least of eight, as whatever else runs only adds to it.
    assert min(cost.share for cost in costs) < 0.5

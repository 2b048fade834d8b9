"""The cost of the stream tests; a ratio of times, so it is measured while nothing else runs."""

import pytest

from research.device_alarms.speed import stream_cost
from tests.research.device_alarms.clips import made_scan


@pytest.mark.slow
@pytest.mark.alone
def test_stream_checks_cost_a_part_of_a_decoding() -> None:
    """``docs/device_integrity.md`` has the cost on an idle machine; half of a decoding is the target.

    The minimum of twelve is used for each part, because other load only adds to it. Other load on the
    same core affects Python more than a decoder, and once made the ratio 0.51: hence the margin.
    """
    scan = made_scan(24)
    costs = [stream_cost(scan) for _ in range(12)]
    assert all(cost.decode > cost.decode_luma > 0 for cost in costs)
    checks = min(cost.trace for cost in costs) + min(cost.judge for cost in costs)
    assert checks / min(cost.decode for cost in costs) < 0.75

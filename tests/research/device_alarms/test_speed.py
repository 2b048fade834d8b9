"""What the stream checks cost; a ratio of times, so it is measured where nothing else runs."""

import pytest

from research.device_alarms.speed import stream_cost
from tests.research.device_alarms.clips import made_scan


@pytest.mark.slow
@pytest.mark.alone
def test_stream_checks_cost_a_part_of_a_decoding() -> None:
    """``docs/device_integrity.md`` has what they cost on an idle machine; half of a decoding is the target.

    Each part's least of twelve is taken, as whatever else runs only adds to it. What runs beside it on the
    same core weighs on Python more than on a decoder, and once made 0.51 of it: hence the room.
    """
    scan = made_scan(24)
    costs = [stream_cost(scan) for _ in range(12)]
    assert all(cost.decode > cost.decode_luma > 0 for cost in costs)
    checks = min(cost.trace for cost in costs) + min(cost.judge for cost in costs)
    assert checks / min(cost.decode for cost in costs) < 0.75

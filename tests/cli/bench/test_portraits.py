import pytest

from cli.bench.portraits import Intake, intake_measurement, two_megabytes
from evaluation.bench import NothingMeasured
from formats.image_header import parse_header
from simulator import builtin_photos


@pytest.mark.slow
def test_the_portrait_is_as_large_as_an_upload_may_be() -> None:
    data = two_megabytes(builtin_photos(names=("astronaut",))["astronaut"].pixels)
    assert 1_800_000 <= len(data) <= 2_000_000
    assert parse_header(data).pixels == 2400 * 2400


def test_the_intake_is_compared_with_its_unavoidable_cost() -> None:
    intakes = (
        Intake(whole=0.12, models=0.06, decoding=0.02),
        Intake(whole=0.09, models=0.04, decoding=0.02),
    )
    measurement = intake_measurement("p", intakes=intakes, size=2_000_000)
    assert measurement.values == pytest.approx((1.5, 1.5))
    assert (measurement.unit, measurement.load) == ("", "a portrait of 2.00 MB")


def test_without_intakes_there_is_no_figure() -> None:
    with pytest.raises(NothingMeasured):
        intake_measurement("p", intakes=(), size=1)

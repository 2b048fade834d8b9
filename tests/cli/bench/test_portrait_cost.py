import pytest

from cli.bench.portrait_cost import portrait_measurements, two_megabytes
from evaluation.bench import NothingMeasured
from simulator import builtin_photos
from vision.image_header import parse_header


def test_ratios_are_of_the_same_run() -> None:
    times = {"bare": (0.1, 0.2), "whole": (0.3, 0.4)}
    bare, ratio = portrait_measurements("p", times=times, size=1_990_000)
    assert bare.values == pytest.approx((100, 200))
    assert (ratio.name, ratio.unit, ratio.load) == ("whole / bare", "", "a portrait of 1.99 MB")
    assert ratio.values == pytest.approx((3.0, 2.0))


def test_without_times_there_is_no_figure() -> None:
    with pytest.raises(NothingMeasured):
        portrait_measurements("p", times={"bare": ()}, size=1)


def test_the_portrait_is_as_large_as_an_upload_may_be() -> None:
    data = two_megabytes(builtin_photos(names=("astronaut",))["astronaut"].pixels)
    assert 1_800_000 <= len(data) <= 2_000_000
    assert parse_header(data).pixels == 2400 * 2400

from types import SimpleNamespace
from typing import cast

import cv2
import numpy as np
import pytest

from cli.bench.selfie_cost import measure_selfies, phone_selfie, selfie_measurements
from cli.bench.setting import Bench, Effort
from evaluation.bench import NothingMeasured
from formats.exif import ExifState
from formats.image_header import parse_header
from formats.picture_metadata import read_exif_tags
from simulator import builtin_photos

_TIMES = {
    "cv2.imdecode": (0.05, 0.06),
    "AnalyzeImage, eight signals": (0.10, 0.18),
    "AnalyzeImage, eight signals, on the clock": (0.11, 0.19),
    "the eight signals alone": (0.01, 0.02),
}


def test_ratios_are_of_the_same_run() -> None:
    bare, ratio, wall, signals = selfie_measurements("p", times=_TIMES, size=3_900_000)
    assert bare.values == pytest.approx((50, 60))
    assert (ratio.name, ratio.unit) == ("AnalyzeImage, eight signals / cv2.imdecode", "")
    assert ratio.values == pytest.approx((2.0, 3.0))
    assert wall.values == pytest.approx((110, 190))
    assert signals.values == pytest.approx((10, 20))
    assert {each.load for each in (bare, ratio, wall, signals)} == {"a selfie of 12 megapixels, 3.9 MB"}


def test_without_times_there_is_no_figure() -> None:
    with pytest.raises(NothingMeasured):
        selfie_measurements("p", times=dict.fromkeys(_TIMES, ()), size=1)


@pytest.mark.slow
def test_the_selfie_is_as_a_phone_writes_it() -> None:
    photo = builtin_photos(names=("astronaut",))["astronaut"].pixels
    data = phone_selfie(photo)
    header = parse_header(data)
    assert (header.width, header.height, header.orientation) == (4000, 3000, 6)
    assert 1_000_000 < len(data) < 10_000_000
    tags = read_exif_tags(data)
    assert (tags.state, tags.make, tags.f_number, tags.iso) == (ExifState.READ, "Facegate", 1.8, 100)
    upright = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert upright is not None
    assert upright.shape == (4000, 3000, 3)


@pytest.mark.slow
async def test_the_suite_measures_a_pack() -> None:
    said: list[str] = []
    bench = SimpleNamespace(pack="embedded", effort=Effort(runs=2, scans_at_once=()), say=said.append)
    found = await measure_selfies(cast("Bench", bench))
    assert said == ["embedded: selfies"]
    assert [len(measurement.values) for measurement in found] == [2, 2, 2, 2]
    _, ratio, _, signals = found
    assert ratio.least > 1
    assert signals.most > 0

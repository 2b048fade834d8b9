import pytest

from cli.bench.record_cost import record_measurements, record_times
from evaluation.bench import NothingMeasured
from matcher.errors import TrustedImageRefused
from matcher.records import (
    EyeCentres,
    QualityBlock,
    RecordMetadata,
    RecordVersion,
    build_record,
    serialise,
)
from tests.formats.samples import jpeg_head


def test_figures_of_two_runs() -> None:
    ratio, reading = record_measurements({"a record": ((0.001, 0.003), (0.002, 0.004))})
    assert ratio.values == pytest.approx((3.0, 2.0))
    assert reading.values == pytest.approx((3000, 4000))
    assert [(one.unit, one.load) for one in (ratio, reading)] == [("", "a record"), ("us", "a record")]


def test_without_times_there_is_no_figure() -> None:
    with pytest.raises(NothingMeasured):
        record_measurements({"a record": ()})


@pytest.mark.parametrize("size", [18_000, 1_900_000])
def test_reading_costs_ten_times_hashing_at_most(size: int) -> None:
    known = RecordMetadata(eyes=EyeCentres((5, 3), (2, 3)), quality=(QualityBlock(40, 1, 1),))
    picture = jpeg_head(8, 8) + bytes(size)
    data = serialise(build_record(picture, version=RecordVersion.ISO_19794_5_2011, metadata=known))
    ratios = [read / hashed for hashed, read in record_times(data, runs=3, total=5_000_000)]
    assert min(ratios) <= 10


def test_a_record_is_hashed_and_read_in_every_run() -> None:
    data = serialise(build_record(jpeg_head(8, 8), version=RecordVersion.ISO_19794_5_2005))
    pairs = record_times(data, runs=2, total=10_000)
    assert len(pairs) == 2
    assert all(hashed > 0 and read > 0 for hashed, read in pairs)
    with pytest.raises(TrustedImageRefused):
        record_times(b"no record", runs=1, total=100)

import pytest

from cli.bench.devices import ScanTimes
from cli.bench.scans import ScanRun, scan_measurements
from evaluation.bench import Measurement, ModelUse, NothingMeasured

# Every model once: 20 ms + 30 ms. All of them in a run: 1 s + 0.3 s.
USE = ModelUse(calls={"detector": 50, "embedder": 10}, seconds={"detector": 1.0, "embedder": 0.3})


def run(*results: float, server: float = 2.6, use: ModelUse = USE, refused: int = 0) -> ScanRun:
    scans = tuple(
        ScanTimes(frames=40, dropped=10, seconds_to_result=seconds, refused=2 * (number < refused))
        for number, seconds in enumerate(results)
    )
    return ScanRun(scans=scans, server_seconds=server, models=use)


def by_name(measurements: tuple[Measurement, ...]) -> dict[tuple[str, str], Measurement]:
    return {(m.name, m.unit): m for m in measurements}


def test_figures_of_two_runs() -> None:
    figures = by_name(
        scan_measurements("p", at_once=2, runs=(run(0.1, 0.2), run(0.3, 0.4, server=5.2, refused=1)))
    )
    assert figures["CPU a frame / its model time", ""].values == pytest.approx((2.0, 4.0))
    assert figures["AttemptEnd to ScanResult", "model frames"].values == pytest.approx((2.0, 4.0, 6.0, 8.0))
    assert figures["AttemptEnd to ScanResult", "ms"].values == pytest.approx((100, 200, 300, 400))
    assert figures["every model once", "ms"].values == pytest.approx((50.0, 50.0))
    assert figures["server CPU a frame", "ms"].values == pytest.approx((32.5, 65.0))
    assert figures["scans a core and second", "scans"].values == pytest.approx((2 / 2.6, 2 / 5.2))
    assert figures["refused at first", "%"].values == pytest.approx((0.0, 50.0))
    assert figures["images without credit", "%"].values == pytest.approx((20.0, 20.0))
    assert {m.load for m in figures.values()} == {"2 scans at once"}
    assert {m.pack for m in figures.values()} == {"p"}


def test_one_scan_is_called_one_scan() -> None:
    assert scan_measurements("p", at_once=1, runs=(run(0.1),))[0].load == "1 scan"
    flashed = scan_measurements("p", at_once=1, runs=(run(0.1),), flash=True)
    assert flashed[0].load == "1 DYNAMIC scan"


def test_without_models_there_is_no_ratio() -> None:
    idle = ModelUse(calls={}, seconds={})
    with pytest.raises(NothingMeasured):
        scan_measurements("p", at_once=1, runs=(run(0.1, use=idle),))


def test_without_runs_there_is_no_figure() -> None:
    with pytest.raises(NothingMeasured):
        scan_measurements("p", at_once=1, runs=())

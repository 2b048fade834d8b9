from pathlib import Path

import pytest

from cli.bench.naive_load import Comparison, naive_measurements
from cli.bench.naive_pipeline import NaiveVerdict
from cli.bench.naive_scans import RecordedScan, real_scans
from evaluation.bench import Measurement
from tests.packs import real_pack


def verdict(success: bool, seconds: float) -> NaiveVerdict:
    return NaiveVerdict(success=success, cosine=0.5, real_probability=None, frames=50, seconds=seconds)


def compared(
    *,
    load: str = "1 scan",
    server: float = 0.5,
    success: bool = True,
    genuine: bool = True,
    **naive: NaiveVerdict,
) -> Comparison:
    return Comparison(
        scan="s",
        genuine=genuine,
        load=load,
        frames=40,
        offered=50,
        server_seconds=server,
        express_seconds=0.8 * server,
        model_seconds=0.2,
        receipt_seconds=0.05,
        success=success,
        naive=naive,
    )


def by_name(measurements: tuple[Measurement, ...]) -> dict[tuple[str, str], tuple[float, ...]]:
    return {(m.load, m.name): m.values for m in measurements}


def test_figures_of_two_loads() -> None:
    figures = by_name(
        naive_measurements(
            "p",
            [
                compared(tuned=verdict(True, 2.0), plain=verdict(True, 5.0)),
                compared(server=1.0, tuned=verdict(False, 2.0), plain=verdict(True, 4.0)),
                compared(load="clips", success=False, genuine=False, tuned=verdict(True, 1.0)),
            ],
        )
    )
    assert figures["1 scan", "server CPU / naive CPU (tuned)"] == pytest.approx((0.25, 0.5))
    assert figures["1 scan", "server CPU / naive CPU (plain)"] == pytest.approx((0.1, 0.25))
    assert figures["1 scan", "Express CPU / naive CPU (tuned)"] == pytest.approx((0.2, 0.4))
    # 0.5 s for 40 frames received, and 2.0 s for the 50 that the device could have sent.
    received = figures["1 scan", "server CPU / naive CPU, of a received frame (tuned)"]
    assert received == pytest.approx((0.3125, 0.625))
    assert figures["1 scan", "frames received"] == pytest.approx((80.0, 80.0))
    assert figures["1 scan", "server CPU a scan"] == (0.5, 1.0)
    assert figures["1 scan", "naive CPU a frame (tuned)"] == pytest.approx((40.0, 40.0))
    assert figures["1 scan", "verdict as the naive one's (tuned)"] == (100.0, 0.0)
    assert figures["clips", "server CPU / naive CPU (tuned)"] == pytest.approx((0.5,))
    assert figures["clips", "verdict as the naive one's (tuned)"] == (0.0,)
    assert figures["1 scan", "naive verdict right (tuned)"] == (100.0, 0.0)
    assert figures["1 scan", "server's verdict right"] == (100.0, 100.0)
    assert figures["clips", "naive verdict right (tuned)"] == (0.0,)
    assert figures["clips", "server's verdict right"] == (100.0,)
    assert ("clips", "server CPU / naive CPU (plain)") not in figures
    assert figures["1 scan", "receipt and decoding / model CPU"] == pytest.approx((0.25, 0.25))
    assert figures["1 scan", "server CPU / model CPU"] == pytest.approx((2.5, 5.0))
    assert figures["clips", "server CPU / model CPU"] == pytest.approx((2.5,))


def test_nothing_compared_is_no_figure() -> None:
    assert naive_measurements("p", []) == ()


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(15.0, [0, 1, 2, 3, 4, 5]), (30.0, [0, 1, 2, 3, 5, 6]), (48.0, [0, 2, 4, 6, 8, 10])],
)
def test_a_fast_camera_is_thinned_out_as_a_device_does(
    tmp_path: Path, rate: float, expected: list[int]
) -> None:
    for number in range(12):
        (tmp_path / f"{number:05d}.jpg").touch()
    scan = RecordedScan(name="s", portrait=b"", frames=tmp_path, frames_per_second=rate, genuine=True)
    assert [int(file.stem) for file in scan.as_sent(6)] == expected
    assert len(scan.as_sent(99)) <= 12


@pytest.mark.parametrize(("rate", "frames"), [(15.0, 31), (30.0, 49)])
def test_a_device_could_have_sent_the_frames_of_the_whole_time(
    tmp_path: Path, rate: float, frames: int
) -> None:
    scan = RecordedScan(name="s", portrait=b"", frames=tmp_path, frames_per_second=rate, genuine=True)
    assert scan.offered(2.0) == frames
    assert scan.offered(0.0) == 1


@pytest.mark.slow
def test_a_clip_becomes_a_scan(assets: Path, tmp_path: Path) -> None:
    scan = next(real_scans(assets / "data" / "video", tmp_path, pack=real_pack(), most=1))
    assert 5 <= scan.frames_per_second <= 60
    assert len(scan.as_sent(40)) == 40
    assert scan.portrait.startswith(b"\xff\xd8")
    assert scan.genuine

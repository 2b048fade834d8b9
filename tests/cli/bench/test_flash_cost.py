"""The flash's own work: a whole flash on a tinted scan, and its total cost."""

from pathlib import Path

import pytest

from cli.bench.flash_cost import FlashCost, flash_measurements, run_flash
from cli.bench.material import frame_pictures, make_material
from cli.errors import BenchFailed, ScanNotMeasured
from evaluation.bench import NothingMeasured
from tests.packs import real_pack


def _cost(each: float) -> FlashCost:
    return FlashCost(frames=50, detections=0.004, pictures=0.001, each=each, decoding=0.001, judging=0.01)


def test_figures_of_two_runs() -> None:
    figures = {(m.name, m.unit): m for m in flash_measurements("p", [_cost(0.002), _cost(0.003)])}
    assert figures["flash CPU a frame / one detection", ""].values == pytest.approx((0.5, 0.75))
    both_decoded = figures["flash CPU a frame / one detection, both with decoding", ""]
    assert both_decoded.values == pytest.approx((0.4, 0.6))
    once_decoded = figures["flash CPU a frame once decoded / one detection", ""]
    assert once_decoded.values == pytest.approx((0.25, 0.5))
    assert figures["flash CPU a frame", "ms"].values == pytest.approx((2.0, 3.0))
    assert figures["judging a flash", "ms"].values == pytest.approx((10.0, 10.0))
    with pytest.raises(NothingMeasured):
        flash_measurements("p", [])


def test_input_without_a_frame_is_reported(tmp_path: Path) -> None:
    (tmp_path / "0.jpg").write_bytes(b"no picture")
    with pytest.raises(BenchFailed, match="cannot be decoded"):
        frame_pictures(tmp_path)


@pytest.mark.slow
def test_a_tinted_scan_goes_through_a_whole_flash(tmp_path: Path) -> None:
    make_material(tmp_path, seconds=9.0, frames_per_second=15.0)
    frames = frame_pictures(tmp_path)
    cost = run_flash(real_pack(), frames, frames_per_second=15.0)
    assert 30 <= cost.frames < len(frames)
    assert min(cost.detections, cost.pictures, cost.decoding, cost.judging) > 0
    assert cost.each > cost.decoding
    assert cost.decoding < cost.pictures, "it is shared with whoever looks at the frame"
    with pytest.raises(ScanNotMeasured, match="--seconds"):
        run_flash(real_pack(), frames[:20], frames_per_second=15.0)

"""The fit from rows to a data file, on rows made by hand."""

from pathlib import Path

import numpy as np
import pytest

from liveness.fusion_model_file import load_fusion_model, parse_fusion_model
from research.liveness_fusion.fit import fit_model, main
from research.liveness_fusion.model_text import model_text
from research.liveness_fusion.parts import Limits
from research.liveness_fusion.reliability import draw_reliability, reliability_bins
from research.liveness_fusion.rows import Row, RowKind, RowsUnusable, read_rows, write_rows


def _rows() -> list[Row]:
    rng = np.random.default_rng(1)
    rows = []
    for number in range(60):
        live = number % 2 == 0
        toward = 0.85 if live else 0.15
        source = f"Silent-Face-Anti-Spoofing/{number % 6}"

        def around(middle: float) -> float:
            return float(np.clip(rng.normal(middle, 0.15), 0.01, 0.99))

        cues = {"colour_gamut": around(0.6 if live else 0.3), "blur_depth": around(0.5)}
        network = {"n": around(toward)}
        motion = {"planar_motion": around(toward), "micro_motion": around(toward)}
        species = "" if live else "screen"
        rows += [
            Row(RowKind.CLIP, f"c{number}", source, species, live, motion | cues, network),
            Row(RowKind.PICTURE, f"p{number}", source, species, live, cues, network),
        ]
    return rows


def test_the_fit_finds_what_tells_and_records_what_it_saw() -> None:
    model = fit_model(_rows(), load_fusion_model(), Limits())
    assert model.temporal.weights["planar_motion"] > 0.3
    assert "blink" not in model.temporal.weights
    assert model.scan_networks.known["n"].weight > 0.3
    assert model.cues.weights["colour_gamut"] > model.cues.weights["blur_depth"]
    assert set(model.reliability) == {"scan_without_network", "scan_n", "still_n"}
    assert sum(one.count for one in model.reliability["still_n"]) == 60
    assert "30 live" in model.record["data"]
    for name in ("low", "standard", "high"):
        assert "30" in model.record[f"left_out_{name}_scans"]
    assert parse_fusion_model(model_text(model)).record == model.record


def test_the_command_writes_a_model_and_a_chart(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="charts need the extra evaluation")
    write_rows(tmp_path / "rows", _rows())
    assert main([str(tmp_path / "rows"), "--out", str(tmp_path / "out")]) == 0
    assert parse_fusion_model((tmp_path / "out/fusion_model.toml").read_text()).version == "6"
    assert (tmp_path / "out/reliability.png").read_bytes().startswith(b"\x89PNG")


def test_rows_are_read_as_they_were_written_and_others_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    write_rows(path, _rows()[:3])
    assert read_rows(path) == _rows()[:3]
    for text in ("{}", "3", "[", '{"kind": "novel"}'):
        path.write_text(text)
        with pytest.raises(RowsUnusable):
            read_rows(path)
    assert main([str(path), "--out", str(tmp_path)]) == 2


def test_bins_hold_what_became_of_predictions(tmp_path: Path) -> None:
    bins = reliability_bins([0.05, 0.02, 0.95, 0.97, 1.0, 0.96], [False, False, True, True, True, False])
    assert [(one.live, one.count) for one in bins] == [(0, 2), (3, 4)]
    # Clopper-Pearson for 3 of 4, from tables of the beta distribution.
    assert bins[1].lower == pytest.approx(0.194, abs=1e-3)
    assert bins[1].upper == pytest.approx(0.994, abs=1e-3)
    assert bins[0].predicted == pytest.approx(0.035)
    pytest.importorskip("matplotlib", reason="charts need the extra evaluation")
    draw_reliability({"all": bins}, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 1000

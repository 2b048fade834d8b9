"""The fit from rows to a data file, on rows made by hand."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from liveness.fusion_model import FusionModel, load_fusion_model, parse_fusion_model
from research.liveness_fusion.fit import fit_model, main, model_text
from research.liveness_fusion.left_out import reliability_bins
from research.liveness_fusion.parts import OWN, PUBLIC, Limits
from research.liveness_fusion.rows import Row, RowKind, RowsUnusable, read_rows, write_rows

_ALL = " + ".join(sorted(PUBLIC))


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
        networks = {name: around(toward) for name in (*PUBLIC, OWN)}
        motion = {"planar_motion": around(toward), "micro_motion": around(toward), "blink": around(toward)}
        species = "" if live else "screen"
        rows += [
            Row(RowKind.CLIP, f"c{number}", source, species, live, motion | cues, networks),
            Row(RowKind.PICTURE, f"p{number}", source, species, live, cues, networks),
        ]
    return rows


@cache
def _fitted() -> FusionModel:
    return fit_model(_rows(), load_fusion_model(), Limits())


def test_the_fit_finds_the_signals_that_distinguish_and_records_its_data() -> None:
    model = _fitted()
    assert model.motion.weights["planar_motion"] > 0.3
    assert "blink" not in model.motion.weights
    assert model.scan_networks.calibration_for(PUBLIC).weight > 0.3
    for names in ((), PUBLIC[:1], PUBLIC):
        cues = model.still_networks.calibration_for(names).cues
        assert cues is not None
        assert cues.weights["colour_gamut"] > cues.weights["blur_depth"]
    assert "30 live" in model.record["data"]
    for name in ("low", "standard", "high"):
        assert "30" in model.record[f"left_out_{name}_scans"]


def test_the_record_and_the_curves_are_of_each_network_and_of_the_public_ones_together() -> None:
    model = _fitted()
    shown = [*PUBLIC, OWN, _ALL]
    curves = {f"{kind}_{networks}" for kind in ("scan", "still") for networks in shown}
    assert set(model.reliability) == {"scan_without_network", *curves}
    assert sum(one.count for one in model.reliability[f"still_{_ALL}"]) == 60
    for title in ("scans", "stills"):
        stated = model.record[f"left_out_standard_{title}"]
        assert all(f"{networks}: live " in stated for networks in ["without_network", *shown])
    photos = model.record["left_out_standard_photos_in_motion"]
    assert "without_network" in photos
    assert PUBLIC[0] not in photos


def test_the_fitted_model_is_written_as_a_text_that_is_read_as_the_same_model() -> None:
    model = _fitted()
    read = parse_fusion_model(model_text(model))
    assert read.record == model.record
    assert set(read.reliability) == set(model.reliability)
    assert set(read.scan_networks.known) == set(model.scan_networks.known)
    assert set(read.still_networks.known) == set(model.still_networks.known)
    for names, calibration in read.scan_networks.known.items():
        assert calibration.weight == pytest.approx(model.scan_networks.known[names].weight, abs=1e-3)
        assert calibration.motion_for == model.scan_networks.known[names].motion_for
        assert calibration.sure == model.scan_networks.known[names].sure


def test_the_command_writes_a_model(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows", _rows())
    assert main([str(tmp_path / "rows"), "--out", str(tmp_path / "out")]) == 0
    assert parse_fusion_model((tmp_path / "out/fusion_model.toml").read_text()).version == "8"


def test_rows_are_read_as_they_were_written_and_others_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    write_rows(path, _rows()[:3])
    assert read_rows(path) == _rows()[:3]
    for text in ("{}", "3", "[", '{"kind": "novel"}'):
        path.write_text(text)
        with pytest.raises(RowsUnusable):
            read_rows(path)
    assert main([str(path), "--out", str(tmp_path)]) == 2


def test_bins_contain_the_observed_outcomes() -> None:
    bins = reliability_bins([0.05, 0.02, 0.95, 0.97, 1.0, 0.96], [False, False, True, True, True, False])
    assert [(one.live, one.count) for one in bins] == [(0, 2), (3, 4)]
    # Clopper-Pearson for 3 of 4, from tables of the beta distribution.
    assert bins[1].lower == pytest.approx(0.194, abs=1e-3)
    assert bins[1].upper == pytest.approx(0.994, abs=1e-3)
    assert bins[0].predicted == pytest.approx(0.035)

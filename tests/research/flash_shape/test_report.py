from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from research.flash_shape.record import read_scan, write_scan
from research.flash_shape.report import area, judged_scans, tables
from tests.research.flash_shape.builders import answered, head_scan, predicted


def test_a_scan_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "scan.npz"
    write_scan(path, head_scan(person="7b", strength=0.42))
    found = read_scan(path)
    assert (found.person, found.strength, found.kind) == ("7b", 0.42, "genuine")
    np.testing.assert_array_equal(found.mesh, head_scan().mesh)
    np.testing.assert_array_equal(found.places, head_scan().places)
    assert [one.name for one in tmp_path.iterdir()] == ["scan.npz"]


def test_scans_without_landmarks_or_in_the_dark_are_not_judged() -> None:
    scans = [head_scan(), head_scan(strength=1.2), head_scan(mesh=np.zeros((0, 3)))]
    assert len(judged_scans(scans)) == 1


def test_area_counts_pairs() -> None:
    assert area(np.array([2.0, 3.0]), np.array([1.0, 2.0])) == pytest.approx(0.875)
    assert area(np.array([5.0]), np.array([1.0])) == 1.0


def test_a_table_names_every_statistic_of_people_who_were_not_fitted_on() -> None:
    scans = []
    for person in ("0a", "1a", "2a", "3a"):
        for kind in ("genuine", "print", "cut-out-print", "injected-tint"):
            scan = head_scan(person=person, kind=kind)
            pattern = predicted(scan) if kind == "genuine" else np.zeros(140)
            shown = answered(scan, pattern, noise=0.02)
            scans.append(shown if kind == "genuine" else replace(shown, uneven=0.1, relief=0.02))
    lines = tables(judged_scans(scans), [])
    assert lines[0] == "fitted on 8 scans"
    judged = [line for line in lines if line.startswith(("present", "slope ", "all joined"))]
    assert len(judged) == 6  # indoors, and indoors and in an office
    for line in judged:
        assert "AUC 1.000" in line
        assert "0 % of the people below" in line
        assert "2 people pass where 0 sheets do (today 2)" in line

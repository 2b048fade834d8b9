import sys

import cv2
import numpy as np
import pytest

from evaluation.figures import FiguresUnavailable, require_figures
from evaluation.match.report import det_chart, histogram_chart, histogram_counts
from tests.evaluation.match.reports import made_report

BLUE = (178, 114, 0)
"""The first curve's colour in OpenCV's order."""


def picture(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    assert png.startswith(b"\x89PNG")
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels.astype(np.uint8)


def coloured(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> int:
    return int((np.abs(pixels.astype(int) - BLUE).max(axis=2) < 12).sum())


def test_a_det_chart_shows_each_pack_and_is_the_same_again() -> None:
    pytest.importorskip("matplotlib")
    report = made_report()
    both, one = det_chart(report.of_set("main"), title="t"), det_chart(report.of_set("main")[1:], title="t")
    assert coloured(picture(both)) > 300
    assert both == det_chart(report.of_set("main"), title="t")
    assert both != one


def test_without_genuine_comparisons_there_is_no_curve() -> None:
    pytest.importorskip("matplotlib")
    chart = det_chart(made_report(photos=1).of_set("main"), title="t")
    assert coloured(picture(chart)) == 0


def test_histograms_have_a_panel_for_each_pack() -> None:
    pytest.importorskip("matplotlib")
    series = made_report().of_set("main")
    both, one = (picture(histogram_chart(each, title="t")) for each in (series, series[:1]))
    assert both.shape[0] > one.shape[0] * 1.4


def test_each_comparison_is_in_one_bin() -> None:
    (_, result), _ = made_report().of_set("main")
    edges, genuine, impostors = histogram_counts(result)
    assert genuine.sum() == result.comparisons.same.cosines.size
    assert impostors.sum() == result.comparisons.impostors.comparisons
    cosines = np.concatenate([result.comparisons.same.cosines, result.comparisons.impostors.scores])
    assert 0 <= cosines.min() - edges[0] < 0.001
    assert 0 <= edges[-1] - cosines.max() <= 0.001


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(FiguresUnavailable, match=r"facegate\[evaluation\]"):
        require_figures()

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from evaluation.figures import FiguresUnavailable, require_figures
from evaluation.pad.evaluation import evaluate_run
from evaluation.pad.mistakes import mistakes_sheet, worst_mistakes
from evaluation.pad.report import det_chart, histogram_chart
from evaluation.pad.resampling import Bootstrap, draw
from tests.evaluation.pad.samples import crowd, scored

BOOTSTRAP = Bootstrap(resamples=100, confidence=0.95, seed=5)


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR))


def test_charts_are_pictures_and_come_out_the_same() -> None:
    pytest.importorskip("matplotlib")
    samples = crowd(sources=1, persons=4, each=5, species=("print", "deepfake"))
    run = scored(samples, apart=1.0)
    silent = scored(samples, apart=1.0, silent=range(len(samples)), name="silent")
    results = [
        evaluate_run(each, draws=draw(samples, BOOTSTRAP), bootstrap=BOOTSTRAP) for each in (run, silent)
    ]
    det, scores = det_chart(results, title="t"), histogram_chart([run, silent], title="t")
    assert pixels(det).shape[1] == pixels(scores).shape[1]
    assert pixels(det).std() > 5
    assert det == det_chart(results, title="t")
    assert det != det_chart(results[1:], title="t")


def test_a_missing_library_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(FiguresUnavailable, match=r"facegate\[evaluation\]"):
        require_figures()


def test_the_worst_come_first_and_each_file_once(tmp_path: Path) -> None:
    samples = crowd(sources=1, persons=3, each=10)
    samples = [
        replace(sample, path=samples[0].path) if at < 8 and sample.live else sample
        for at, sample in enumerate(samples)
    ]
    run = scored(samples, apart=0.5)
    found = worst_mistakes(run, each=4)
    lives = [mistake for mistake in found if mistake.sample.live]
    attacks = [mistake for mistake in found if not mistake.sample.live]
    assert len({mistake.sample.path for mistake in found}) == len(found)
    assert lives[0].score == run.scores[run.live].min()
    assert attacks[0].score == run.scores[~run.live].max()
    assert [mistake.score for mistake in lives] == sorted(mistake.score for mistake in lives)
    assert worst_mistakes(scored(samples, apart=1.0, silent=range(len(samples)))) == ()


def test_the_sheet_shows_the_readable_images(tmp_path: Path) -> None:
    samples = crowd(sources=1, persons=1, each=2)
    run = scored(samples, apart=0.5)
    path = tmp_path / "blue.png"
    cv2.imwrite(str(path), np.full((40, 30, 3), (255, 0, 0), np.uint8))
    shown = worst_mistakes(run)
    there = [replace(mistake, sample=replace(mistake.sample, path=path)) for mistake in shown]
    content, grey = mistakes_sheet(there), mistakes_sheet(shown)
    assert content is not None
    assert grey is not None
    blue = (pixels(content)[..., 0] > 200) & (pixels(content)[..., 2] < 60)
    assert blue.sum() > 180 * 100
    assert not ((pixels(grey)[..., 0] > 200) & (pixels(grey)[..., 2] < 60)).any()
    assert mistakes_sheet([]) is None

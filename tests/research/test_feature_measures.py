"""The command's own computations; its figures are in docs/trusted_images.md."""

import csv
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from research.feature_measures.__main__ import main, painted, share
from tests.research.parts import SHORT_CLIPS, small_assets, some_photos


@pytest.mark.parametrize(
    ("found", "of", "words"),
    [
        # Clopper-Pearson bounds from tables of the binomial distribution.
        (0, 10, "0 of 10 (0.0%; 0.0% to 30.8%)"),
        (10, 10, "10 of 10 (100.0%; 69.2% to 100.0%)"),
        (2, 20, "2 of 20 (10.0%; 1.2% to 31.7%)"),
        (0, 0, "none"),
    ],
)
def test_a_share_has_its_bounds(found: int, of: int, words: str) -> None:
    assert share(found, of) == words


@pytest.mark.parametrize("what", ["lens", "hair"])
def test_an_eye_is_hidden_and_the_rest_is_not(what: str) -> None:
    image = np.full((616, 616, 3), 180, dtype=np.uint8)
    painted(image, (300, 270), what)
    assert image[255:285, 280:320].max() < 110
    assert (image[400:] == 180).all()
    assert (image[:, :200] == 180).all()


def test_each_photo_is_judged_once_in_one_of_three_words() -> None:
    lines = (files("research.feature_measures") / "expressions.csv").read_text("utf-8").splitlines()
    rows = list(csv.DictReader(lines))
    assert len({row["file"] for row in rows}) == len(rows) == 156
    assert {row["expression"] for row in rows} == {"neutral", "smile", "other"}


def test_missing_assets_are_reported_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--assets", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("could not measure: ")


@pytest.mark.timeout(1200)
def test_photos_and_a_clip_are_judged(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = some_photos(assets / "data/faces", people=2, each=1)
    made = small_assets(assets, tmp_path / "assets", photos=photos, clips=list(SHORT_CLIPS[:1]))
    assert main(["--assets", str(made)]) == 0
    printed = capsys.readouterr().out
    assert "Expression neutrality" in printed
    assert "Eyes visible" in printed
    assert "The average eye of 2 persons" in printed
    assert "Eyes open, 1 clips" in printed

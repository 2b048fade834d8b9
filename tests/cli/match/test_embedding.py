import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from evaluation.match.comparisons import MOST_TEMPLATES
from evaluation.match.measuring import acquired, embed_with_progress
from evaluation.match.photos import FacePhoto, NothingToMeasure
from matcher.persons import PHOTO_SUBJECT
from tests.evaluation.bench.packs import burning_pack


def test_formats_that_need_it_go_through_the_isolated_decoder(tmp_path: Path) -> None:
    photos = []
    for name, kind in (("one.jpg", "WEBP"), ("two.png", "PNG")):
        Image.new("RGB", (64, 64), (90, 120, 150)).save(tmp_path / name, kind)
        photos.append(FacePhoto(tmp_path / name, name, apart=False))
    (tmp_path / "three.jpg").write_bytes(b"none")
    photos.append(FacePhoto(tmp_path / "three.jpg", "three", apart=False))
    photos.append(FacePhoto(tmp_path / "gone.jpg", "gone", apart=False))
    stream = io.StringIO()
    console = Console(file=stream, width=200)
    (run,) = embed_with_progress(
        photos, packs=[burning_pack()], subject=PHOTO_SUBJECT, workers=2, console=console
    )
    assert [template.identity for template in run.templates] == ["one.jpg", "two.png"]
    np.testing.assert_array_equal(acquired(run), [True, True, False, False])
    assert "2 files cannot be read as images: three.jpg, gone.jpg" in stream.getvalue()


def test_more_photos_than_can_be_compared_are_refused_before_any_is_read(tmp_path: Path) -> None:
    photos = [FacePhoto(tmp_path / "none.jpg", "one", apart=False)] * (MOST_TEMPLATES + 1)
    with pytest.raises(NothingToMeasure, match="too many to measure at once"):
        embed_with_progress(
            photos, packs=[], subject=PHOTO_SUBJECT, workers=1, console=Console(file=io.StringIO())
        )

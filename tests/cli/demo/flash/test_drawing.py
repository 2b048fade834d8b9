"""One drawing, as markup of a page and as an image file."""

import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from facegate.v1 import result_pb2
from PIL import Image

from cli.demo.flash import FlashStrip, file_picture, page_picture, png, svg
from cli.demo.flash.drawing import Bar, Dot, Drawing, Label, PlacedJpeg, Stroke, shifted
from tests.cli.demo.builders import FLASH_SIGNALS, strip
from vision.image import encode_jpeg

_GREY = encode_jpeg(np.full((18, 15, 3), 128, np.uint8), quality=90)
_SHAPES = (
    Bar(10, 10, 30, 20, "#ff6c6c", 0, "line", "a <hint>"),
    PlacedJpeg(50, 10, 15, 18, _GREY),
    Stroke(((0, 45), (80, 45)), "ink", 2.0, dashed=True),
    Dot(75, 20, 4, "good"),
    Dot(88, 20, 4, "bad", hollow=True),
    Label(5, 60, "text & more", 12, "ink", bold=True),
)
_DRAWING = Drawing(width=100, height=70, shapes=_SHAPES, spoken="what <it> shows")


def _pixels(drawing: Drawing) -> np.typing.NDArray[np.uint8]:
    with Image.open(io.BytesIO(png(drawing))) as picture:
        return np.asarray(picture.convert("RGB"))


def test_a_picture_file_has_every_shape_at_twice_its_place() -> None:
    pixels = _pixels(_DRAWING)
    assert pixels.shape == (140, 200, 3)
    assert tuple(pixels[40, 50]) == (255, 108, 108)
    assert pixels[40, 115] == pytest.approx([128, 128, 128], abs=3)
    assert tuple(pixels[40, 150]) == (19, 121, 91)
    assert tuple(pixels[40, 176]) == (255, 255, 255), "a hollow dot has nothing inside"
    dashes = (pixels[90, :160] < 100).all(axis=1)
    assert 0.4 < dashes.mean() < 0.7
    assert np.abs(np.diff(dashes.astype(int))).sum() > 10
    assert (pixels[100:130] < 60).any()


class _Markup(HTMLParser):
    """Reads markup strictly: every element that is opened is closed, in order."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.spoken: str | None = ""
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        self.spoken = dict(attrs).get("aria-label", self.spoken)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_markup_is_well_formed_and_takes_its_colours_from_the_page() -> None:
    markup = str(svg(_DRAWING))
    read = _Markup(markup)
    assert read.open == []
    assert read.tags == ["svg", "rect", "title", "image", "polyline", "circle", "circle", "text"]
    assert read.spoken == "what <it> shows"
    assert read.text.split() == ["a", "<hint>", "text", "&", "more"]
    assert set(re.findall(r"#[0-9a-f]{6}", markup)) == {"#ff6c6c"}, (
        "only the message itself is a fixed colour"
    )
    assert set(re.findall(r"var\(--([a-z-]+)\)", markup)) == {"line", "ink", "good", "bad"}


def test_shapes_move_as_a_whole() -> None:
    moved = [shifted(shape, right=2, down=3) for shape in _SHAPES]
    assert moved[2] == Stroke(((2, 48), (82, 48)), "ink", 2.0, dashed=True)
    assert (moved[0], moved[4]) == (
        Bar(12, 13, 30, 20, "#ff6c6c", 0, "line", "a <hint>"),
        Dot(90, 23, 4, "bad", hollow=True),
    )


def _texts(drawing: Drawing) -> list[str]:
    return [shape.text for shape in drawing.shapes if isinstance(shape, Label)]


def test_a_strip_shows_the_finding_of_the_server() -> None:
    drawing = page_picture(strip())
    assert "of 2 that were drawn at random the face answered 1, 0 were contradicted" in drawing.spoken
    texts = _texts(drawing)
    assert {"known", "no face", "9", "1"} <= set(texts)
    swatches = [one.fill for one in drawing.shapes if isinstance(one, Bar) and one.hint]
    assert swatches == ["#c7c7c7", "#ff6c6c", "#6c6cff"]
    assert len([one for one in drawing.shapes if isinstance(one, PlacedJpeg)]) == 2
    dashed = [one for one in drawing.shapes if isinstance(one, Stroke) and one.dashed]
    assert len(dashed) == 4, "three curves and one in the legend"


def test_a_curve_is_broken_where_frames_are_missing() -> None:
    whole = strip()
    assert whole.curves is not None
    kept = np.r_[0:15, 25:40]
    curves = type(whole.curves)(
        times=whole.curves.times[kept],
        face=whole.curves.face[kept],
        background=None,
        expected=whole.curves.expected[kept],
        lag=None,
    )
    broken = page_picture(FlashStrip(columns=whole.columns, curves=curves))
    lines = [one for one in broken.shapes if isinstance(one, Stroke) and one.colour == "flash-blue"]
    assert sorted(len(line.points) for line in lines) == [2, 15, 15]
    assert not [one for one in broken.shapes if isinstance(one, Stroke) and one.colour == "flash-behind"][1:]


def test_missing_curves_are_stated() -> None:
    assert "Too few frames could be measured for the light on the face over time." in _texts(
        page_picture(strip(curves=False))
    )


@pytest.mark.parametrize("count", [1, 3, 16])
def test_any_number_of_colours_fits(count: int) -> None:
    column = strip().columns[1]
    drawing = page_picture(FlashStrip(columns=(column,) * count, curves=strip().curves))
    pictures = [one for one in drawing.shapes if isinstance(one, PlacedJpeg)]
    assert len(pictures) == count
    assert max(one.x + one.width for one in pictures) <= drawing.width
    assert _pixels(drawing).shape[1] == 2 * drawing.width


def test_a_file_refers_to_no_other_file() -> None:
    drawing = file_picture(
        strip(),
        title="A mask",
        outcome="SUCCESS: the attack passed",
        tone="warn",
        sentences=("One. " * 40,),
        signals=FLASH_SIGNALS,
    )
    texts = _texts(drawing)
    assert {"A mask", "SUCCESS: the attack passed", "Colours of the answer", "0.92"} <= set(texts)
    assert sum(text.startswith("One.") for text in texts) == 2, "a long sentence is wrapped"
    assert max(one.x for one in drawing.shapes if isinstance(one, Label)) <= drawing.width
    assert _pixels(drawing).std() > 5


def test_a_long_signal_detail_is_shown_in_full_and_moves_the_rest_down() -> None:
    detail = "parts of the face answer by amounts that differ by 33 % (of a sheet by less than 30 %); " * 2
    long, other = result_pb2.Signal(label="Shape", score=0.7, detail=detail), FLASH_SIGNALS[1]
    drawings = [
        file_picture(strip(), title="T", outcome="O", tone="good", sentences=(), signals=(first, other))
        for first in (long, FLASH_SIGNALS[0])
    ]
    assert detail.strip() in " ".join(_texts(drawings[0]))
    assert not any(text.startswith("%") for text in _texts(drawings[0]))
    below = [_height_of(drawing, other.label) for drawing in drawings]
    assert below[0] - below[1] == drawings[0].height - drawings[1].height == 15


def _height_of(drawing: Drawing, text: str) -> float:
    return next(one.y for one in drawing.shapes if isinstance(one, Label) and one.text == text)

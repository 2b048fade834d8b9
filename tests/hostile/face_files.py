"""Invalid and odd portraits, made from the built-in photos."""

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from lab.simulator.photo import builtin_image
from server.base.errors import Reason
from tests.hostile import image_files
from tests.hostile.image_files import saved
from vision.face import BgrImage


@functools.cache
def person(name: str = "astronaut") -> BgrImage:
    """A photo of one person, at least 720 pixels a side."""
    return builtin_image(name)


def _picture(pixels: BgrImage | None = None) -> Image.Image:
    image = person() if pixels is None else pixels
    return Image.fromarray(np.ascontiguousarray(image[..., ::-1]))


def _jpeg(pixels: BgrImage) -> bytes:
    return saved(_picture(pixels), "JPEG", quality=90)


_UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def turned(orientation: int, *, picture: Image.Image | None = None) -> bytes:
    """A portrait stored as by a camera in another orientation, with the EXIF tag for it."""
    upright = _picture() if picture is None else picture
    stored = upright.transpose(_UNDO[orientation]) if orientation in _UNDO else upright
    tags = Image.Exif()
    tags[0x0112] = orientation
    file = io.BytesIO()
    stored.save(file, "JPEG", quality=90, exif=tags)
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class AcceptedFace:
    """An odd portrait that has to be accepted: its name, its maker and its media type."""

    name: str
    make: Callable[[], bytes]
    media_type: str = "image/jpeg"


@dataclass(frozen=True, slots=True)
class RefusedFace:
    """A portrait that has to be refused: its name, its maker and the reasons that may be given."""

    name: str
    make: Callable[[], bytes]
    reasons: frozenset[Reason]


def _translucent() -> Image.Image:
    picture = _picture().convert("RGBA")
    picture.putalpha(250)
    return picture


def _other_thumbnail() -> bytes:
    small = _jpeg(cv2.resize(person("red-shirt"), (120, 160)).astype(np.uint8))
    return image_files.with_segments(_jpeg(person()), image_files.exif_with_thumbnail(small))


def _side_by_side() -> BgrImage:
    sizes = [cv2.resize(person(name), (600, 720)).astype(np.uint8) for name in ("astronaut", "red-shirt")]
    return np.hstack(sizes)


def _scaled(factor: float) -> BgrImage:
    return cv2.resize(person(), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _without_the_right_half() -> BgrImage:
    return np.ascontiguousarray(person()[:, : person().shape[1] * 9 // 20])


ACCEPTED: tuple[AcceptedFace, ...] = (
    *(AcceptedFace(f"orientation {n}", functools.partial(turned, n)) for n in range(1, 9)),
    AcceptedFace("CMYK", lambda: saved(_picture().convert("CMYK"), "JPEG", quality=90)),
    AcceptedFace("YCCK", lambda: image_files.adobe_ycck(_picture())),
    AcceptedFace("progressive", lambda: saved(_picture(), "JPEG", quality=90, progressive=True)),
    AcceptedFace("grey", lambda: saved(_picture().convert("L"), "JPEG", quality=90)),
    AcceptedFace("another face in the thumbnail", _other_thumbnail),
    AcceptedFace("an archive behind its end", lambda: _jpeg(person()) + image_files.archive()),
    AcceptedFace("palette", lambda: saved(_picture().quantize(256), "PNG"), "image/png"),
    AcceptedFace("16 bits", lambda: image_files.deep(_picture()), "image/png"),
    AcceptedFace("translucent png", lambda: saved(_translucent(), "PNG"), "image/png"),
    AcceptedFace(
        "translucent jp2",
        lambda: saved(
            _translucent(), "JPEG2000", quality_mode="rates", quality_layers=[20], irreversible=True
        ),
        "image/jp2",
    ),
)
"""Portraits that have to be accepted."""

REFUSED: tuple[RefusedFace, ...] = (
    RefusedFace("two faces", lambda: _jpeg(_side_by_side()), frozenset({Reason.MULTIPLE_FACES})),
    RefusedFace(
        "upside down",
        lambda: _jpeg(np.ascontiguousarray(person()[::-1, ::-1])),
        frozenset({Reason.FACE_NOT_FOUND}),
    ),
    RefusedFace(
        "orientation that turns it upside down",
        lambda: turned(1, picture=_picture()).replace(
            b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x01", b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x03"
        ),
        frozenset({Reason.FACE_NOT_FOUND}),
    ),
    RefusedFace(
        "cut by the border",
        lambda: _jpeg(_without_the_right_half()),
        frozenset({Reason.FACE_CUT_OFF, Reason.FACE_NOT_FOUND}),
    ),
    RefusedFace("too small", lambda: _jpeg(_scaled(0.35)), frozenset({Reason.EYE_DISTANCE_TOO_SMALL})),
    RefusedFace(
        "a stamp of 20 pixels",
        lambda: _jpeg(cv2.resize(person(), (20, 20)).astype(np.uint8)),
        frozenset({Reason.EYE_DISTANCE_TOO_SMALL}),
    ),
    RefusedFace(
        "no face", lambda: _jpeg(np.full((720, 720, 3), 128, np.uint8)), frozenset({Reason.FACE_NOT_FOUND})
    ),
    RefusedFace(
        "noise",
        lambda: _jpeg(np.random.default_rng(1).integers(0, 256, (720, 720, 3), dtype=np.uint8)),
        frozenset({Reason.FACE_NOT_FOUND}),
    ),
)
"""Portraits that have to be refused."""

"""Cuts images to a face and its surroundings once, so that training need not detect faces."""

import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from research.pad_network.errors import MaterialError
from research.pad_network.material import Picture
from vision.errors import ModelFailed
from vision.face import BgrImage, Box, DetectedFace
from vision.packs import Pack

__all__ = ["Region", "cut_region", "load_regions", "save_regions"]

_REACH: Final = 3.6
_FACE_SIDE: Final = 176
_BORDER: Final = 0.3
_TEMPLATE: Final = 128


@dataclass(frozen=True, slots=True)
class Region:
    """A face and its surroundings, as far as the image shows them.

    Attributes:
        source: As in ``Picture``.
        session: As in ``Picture``.
        is_live: As in ``Picture``.
        species: As in ``Picture``.
        name: The image's file name.
        image: At most 3.6 times the face's side across, with the face at most 176 pixels wide.
        boxes: The face's box by each detector that found it; at least one.
        template: The face's template by the grouping pack's embedder, shape (d,), of length 1.
    """

    source: str
    session: str
    is_live: bool
    species: str
    name: str
    image: BgrImage
    boxes: tuple[Box, ...]
    template: NDArray[np.float32]


def cut_region(picture: Picture, *, packs: Sequence[Pack]) -> Region | None:
    """Find the face and cut its region.

    Args:
        picture: Which image.
        packs: Their detectors find the face, and the first one's embedder makes the template. A tight crop in
            which none finds a face is tried again with a border around it.

    Returns:
        The region; None if no detector finds a face, or the image cannot be read.
    """
    read = cv2.imread(str(picture.path), cv2.IMREAD_COLOR)
    if read is None:
        return None
    image = read.astype(np.uint8, copy=False)
    found = [(pack, box_and_face) for pack in packs if (box_and_face := _find(image, pack)) is not None]
    if not found:
        return None
    pack, (main, face) = found[0]
    try:
        template = packs[0].embedder.embed(image, face) if pack is packs[0] else None
    except ModelFailed:
        template = None
    boxes = [box for _, (box, _) in found if _overlap(box, main) > 0.2]
    vector = np.zeros(_TEMPLATE, dtype=np.float32) if template is None else template.astype(np.float32)
    return _cut(picture, image, boxes, vector)


def save_regions(path: Path, regions: Iterable[Region]) -> None:
    """Write regions to one file.

    Raises:
        MaterialError: The file cannot be written.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    for index, region in enumerate(regions):
        lines = [region.source, region.session, str(int(region.is_live)), region.species, region.name]
        arrays[f"text_{index}"] = np.array(lines)
        arrays[f"image_{index}"] = region.image
        arrays[f"boxes_{index}"] = np.array(
            [(box.left, box.top, box.right, box.bottom) for box in region.boxes], dtype=np.float64
        )
        arrays[f"template_{index}"] = region.template
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # the stub takes no arrays by name
    try:
        path.write_bytes(buffer.getvalue())
    except OSError as error:
        raise MaterialError(f"{path.name} cannot be written ({type(error).__name__})") from error


def load_regions(path: Path) -> list[Region]:
    """Read regions from ``save_regions``.

    Raises:
        MaterialError: The file cannot be read, or has no regions.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            count = sum(name.startswith("text_") for name in arrays.files)
            return [_read(arrays, index) for index in range(count)]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise MaterialError(f"{path.name} holds no regions ({type(error).__name__})") from error


def _find(image: BgrImage, pack: Pack) -> tuple[Box, DetectedFace] | None:
    try:
        faces = pack.detector.detect(image)
        if faces:
            return faces[0].box, faces[0]
        border = round(_BORDER * max(image.shape[:2]))
        wider = cv2.copyMakeBorder(
            image, border, border, border, border, borderType=cv2.BORDER_CONSTANT, value=(127, 127, 127)
        ).astype(np.uint8, copy=False)
        faces = pack.detector.detect(wider)
    except ModelFailed:
        return None
    if not faces:
        return None
    box = _moved(faces[0].box, -border, -border)
    face = DetectedFace(
        box=box, confidence=faces[0].confidence, five_points=faces[0].five_points - np.float32(border)
    )
    return (box, face) if box.inside_fraction(image.shape[1], image.shape[0]) > 0 else None


def _cut(picture: Picture, image: BgrImage, boxes: Sequence[Box], template: NDArray[np.float32]) -> Region:
    side = max(boxes[0].width, boxes[0].height)
    centre_x, centre_y = boxes[0].centre
    left, top = max(0, round(centre_x - side * _REACH / 2)), max(0, round(centre_y - side * _REACH / 2))
    cut = image[top : round(centre_y + side * _REACH / 2), left : round(centre_x + side * _REACH / 2)]
    scale = min(1.0, _FACE_SIDE / side)
    if scale < 1:
        size = max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale))
        cut = cv2.resize(cut, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    placed = [_moved(box, -left, -top) for box in boxes]
    return Region(
        source=picture.source,
        session=picture.session,
        is_live=picture.is_live,
        species=picture.species,
        name=picture.path.name,
        image=np.ascontiguousarray(cut),
        boxes=tuple(Box(b.left * scale, b.top * scale, b.right * scale, b.bottom * scale) for b in placed),
        template=template,
    )


def _moved(box: Box, across: float, down: float) -> Box:
    return Box(box.left + across, box.top + down, box.right + across, box.bottom + down)


def _overlap(one: Box, other: Box) -> float:
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (one.area + other.area - width * height)


def _read(arrays: "np.lib.npyio.NpzFile", index: int) -> Region:
    source, session, is_live, species, name = (str(value) for value in arrays[f"text_{index}"])
    return Region(
        source=source,
        session=session,
        is_live=is_live == "1",
        species=species,
        name=name,
        image=arrays[f"image_{index}"],
        boxes=tuple(Box(*map(float, row)) for row in arrays[f"boxes_{index}"]),
        template=arrays[f"template_{index}"],
    )

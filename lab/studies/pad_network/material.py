"""The images on which a PAD network is trained and evaluated: groups, regions of faces, and the split.

An image belongs to a *source* (the repository that published it) and a *session* (images taken in one
sitting, by their file names: Unix times, camera counters, days). Images of one session share light, camera
and often the person, so that a split by image would test memorised data. A small source stays whole; the
large source is divided by person and session into training, validation and held-out data, which is used only
at the end. Persons are clusters of templates across sources, because tutorials share images of their authors.

Images are cut to a face and its surroundings once, so that training need not detect faces.
"""

import csv
import hashlib
import io
import re
import tomllib
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from vision.errors import ModelFailed
from vision.face import BgrImage, Box, DetectedFace
from vision.packs import Pack


class PadNetworkError(Exception):
    """Base class of this package's errors; its text is for the person at the terminal."""


class MaterialError(PadNetworkError):
    """The images, their manifest or a file made from them cannot be used."""


class TrainingUnavailable(PadNetworkError):
    """PyTorch is not installed; only training needs it."""


LARGEST_SOURCE: Final = "feni-katharotiya/Silent-Face-Anti-Spoofing-TFLite"
_UNIX_TIME: Final = re.compile(r"(1[56]\d{8})")
_DAY: Final = re.compile(r"(20\d{6})_?\d*")
_GREY_SOURCES: Final = frozenset({"vidhiamin/FaceRecognition"})
_SECONDS_OF_A_SESSION: Final = 1000


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of the development data.

    Attributes:
        source: The repository that published it.
        session: Images with the same source and session were taken together, by their names.
        is_live: Whether it is a bona fide presentation.
        species: ``"live"``, ``"print"`` or ``"screen"``; ``"portrait"`` for a photo of the face collection,
            bona fide but of unknown cameras and editing.
    """

    path: Path
    source: str
    session: str
    is_live: bool
    species: str


def pad_pictures(folder: Path) -> tuple[Picture, ...]:
    """Read the images labelled for presentation attack detection.

    Args:
        folder: Folder with ``manifest.csv`` and the images.

    Raises:
        MaterialError: The manifest cannot be read.
    """
    return tuple(
        Picture(
            path=folder / row["file"],
            source=row["source_repo"],
            session=_session(row["source_repo"], row["path"], row["label"]),
            is_live=row["label"] == "live",
            species=_species(row["label"], row["attack_type"]),
        )
        for row in _rows(folder / "manifest.csv")
    )


def portrait_pictures(folder: Path) -> tuple[Picture, ...]:
    """Read the colour photos of faces with identities: bona fide, but with unknown editing.

    Args:
        folder: Folder with ``manifest.csv`` and the photos.

    Raises:
        MaterialError: The manifest cannot be read.
    """
    return tuple(
        Picture(
            path=folder / row["file"],
            source=row["source_repo"],
            session=row["identity"],
            is_live=True,
            species="portrait",
        )
        for row in _rows(folder / "manifest.csv")
        if row["source_repo"] not in _GREY_SOURCES
    )


def _rows(manifest: Path) -> Iterator[dict[str, str]]:
    try:
        with manifest.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        yield from (row for row in rows if row["usable"] == "1")
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise MaterialError(
            f"{manifest.name} cannot be read as a manifest ({type(error).__name__})"
        ) from error


def _species(label: str, attack_type: str) -> str:
    """Return the species; ``"screen:phone"``, ``"screen?"`` and ``"screen (...)"`` are all screens."""
    return "live" if label == "live" else re.split(r"[:?\s]", attack_type, maxsplit=1)[0]


def _session(source: str, path: str, label: str) -> str:
    if source != LARGEST_SOURCE:
        return label
    folder, _, name = path.rpartition("/")
    folder = folder.rpartition("/")[2].removesuffix("_aspect_resized")
    stem = name.rpartition(".")[0]
    if found := _UNIX_TIME.search(stem):
        return f"time {int(found[1]) // _SECONDS_OF_A_SESSION}"
    if found := _DAY.search(stem):
        return f"{folder} {found[1]}"
    return f"{folder} {re.sub(r'[0-9()]+', '', stem).strip(' _-') or 'numbers'}"


_REACH: Final = 3.6
_FACE_SIDE: Final = 176
_BORDER: Final = 0.3
_TEMPLATE: Final = 128


@dataclass(frozen=True, slots=True)
class Region:
    """A face and its surroundings, as far as the image shows them.

    Attributes:
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


HELD_OUT: Final = -1
"""The fold of images that are used once, at the end."""
UNUSED: Final = -2
"""The fold of images in a training source that show a held-out person."""
_SAME_PERSON: Final = 0.4


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """The content of ``split.toml``.

    Attributes:
        held_out_sources: Sources that are held out entirely.
        held_out_one_in: n, if one in n of the large source's persons with few images is held out.
        few_pictures: Largest number of images that counts as few.
    """

    held_out_sources: frozenset[str]
    held_out_sessions: frozenset[str]
    held_out_one_in: int
    few_pictures: int
    folds: tuple[frozenset[str], ...]


def read_plan(text: str | None = None) -> SplitPlan:
    """Read the plan of this package, or another.

    Args:
        text: TOML in the schema of ``split.toml``; that file if None.

    Raises:
        MaterialError: The text is not such a plan.
    """
    if text is None:
        text = (files("lab.studies.pad_network") / "split.toml").read_text(encoding="utf-8")
    try:
        table = tomllib.loads(text)
        return SplitPlan(
            held_out_sources=frozenset(map(str, table["held_out_sources"])),
            held_out_sessions=frozenset(map(str, table["held_out_sessions"])),
            held_out_one_in=int(table["held_out_one_in"]),
            few_pictures=int(table["few_pictures"]),
            folds=tuple(frozenset(map(str, fold)) for fold in table["folds"]),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise MaterialError(f"the plan of the split cannot be read: {error}") from error


def persons(regions: Sequence[Region]) -> NDArray[np.int64]:
    """Return the person in each region, shape (n,): clusters of templates at a mean cosine of 0.4.

    A region without a template is a separate person.
    """
    templates = np.array([region.template for region in regions], dtype=np.float64)
    known = np.linalg.norm(templates, axis=1) > 0.5
    labels = np.arange(len(regions), dtype=np.int64) + len(regions)
    if known.sum() > 1:
        tree = linkage(templates[known], method="average", metric="cosine")
        labels[known] = fcluster(tree, 1 - _SAME_PERSON, criterion="distance")
    return labels


def divide(regions: Sequence[Region], who: NDArray[np.int64], plan: SplitPlan) -> NDArray[np.int64]:
    """Return the fold of each region, shape (n,): 0 and up, ``HELD_OUT`` or ``UNUSED``.

    Args:
        regions: All regions; photos of the face collection train in every fold and have the fold
            ``len(plan.folds)``, unless they show a held-out person.
        who: Result of ``persons``.
        plan: Result of ``read_plan``.

    Raises:
        MaterialError: A small source is in no fold.
    """
    fold = np.full(len(regions), UNUSED, dtype=np.int64)
    pictures_of: Mapping[int, list[int]] = _grouped(who)
    for index, region in enumerate(regions):
        if region.species != "portrait" and _is_held_out(regions, index, pictures_of[int(who[index])], plan):
            fold[index] = HELD_OUT
    hidden = set(who[fold == HELD_OUT].tolist())
    sizes: dict[tuple[int, str], int] = defaultdict(int)
    for person, members in sorted(pictures_of.items(), key=lambda item: (-len(item[1]), item[1][0])):
        if person in hidden:
            continue
        of_large = [index for index in members if regions[index].source == LARGEST_SOURCE]
        if of_large:
            species = regions[of_large[0]].species
            smallest = min(range(len(plan.folds)), key=lambda each: sizes[each, species])
            fold[of_large] = smallest
            sizes[smallest, species] += len(of_large)
        for index in set(members) - set(of_large):
            fold[index] = _fold_of_source(regions[index], plan)
    return fold


def _grouped(who: NDArray[np.int64]) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = defaultdict(list)
    for index, person in enumerate(who.tolist()):
        groups[person].append(index)
    return groups


def _is_held_out(regions: Sequence[Region], index: int, same_person: Sequence[int], plan: SplitPlan) -> bool:
    region = regions[index]
    if region.source != LARGEST_SOURCE:
        return region.source in plan.held_out_sources
    if region.session in plan.held_out_sessions:
        return True
    first = min(regions[other].name for other in same_person)
    drawn = int(hashlib.sha256(first.encode()).hexdigest(), 16) % plan.held_out_one_in == 0
    return drawn and len(same_person) <= plan.few_pictures


def _fold_of_source(region: Region, plan: SplitPlan) -> int:
    if region.species == "portrait":
        return len(plan.folds)
    for number, sources in enumerate(plan.folds):
        if region.source in sources:
            return number
    raise MaterialError(f"the source {region.source} is in no fold and not held out")

"""Reads what the packaged network never saw: frames of clips, and photos of two more collections.

Frames are as a server receives them from a phone. Deepfake files are no attack in front of a camera, so they
are omitted. A left-out *part* is a half of the clips' sources, with the pictures of these sources and every
other region of their persons; the held-out pictures of ``split.toml`` and their persons are in both parts.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluation.scans import clip_windows
from research.pad_network.errors import MaterialError
from research.pad_network.material import Picture
from research.pad_network.regions import Region, cut_region
from research.pad_network.split import HELD_OUT, divide, persons, read_plan
from vision.face import BgrImage
from vision.packs import Pack

__all__ = ["PARTS", "clip_regions", "is_frame", "left_out_of", "photo_regions"]

PARTS: Final = 2
"""Number of left-out parts, and of trained networks."""
_FRAMES: Final = 24
_EVERY: Final = 3
_COLLECTIONS: Final = ("faces_lfw", "faces_groups")
_FOLDERS: Final = ("video", "video_more")
_CLIP: Final = "clip "


def clip_regions(assets: Path, *, packs: Sequence[Pack]) -> Iterator[Region]:
    """Yield up to 24 frames of each clip that shows a person or a screen; the session is the clip's file.

    Args:
        assets: Folder with ``data/``.
        packs: As for ``cut_region``.

    Raises:
        MaterialError: A manifest cannot be read.
    """
    for folder in (assets / "data" / name for name in _FOLDERS):
        for row in _manifest(folder):
            if row["label"] != "live" and "deepfake" in row["attack_type"]:
                continue
            source = row["file"] if "LivePortrait" in row["source_repo"] else row["source_repo"]
            for number, image in enumerate(_frames(folder / row["file"])):
                picture = Picture(
                    path=folder / f"{row['file']}#{number}",
                    source=source,
                    session=_CLIP + row["file"],
                    is_live=row["label"] == "live",
                    species="live" if row["label"] == "live" else "screen",
                )
                region = cut_region(picture, packs=packs, image=image)
                if region is not None:
                    yield region


def photo_regions(assets: Path, *, packs: Sequence[Pack]) -> Iterator[Region]:
    """Yield every third person of LFW and of the groups, one photo each: bona fide, of unknown cameras.

    Args:
        assets: Folder with ``data/``.
        packs: As for ``cut_region``.

    Raises:
        MaterialError: A manifest cannot be read.
    """
    for folder in (assets / "data" / name for name in _COLLECTIONS):
        first = {row.get("identity") or row["file"]: row for row in reversed(_manifest(folder))}
        for person in sorted(first)[::_EVERY]:
            row = first[person]
            picture = Picture(folder / row["file"], row["source_repo"], person, True, "portrait")
            region = cut_region(picture, packs=packs)
            if region is not None:
                yield region


def is_frame(region: Region) -> bool:
    """Return whether the region is a frame of a clip."""
    return region.session.startswith(_CLIP)


def left_out_of(regions: Sequence[Region], part: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which regions a network may be trained on, and which it is judged on.

    Args:
        regions: All regions: pictures, portraits and frames.
        part: 0 or 1.

    Returns:
        Two masks of shape (regions,): training, and the held-out pictures with the part's frames. A region
        may be in neither.

    Raises:
        MaterialError: A source of pictures is neither in a fold nor held out.
    """
    who = persons(regions)
    frames = np.array([is_frame(region) for region in regions])
    pictures = np.flatnonzero(~frames).tolist()
    fold = np.zeros(len(regions), dtype=np.int64)
    fold[pictures] = divide([regions[index] for index in pictures], who[pictures], read_plan())
    sources = _sources_of(regions, part)
    of_part = np.array([region.source in sources for region in regions])
    judged = (~frames & (fold == HELD_OUT)) | (frames & of_part)
    held_out = read_plan().held_out_sources
    hidden = judged | of_part | np.array([region.source in held_out for region in regions])
    allowed = (fold >= 0) & ~hidden & ~np.isin(who, who[hidden])
    return allowed, judged


def _sources_of(regions: Sequence[Region], part: int) -> frozenset[str]:
    """Return the part's sources of clips: held-out ones are in part 0, and the others alternate.

    Sources with screens alternate apart from those without.
    """
    held_out = read_plan().held_out_sources
    clips = [region for region in regions if is_frame(region)]
    sources = {region.source for region in clips}
    screens = {region.source for region in clips if not region.is_live}
    chosen = set(sources & held_out) if part == 0 else set[str]()
    for several in (screens - held_out, sources - screens - held_out):
        chosen |= set(sorted(several)[(1 - part) :: PARTS])
    return frozenset(chosen)


def _frames(path: Path) -> Iterator[BgrImage]:
    images = [image for window in clip_windows(path) for _, image in window]
    for at in np.linspace(0, len(images) - 1, min(_FRAMES, len(images))).round().astype(int):
        yield images[at]


def _manifest(folder: Path) -> list[dict[str, str]]:
    try:
        with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MaterialError(f"no manifest in {folder.name} ({type(error).__name__})") from error

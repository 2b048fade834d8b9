"""Small parts of the test assets, linked into a separate folder, to run a study's command."""

import csv
from collections import defaultdict
from pathlib import Path

from lab.studies.dynamic.people import key_of, read_split

SHORT_CLIPS = ("live/johndpope__M2Ohb0FAaJU_1.mp4", "live/KwaiVGI__assets__examples__driving__d18.mp4")
"""Clips of two persons, of 4.5 and 7 seconds."""


def part_of(folder: Path, made: Path, files: list[str]) -> None:
    """The manifest's rows of ``files``, and links to these."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["file"] in files]
    made.mkdir(parents=True, exist_ok=True)
    for row in rows:
        (made / row["file"]).parent.mkdir(parents=True, exist_ok=True)
        (made / row["file"]).symlink_to(folder / row["file"])
    with (made / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def some_photos(folder: Path, *, people: int, each: int) -> list[str]:
    """Photos of the first persons with enough photos and outside the flash tuning, without the grey set."""
    tuned = read_split().calibration
    found: defaultdict[str, list[str]] = defaultdict(list)
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            name = row["identity"]
            known = name and not name.startswith("orl") and key_of(name) not in tuned
            if known and row["usable"] == "1" and float(row["face_w_px"] or 0) >= 100:
                found[name].append(row["file"])
    chosen = [files[:each] for files in found.values() if len(files) >= each]
    return [file for files in chosen[:people] for file in files]


def small_assets(
    assets: Path, made: Path, *, photos: list[str] | None = None, clips: list[str] | None = None
) -> Path:
    """``made`` as an assets folder: the models, and these photos and clips."""
    made.mkdir(exist_ok=True)
    (made / "models").symlink_to(assets / "models")
    if photos is not None:
        part_of(assets / "data/faces", made / "data/faces", photos)
    if clips is not None:
        part_of(assets / "data/video", made / "data/video", clips)
    return made

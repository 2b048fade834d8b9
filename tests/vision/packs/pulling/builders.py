"""Simulated packs, to test pulls without real models."""

import hashlib
import random
from collections.abc import Mapping
from pathlib import Path

from vision.packs.catalogue import CatalogueEntry, CataloguePack
from vision.packs.pack import LicenceTerms


def content(seed: int, size: int) -> bytes:
    """Bytes without repetition that cannot be compressed."""
    return random.Random(seed).randbytes(size)


CONTENTS: Mapping[str, bytes] = {
    "detector.onnx": content(1, 300_000),
    "embedder.onnx": content(2, 700_000),
    "pad.onnx": content(3, 90_000),
}
"""Files of the pack that ``make_pack`` makes; the last one is optional."""


def make_entry(
    name: str,
    data: bytes,
    *,
    other_names: tuple[str, ...] = (),
    url: str | None = None,
    sized: bool = True,
    restricts_use: bool = False,
) -> CatalogueEntry:
    """A catalogue entry for simulated bytes."""
    return CatalogueEntry(
        names=(name, *other_names),
        sha256=hashlib.sha256(data).hexdigest(),
        role="detector",
        kind="scrfd",
        name=name.partition(".")[0],
        rank=1,
        evaluation_only=False,
        restricts_use=restricts_use,
        source=f"the source of {name}",
        terms=LicenceTerms(
            part=name,
            weights="Research only, unless bought." if restricts_use else "MIT (the repository's licence).",
            training_data="Not published.",
        ),
        url=url,
        size=len(data) if sized else None,
    )


def make_pack(
    base: str = "https://models.invalid/files", *, sized: bool = True, restricts_use: bool = False
) -> CataloguePack:
    """The pack ``toy`` of ``CONTENTS``, with addresses below ``base``."""
    entries = [
        make_entry(
            name,
            data,
            url=f"{base}/{name}",
            sized=sized,
            restricts_use=restricts_use and name == "embedder.onnx",
        )
        for name, data in CONTENTS.items()
    ]
    return CataloguePack(
        name="toy",
        family="open",
        title="A toy",
        summary="Nothing of use.",
        required=tuple(entries[:-1]),
        optional=tuple(entries[-1:]),
    )


def put(folder: Path, contents: Mapping[str, bytes] = CONTENTS) -> Path:
    """A folder with these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return folder


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file of a folder; empty if there is no folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())} if folder.is_dir() else {}

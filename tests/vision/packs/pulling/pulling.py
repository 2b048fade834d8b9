"""A simulated pack and its pull, here beside the test's event loop or in a process of its own.

``python -m tests.vision.packs.pulling.pulling SOURCE FOLDER`` ends with 0 if it is installed, else with 2.
"""

import asyncio
import hashlib
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vision.errors import PullError
from vision.packs.catalogue import CatalogueEntry, CataloguePack
from vision.packs.pack import LicenceTerms
from vision.packs.pulling import PullReport, pull_pack


@dataclass
class Recorder:
    """Records its calls. Implements ``PullProgress``."""

    sizes: dict[str, int | None] = field(default_factory=dict)
    done: dict[str, list[int]] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def planned(self, file: str, *, size: int | None) -> None:
        self.sizes[file] = size

    def moved(self, file: str, *, done: int) -> None:
        self.done.setdefault(file, []).append(done)

    def ended(self, file: str, *, how: str) -> None:
        self.ends[file] = how

    def say(self, text: str) -> None:
        self.said.append(text)


async def pull(
    source: str | Path | None,
    models_dir: Path,
    pack: CataloguePack | None = None,
    *,
    accept: bool = False,
    deadline: float | None = None,
    parallel: int = 4,
    progress: Recorder | None = None,
) -> PullReport:
    return await asyncio.to_thread(
        pull_pack,
        pack or make_pack(),
        models_dir=models_dir,
        source=None if source is None else str(source),
        accept=accept,
        deadline=deadline,
        progress=progress or Recorder(),
        parallel=parallel,
    )


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


def main(source: str, models_dir: str) -> int:
    try:
        pull_pack(make_pack(), models_dir=Path(models_dir), source=source, progress=Recorder())
    except PullError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

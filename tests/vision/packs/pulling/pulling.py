"""Pulls the simulated pack, here beside the test's event loop or in a process of its own.

``python -m tests.vision.packs.pulling.pulling SOURCE FOLDER`` ends with 0 if it is installed, else with 2.
"""

import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.vision.packs.pulling.builders import make_pack
from vision.errors import PullError
from vision.packs.catalogue import CataloguePack
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


def main(source: str, models_dir: str) -> int:
    try:
        pull_pack(make_pack(), models_dir=Path(models_dir), source=source, progress=Recorder())
    except PullError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Pulls the simulated pack in a separate process: ``python -m tests.cli.models.pull_process URL FOLDER``."""

import asyncio
import sys
from pathlib import Path

from rich.console import Console

from cli.errors import ModelsError
from cli.models.install import pull_pack
from cli.models.progress import TerminalProgress
from tests.cli.models.builders import make_pack


def main(source: str, models_dir: str) -> int:
    """0 if the pack is installed, 2 otherwise."""
    pulling = pull_pack(
        make_pack(),
        models_dir=Path(models_dir),
        source=source,
        progress=TerminalProgress(Console(stderr=True)),
    )
    try:
        asyncio.run(pulling)
    except ModelsError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

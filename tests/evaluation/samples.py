"""Photos for the tests of the commands, and their output as plain text."""

import re
from pathlib import Path


def plain(output: str) -> str:
    """A terminal's text, without colours and boxes, each run of blanks as one."""
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output).splitlines()
    return "\n".join(" ".join(line.split()) for line in lines if line.strip())


def small_set(faces: Path, folder: Path, *, prefixes: tuple[str, ...]) -> Path:
    """Some of the photos, with their part of the manifest."""
    folder.mkdir()
    lines = (faces / "manifest.csv").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines[1:] if line.startswith(prefixes)]
    (folder / "manifest.csv").write_text("\n".join([lines[0], *kept]) + "\n", encoding="utf-8")
    for line in kept:
        name = line.partition(",")[0]
        (folder / name).symlink_to((faces / name).resolve())
    return folder

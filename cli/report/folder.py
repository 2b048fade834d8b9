"""The folder that a report is written to."""

import os
from collections.abc import Mapping
from pathlib import Path

from cli.errors import OutputUnusable

__all__ = ["check_writable", "write_files"]


def check_writable(out: Path) -> None:
    """Make sure, before any long work, that a folder can be written to.

    Raises:
        OutputUnusable: It cannot be.
    """
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if not there.is_dir():
        raise OutputUnusable(f"the folder {out} cannot be made: {there} is a file")
    if not os.access(there, os.W_OK):
        raise OutputUnusable(f"the folder {out} cannot be written to: check the permissions of {there}")


def write_files(out: Path, files: Mapping[str, bytes | str]) -> None:
    """Write the files of a report.

    Args:
        out: A folder; made if it is not there.
        files: Contents by name; text is written as UTF-8.

    Raises:
        OSError: A file cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        data = content.encode("utf-8") if isinstance(content, str) else content
        (out / name).write_bytes(data)

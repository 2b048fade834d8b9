"""What analyses files, in this process or on a server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from cli.analyze.explained import Explained
from cli.analyze.finding import FileKind, Problem

__all__ = ["INVALID_REQUEST", "Analyser", "unreadable"]

INVALID_REQUEST: Final = "INVALID_REQUEST"
"""Seed 002's code for a file that is missing, too large or none that is read."""


class Analyser(Protocol):
    """Analyses one file after the other; whatever goes wrong with a file is in its answer."""

    def analyse(self, file: Path) -> Explained:
        """Analyses a picture or a video."""
        ...

    def analyse_stills(self, files: Sequence[Path]) -> Explained:
        """Analyses pictures, in the order given, as the frames of one scan."""
        ...


def unreadable(content: bytes, kind: FileKind | None) -> Problem | None:
    """What is wrong with a file that is neither picture nor video; None where it is one of them."""
    if kind is not None:
        return None
    if not content:
        return Problem(INVALID_REQUEST, "The file is empty: name a file with a picture or a video.")
    return Problem(
        INVALID_REQUEST,
        "The file is neither a picture (JPEG, PNG, WebP, BMP) nor a video (MP4, MOV, AVI, WebM, MKV), "
        "whatever its name says: export or record it again as one of these.",
    )

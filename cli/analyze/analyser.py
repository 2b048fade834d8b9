"""The interface of analysers, which run in this process or on a server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from cli.analyze.explained import ExplainedFile
from cli.analyze.finding import FileKind, Problem
from formats.foreign_format import recognise_foreign

__all__ = ["INVALID_REQUEST", "Analyser", "unreadable"]

INVALID_REQUEST: Final = "INVALID_REQUEST"
"""Seed 002's code for a file that is missing, too large or of an unsupported format."""


class Analyser(Protocol):
    """Analyses one file after the other. Reports the problems of a file in its report."""

    def analyse(self, file: Path) -> ExplainedFile:
        """Analyses an image or a video."""
        ...

    def analyse_stills(self, files: Sequence[Path]) -> ExplainedFile:
        """Analyses images, in the given order, as the frames of one scan."""
        ...


def unreadable(content: bytes, kind: FileKind | None) -> Problem | None:
    """Returns the problem of a file that is neither image nor video; None if it is one of them."""
    if kind is not None:
        return None
    if not content:
        return Problem(INVALID_REQUEST, "The file is empty: give a file with an image or a video.")
    foreign = recognise_foreign(content)
    if foreign is not None:
        return Problem(
            INVALID_REQUEST,
            f"The file is {foreign.what}. An image (JPEG, PNG, WebP, BMP) or a video (MP4, MOV, AVI, WebM, "
            f"MKV) is needed: {foreign.instead}.",
        )
    return Problem(
        INVALID_REQUEST,
        "The content of the file is neither an image (JPEG, PNG, WebP, BMP) nor a video (MP4, MOV, AVI, "
        "WebM, MKV): export or record it again as one of these.",
    )

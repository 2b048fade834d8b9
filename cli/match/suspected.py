"""Writes the pairs of identities that may be one person, in the form of a corrections file."""

import json
from collections.abc import Sequence

from evaluation.match import FacePhoto, MatchReport

__all__ = ["SUSPECTED", "suspected_files"]

SUSPECTED = "suspected_duplicates.toml"

_HEAD = """\
# Identities that may be one person, by the scores of each pack. This file names persons: keep it private.
# Look at both photos. Then keep a pair as it is (it is not compared), move it to [[same_person]] if it is one
# person, or delete it, and give the file to --corrections.
"""


def suspected_files(report: MatchReport, photos: Sequence[FacePhoto]) -> dict[str, bytes]:
    """Return the file by its name; empty if no pair is suspected.

    Args:
        report: The report.
        photos: The photos, by the positions in the report.
    """
    entries: dict[tuple[str, str], str] = {}
    for pack in report.packs:
        for pair in pack.suspected:
            one, other = (photos[position].path.name for position in pair.photos)
            reason = f"{one} and {other}: cosine {pair.cosine:.3f} with {pack.name}"
            entries.setdefault(pair.identities, reason)
    if not entries:
        return {}
    text = _HEAD + "".join(
        f"\n[[unsure]]\nidentities = [{_text(first)}, {_text(second)}]\nreason = {_text(reason)}\n"
        for (first, second), reason in entries.items()
    )
    return {SUSPECTED: text.encode()}


def _text(value: str) -> str:
    # A JSON string is a TOML basic string, except for the one control character that JSON does not escape.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

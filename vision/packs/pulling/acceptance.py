"""The terms of a pack's models, and the record of their acceptance."""

import hashlib
import importlib.metadata
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from vision.packs.catalogue_entries import CataloguePack
from vision.packs.pulling.installed import writing

__all__ = [
    "RECORD",
    "Acceptance",
    "is_accepted",
    "needs_acceptance",
    "read_acceptance",
    "terms_text",
    "write_acceptance",
]

RECORD: Final = "accepted.json"
"""Name of the record in the pack's folder."""

_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """The record that the terms of a pack were accepted.

    Attributes:
        pack: The pack's name.
        terms_sha256: SHA-256 of ``terms_text`` as it was accepted, lower-case hex.
        accepted_at: Time of the acceptance, ISO 8601 in UTC.
        facegate: Version of Facegate that showed the terms.
        terms: The text of the terms, so that the record is readable without that version.
    """

    pack: str
    terms_sha256: str
    accepted_at: str
    facegate: str
    terms: str


def terms_text(pack: CataloguePack) -> str:
    """Return the terms of every member, as shown and accepted. Equal terms give an equal text."""
    lines = [f"{pack.title} ({pack.name})"]
    for entry in pack.members:
        lines += [
            "",
            entry.file_name + ("  [the licence restricts use]" if entry.restricts_use else ""),
            f"  source         {entry.source}",
            f"  weights        {entry.terms.weights}",
            f"  training data  {entry.terms.training_data}",
        ]
    return "\n".join(lines) + "\n"


def is_accepted(pack: CataloguePack, models_dir: Path) -> bool:
    """Return whether the current terms of ``pack`` were accepted."""
    accepted = read_acceptance(models_dir / pack.name)
    return accepted is not None and accepted.pack == pack.name and accepted.terms_sha256 == _sha256(pack)


def needs_acceptance(pack: CataloguePack, models_dir: Path) -> bool:
    """Return whether a licence restricts use and the current terms were not accepted."""
    return pack.restricts_use and not is_accepted(pack, models_dir)


def read_acceptance(folder: Path) -> Acceptance | None:
    """Return the record in a pack's folder; None if there is no readable one."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if record.pop("schema") != _SCHEMA or not all(isinstance(value, str) for value in record.values()):
            return None
        return Acceptance(**record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_acceptance(folder: Path, pack: CataloguePack) -> Acceptance:
    """Record that the terms of ``pack`` were accepted now.

    Raises:
        FolderUnusable: It cannot be written.
    """
    accepted = Acceptance(
        pack=pack.name,
        terms_sha256=_sha256(pack),
        accepted_at=datetime.now(UTC).isoformat(timespec="seconds"),
        facegate=importlib.metadata.version("facegate"),
        terms=terms_text(pack),
    )
    path, draft = folder / RECORD, folder / f".{RECORD}"
    with writing(path):
        with draft.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps({"schema": _SCHEMA, **asdict(accepted)}, indent=2) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    return accepted


def _sha256(pack: CataloguePack) -> str:
    return hashlib.sha256(terms_text(pack).encode()).hexdigest()

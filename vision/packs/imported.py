"""Embedders of the operator's own, which a folder's ``models.toml`` describes as the catalogue does.

::

    schema = 3

    [[model]]
    names = ["auraface.onnx"]
    sha256 = "..."                     # nothing else is loaded under this name
    role = "embedder"
    kind = "arcface"                   # five points to a square of RGB; one template
    rank = 100                         # above the packaged ones
    evaluation_only = false
    restricts_use = false
    source = "..."
    weights = "..."                    # the terms, as every result's pack states them
    training_data = "..."
    mean = [127.5, 127.5, 127.5]
    std = [127.5, 127.5, 127.5]
    mirror_average = true

``facegate models import`` writes it.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

from vision.errors import PackDataInvalid, PackNotFound
from vision.packs.catalogue import parse_catalogue
from vision.packs.catalogue_entries import Catalogue

__all__ = ["IMPORTED_KIND", "MODELS_FILE", "with_imported"]

MODELS_FILE: Final = "models.toml"
IMPORTED_KIND: Final = "arcface"
_MOST_BYTES: Final = 64 * 1024


def with_imported(catalogue: Catalogue, folder: Path) -> Catalogue:
    """Return the catalogue with the embedders that a folder's ``models.toml`` adds; itself without the file.

    Args:
        catalogue: The packaged catalogue.
        folder: The folder of a pack.

    Raises:
        PackNotFound: The file cannot be read.
        PackDataInvalid: The file breaks the schema, adds another model than an embedder, or gives a name or a
            hash of the catalogue to another file.
    """
    path = folder / MODELS_FILE
    if not path.is_file():
        return catalogue
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise PackNotFound(f"{path} cannot be read ({type(error).__name__}); check it") from error
    if len(content) > _MOST_BYTES:
        raise PackDataInvalid(f"{path} has more than {_MOST_BYTES} bytes: it is no list of models")
    try:
        added = parse_catalogue(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise PackDataInvalid(f"{path} is not UTF-8 at byte {error.start}") from error
    if added.packs or any(entry.role != "embedder" or entry.kind != IMPORTED_KIND for entry in added.entries):
        raise PackDataInvalid(f"{path} may only add embedders of the kind {IMPORTED_KIND}")
    entries = tuple(replace(entry, imported=True) for entry in added.entries)
    return Catalogue(entries=catalogue.entries + entries, packs=catalogue.packs)

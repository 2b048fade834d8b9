"""Installs packs in the models folder: from the catalogue's addresses, a mirror, a folder or a bundle.

No server imports this package: a server only reads the models folder.
"""

from vision.packs.pulling.bundle import write_bundle
from vision.packs.pulling.installed import (
    InstalledFile,
    InstalledPack,
    PackState,
    inspect_pack,
    needs_acceptance,
    read_acceptance,
    size_text,
    terms_text,
)
from vision.packs.pulling.pull import PullReport, pull_pack

__all__ = [
    "InstalledFile",
    "InstalledPack",
    "PackState",
    "PullReport",
    "inspect_pack",
    "needs_acceptance",
    "pull_pack",
    "read_acceptance",
    "size_text",
    "terms_text",
    "write_bundle",
]

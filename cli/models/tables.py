"""Packs and their files as tables and text for the terminal, and as JSON values."""

import re
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from cli.models.acceptance import read_acceptance
from cli.models.embedded import EMBEDDED, EMBEDDED_SUMMARY, EMBEDDED_USE
from cli.models.files import size_text
from cli.models.installed import FileState, InstalledFile, InstalledPack, PackState
from vision.packs import CataloguePack

__all__ = ["damage_text", "list_json", "list_table", "pack_json", "pack_text"]

_STYLES = {
    PackState.YES: "green",
    PackState.PARTLY: "yellow",
    PackState.NO: "dim",
    PackState.ALTERED: "bold red",
}
_FIRST_WORDS = re.compile(r"\s\(|[.,;:](?:\s|$)")


def list_table(packs: Sequence[InstalledPack]) -> Table:
    """Returns a table with one row per pack, the embedded one last."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("pack", no_wrap=True)
    table.add_column("installed", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("purpose, and the licences of its weights")
    for installed in packs:
        pack = installed.pack
        table.add_row(
            Text(pack.name, "bold"),
            Text(installed.state, _STYLES[installed.state]),
            _size(installed),
            Text(pack.summary).append(f"\n{_licences(pack)}", "yellow" if pack.restricts_use else "dim"),
        )
    table.add_row(
        Text(EMBEDDED, "bold"),
        Text(PackState.YES, _STYLES[PackState.YES]),
        "-",
        Text(EMBEDDED_SUMMARY).append(f"\n{EMBEDDED_USE}", "yellow"),
    )
    return table


def list_json(installed: InstalledPack) -> dict[str, Any]:
    """Returns a short description of a pack for programs."""
    pack = installed.pack
    return {
        "pack": pack.name,
        "family": pack.family,
        "title": pack.title,
        "summary": pack.summary,
        "installed": installed.state.value,
        "folder": str(installed.folder),
        "restricts_use": pack.restricts_use,
        "licences": _licences(pack),
    }


def pack_text(installed: InstalledPack) -> Text:
    """Returns a full description of a pack and each of its files."""
    pack = installed.pack
    text = Text()
    text.append(f"{pack.title}", "bold").append(f" ({pack.name}, family {pack.family})\n{pack.summary}\n")
    text.append("installed: ").append(installed.state, _STYLES[installed.state])
    text.append(f", {installed.folder}\n")
    accepted = read_acceptance(installed.folder)
    if accepted is not None:
        text.append(f"terms accepted: {accepted.accepted_at}, with Facegate {accepted.facegate}\n")
    for file in installed.files:
        entry = file.entry
        text.append(f"\n{entry.file_name}", "bold")
        text.append(f"  {entry.role}, {'required' if file.required else 'optional'}, {file.state}\n")
        facts = {
            "size": "unknown" if entry.size is None else f"{entry.size:,} bytes",
            "SHA-256": entry.sha256,
            "found": file.found if file.state is FileState.ALTERED else None,
            "address": entry.url or "none: it comes with an installed package",
            "source": entry.source,
            "weights": entry.terms.weights,
            "training data": entry.terms.training_data,
        }
        for name, value in facts.items():
            if value is not None:
                text.append(f"  {name:<15}", "dim").append(f"{value}\n")
    return text


def pack_json(installed: InstalledPack) -> dict[str, Any]:
    """Returns a full description of a pack and each of its files, for programs."""
    accepted = read_acceptance(installed.folder)
    return {
        **list_json(installed),
        "accepted_at": None if accepted is None else accepted.accepted_at,
        "files": [_file_json(file) for file in installed.files],
    }


def damage_text(file: InstalledFile) -> str:
    """Returns the damage of an installed file, in one line."""
    name = file.path.name
    match file.state:
        case FileState.ALTERED:
            return f"{name} is altered: expected SHA-256 {file.entry.sha256}, found {file.found}"
        case FileState.UNREADABLE:
            return f"{name} cannot be read: {file.problem}"
        case _:
            return f"{name} is missing"


def _file_json(file: InstalledFile) -> dict[str, Any]:
    entry = file.entry
    return {
        "file": entry.file_name,
        "role": entry.role,
        "required": file.required,
        "state": file.state.value,
        "size": entry.size,
        "sha256": entry.sha256,
        "found_sha256": file.found,
        "url": entry.url,
        "source": entry.source,
        "restricts_use": entry.restricts_use,
        "weights": entry.terms.weights,
        "training_data": entry.terms.training_data,
    }


def _size(installed: InstalledPack) -> str:
    """Returns the size of the required files; "unknown" unless the size of each is known."""
    sizes = [file.entry.size for file in installed.files if file.required]
    known = [size for size in sizes if size is not None]
    return size_text(sum(known)) if len(known) == len(sizes) else "unknown"


def _licences(pack: CataloguePack) -> str:
    """Returns the first words of each licence. ``facegate models licence`` shows the whole text."""
    short = (_FIRST_WORDS.split(entry.terms.weights, maxsplit=1)[0] for entry in pack.members)
    return "; ".join(dict.fromkeys(short))

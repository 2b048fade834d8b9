"""Packs, their files and the progress of a pull, for the terminal; packs as JSON values."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from cli import shown
from formats.extras import extra_installed
from vision.packs import CataloguePack, Pack
from vision.packs.pulling import (
    InstalledFile,
    InstalledPack,
    PackState,
    read_acceptance,
    size_text,
    terms_text,
)

EMBEDDED: Final = "embedded"
"""The pack's name. It is not in the catalogue, because it needs no pull."""
EMBEDDED_SUMMARY: Final = "Comes with the extra `embedded` and needs no pull."
EMBEDDED_USE: Final = "For evaluation and research only: it must not decide about people."

_STYLES = {
    PackState.YES: "green",
    PackState.PARTLY: "yellow",
    PackState.NO: "dim",
    PackState.ALTERED: "bold red",
}
_FIRST_WORDS = re.compile(r"\s\(|[.,;:](?:\s|$)")


def list_table(packs: Sequence[InstalledPack]) -> Table:
    """Return a table with one row per pack, the embedded one last."""
    names = ("pack", "installed", "size", "purpose, and the licences of its weights")
    table = shown.list_table(*names, right=("size",), whole=names[:3], box=box.SIMPLE_HEAD, pad_edge=True)
    for installed in packs:
        pack = installed.pack
        table.add_row(
            Text(pack.name, "bold"),
            Text(installed.state, _STYLES[installed.state]),
            _size(installed),
            Text(pack.summary).append(f"\n{_licences(pack)}", "yellow" if pack.restricts_use else "dim"),
        )
    embedded = _embedded_state()
    table.add_row(
        Text(EMBEDDED, "bold"),
        Text(embedded, _STYLES[embedded]),
        "-",
        Text(EMBEDDED_SUMMARY).append(f"\n{EMBEDDED_USE}", "yellow"),
    )
    return table


def list_json(installed: InstalledPack) -> dict[str, Any]:
    """Return a short description of a pack for programs."""
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


def pack_text(about: Mapping[str, Any], *, terms: str) -> Text:
    """Return a full description of a pack, its terms and each of its files, as ``--json`` has them."""
    text = Text()
    text.append(about["title"], "bold").append(f" ({about['pack']}, family {about['family']})\n")
    text.append(f"{about['summary']}\ninstalled: ")
    text.append(about["installed"], _STYLES[PackState(about["installed"])])
    text.append("\n" if about["folder"] is None else f", {about['folder']}\n").append(f"{terms}\n")
    if "version" in about:
        text.append(f"version: {about['version']}\n")
    for file in about["files"]:
        text.append(f"\n{file['file']}\n", "bold")
        for name, value in file.items():
            if name != "file" and value is not None:
                words = f"{value:,} bytes" if name == "size" else str(value)
                text.append(f"  {name.replace('_', ' '):<15}", "dim").append(f"{words}\n")
    return text


def terms_and_acceptance(installed: InstalledPack) -> str:
    """Return the terms of a pack, and whether they were accepted here."""
    accepted, pack = read_acceptance(installed.folder), installed.pack
    state = "No licence restricts use, so nothing has to be accepted."
    if accepted is not None:
        today = "" if accepted.terms == terms_text(pack) else ", as they were then"
        state = f"Accepted here on {accepted.accepted_at} with Facegate {accepted.facegate}{today}."
    elif pack.restricts_use:
        state = "They have not been accepted here. `facegate models pull` asks for it, or give it --accept."
    return f"{terms_text(pack)}\n{state}"


def pack_json(installed: InstalledPack) -> dict[str, Any]:
    """Return a full description of a pack and each of its files, for programs."""
    accepted = read_acceptance(installed.folder)
    return {
        **list_json(installed),
        "accepted_at": None if accepted is None else accepted.accepted_at,
        "files": [_file_json(file) for file in installed.files],
    }


def _embedded_state() -> PackState:
    return PackState.YES if extra_installed(EMBEDDED) else PackState.NO


def embedded_list_json() -> dict[str, Any]:
    """Return the pack's entry of ``facegate models show --json``, with the keys of a catalogued pack."""
    return {
        "pack": EMBEDDED,
        "family": EMBEDDED,
        "title": "The embedded pack",
        "summary": EMBEDDED_SUMMARY,
        "installed": _embedded_state().value,
        "folder": None,
        "restricts_use": True,
        "licences": EMBEDDED_USE,
    }


def embedded_json(pack: Pack) -> dict[str, Any]:
    """Return everything about the loaded pack, for scripts."""
    digests = {file.name: {"role": file.role, "sha256": file.sha256} for file in pack.files}
    files = [
        {
            "file": terms.part,
            "name": terms.part,
            **digests.get(terms.part, {"role": "detector", "sha256": None}),
            "weights": terms.weights,
            "training_data": terms.training_data,
        }
        for terms in pack.terms
    ]
    about = {"version": pack.version, "evaluation_only": pack.evaluation_only}
    return embedded_list_json() | about | {"files": files}


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
    """Return the size of the required files, of those with a known size if the catalogue lacks one."""
    sizes = [file.entry.size for file in installed.files if file.required]
    known = [size for size in sizes if size is not None]
    if not known:
        return "unknown"
    return ("" if len(known) == len(sizes) else "over ") + size_text(sum(known))


def _licences(pack: CataloguePack) -> str:
    """Return the first words of each licence. ``facegate models show`` shows the whole text."""
    short = (_FIRST_WORDS.split(entry.terms.weights, maxsplit=1)[0] for entry in pack.members)
    return "; ".join(dict.fromkeys(short))


class TerminalProgress:
    """Shows a bar for each file if the console is a terminal, and permanent lines.

    Implements ``vision.packs.pulling.sources.PullProgress``.
    """

    def __init__(self, console: Console) -> None:
        """Show on ``console``."""
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:  # Without a start, stopping would print an empty line.
            self._bars.stop()

    def planned(self, file: str, *, size: int | None) -> None:
        """Add a bar."""
        self._tasks[file] = self._bars.add_task(escape(file), total=size)

    def moved(self, file: str, *, done: int) -> None:
        """Update the file's bar."""
        if file in self._tasks:
            self._bars.update(self._tasks[file], completed=done)

    def ended(self, file: str, *, how: str) -> None:
        """Print a permanent line in place of the bar."""
        if file in self._tasks:
            self._bars.update(self._tasks[file], visible=False)
        self.say(f"{file}: {how}")

    def say(self, text: str) -> None:
        """Print a permanent line."""
        shown.say(text, console=self._console)

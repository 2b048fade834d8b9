"""Writes the outcomes to a folder: a subfolder for each check, the page, the keys."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cli.demo.flash import strip_picture
from cli.demo.record import DemoRecord
from cli.demo.scenarios import Status
from cli.demo.words import outcome_text
from cli.errors import OutputUnusable
from cli.verdict import result_json
from facegate_client import KeySet
from server.pages import render

__all__ = ["make_folder", "write_files"]

PAGE: Final = "index.html"
KEYS: Final = "jwks.json"


def make_folder(folder: Path) -> None:
    """Creates the output folder.

    Raises:
        OutputUnusable: It cannot be created, or is not a folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputUnusable(f"{folder} cannot be created: {error.strerror}") from error


def write_files(folder: Path, *, records: Sequence[DemoRecord], page: str, keys: KeySet) -> Path:
    """Writes ``index.html``, ``jwks.json``, and each check's images, result and signature.

    Files of an earlier run are replaced, or removed if this run does not write them.

    Returns:
        The page's path.

    Raises:
        OutputUnusable: A file cannot be written.
    """
    try:
        for record in records:
            _write_check(folder / record.scenario.key, record)
        public: Mapping[str, Any] = keys.as_dict()
        _write(folder / KEYS, json.dumps(public, indent=2).encode() + b"\n")
        _write(folder / PAGE, page.encode("utf-8"))
    except OSError as error:
        raise OutputUnusable(f"{error.filename or folder} cannot be written: {error.strerror}") from error
    return folder / PAGE


def _write_check(folder: Path, record: DemoRecord) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    response = record.response
    evidence = None
    if response is not None and response.HasField("evidence_frame"):
        evidence = response.evidence_frame.image
    contents = {
        "portrait.jpg": record.portrait,
        "evidence.jpg": evidence,
        "result.json": None if response is None else result_json(response.result).encode() + b"\n",
        "result.jws": None if response is None else response.result_jws.encode("ascii") + b"\n",
        "strip.svg": _strip(record),
    }
    for name, content in contents.items():
        if content is None:
            (folder / name).unlink(missing_ok=True)
        else:
            _write(folder / name, content)


def _strip(record: DemoRecord) -> bytes | None:
    """Returns the strip of the flash, with the outcome, as an SVG file; None without a flash."""
    if record.flash is None or record.result is None:
        return None
    outcome = outcome_text(record.status, record.reasons[:1])
    passed = record.attack_passed
    drawing = render(
        "flash_file.svg",
        strip=strip_picture(record.flash),
        title=record.scenario.title,
        outcome=f"{outcome}: the attack passed" if passed else outcome,
        tone="warn" if passed else "good" if record.status is Status.SUCCESS else "bad",
    )
    return drawing.encode()


def _write(path: Path, content: bytes) -> None:
    # Atomic, so that a browser never reads a partial page.
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(content)
    fresh.replace(path)

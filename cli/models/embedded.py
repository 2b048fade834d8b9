"""The ``embedded`` pack, which comes with the installation, as ``facegate models`` shows it."""

from typing import Any, Final

from rich.text import Text

from cli.models.installed import PackState
from vision.packs import Pack

__all__ = [
    "EMBEDDED",
    "EMBEDDED_SUMMARY",
    "EMBEDDED_USE",
    "embedded_json",
    "embedded_list_json",
    "embedded_text",
]

EMBEDDED: Final = "embedded"
"""The pack's name. It is not in the catalogue, because it needs no pull."""
EMBEDDED_SUMMARY: Final = "Comes with the installation and needs no pull."
EMBEDDED_USE: Final = "For evaluation and research only: it must not decide about people."


def embedded_text(pack: Pack) -> Text:
    """Returns the loaded pack's version, its files and the terms of every part."""
    text = Text()
    text.append("The embedded pack", "bold").append(f" ({pack.name}, version {pack.version})\n")
    text.append(f"{EMBEDDED_SUMMARY} ")
    text.append(f"{EMBEDDED_USE}\n", "yellow" if pack.evaluation_only else "")
    digests = {file.name: (file.role, file.sha256) for file in pack.files}
    for terms in pack.terms:
        role, digest = digests.get(terms.part, ("detector", None))
        text.append(f"\n{terms.part}", "bold").append(f"  {role}\n")
        facts = {"SHA-256": digest, "weights": terms.weights, "training data": terms.training_data}
        for name, value in facts.items():
            if value is not None:
                text.append(f"  {name:<15}", "dim").append(f"{value}\n")
    return text


def embedded_list_json() -> dict[str, Any]:
    """Returns the pack's entry of ``facegate models list --json``, with the keys of a catalogued pack."""
    return {
        "pack": EMBEDDED,
        "family": EMBEDDED,
        "title": "The embedded pack",
        "summary": EMBEDDED_SUMMARY,
        "installed": PackState.YES.value,
        "folder": None,
        "restricts_use": True,
        "licences": EMBEDDED_USE,
    }


def embedded_json(pack: Pack) -> dict[str, Any]:
    """Returns everything about the loaded pack, for scripts."""
    digests = {file.name: file.sha256 for file in pack.files}
    return {
        "pack": pack.name,
        "version": pack.version,
        "summary": EMBEDDED_SUMMARY,
        "evaluation_only": pack.evaluation_only,
        "files": [
            {
                "name": terms.part,
                "sha256": digests.get(terms.part),
                "weights": terms.weights,
                "training_data": terms.training_data,
            }
            for terms in pack.terms
        ],
    }

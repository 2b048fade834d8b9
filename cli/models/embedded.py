"""What ``facegate models show`` and ``licence`` tell of the pack that comes with the installation."""

from typing import Any, Final

from rich.text import Text

from vision.packs import Pack

__all__ = ["EMBEDDED", "embedded_json", "embedded_text"]

EMBEDDED: Final = "embedded"
"""The pack's name; it is not in the catalogue, because nothing of it is pulled."""
_SUMMARY: Final = "Comes with the installation and needs no pull."
_USE: Final = "For evaluation and research only: it must not decide about people."


def embedded_text(pack: Pack) -> Text:
    """The loaded pack: its version, its files, and the terms of every part."""
    text = Text()
    text.append("The embedded pack", "bold").append(f" ({pack.name}, version {pack.version})\n")
    text.append(f"{_SUMMARY} ")
    text.append(f"{_USE}\n", "yellow" if pack.evaluation_only else "")
    digests = {file.name: (file.role, file.sha256) for file in pack.files}
    for terms in pack.terms:
        role, digest = digests.get(terms.part, ("detector", None))
        text.append(f"\n{terms.part}", "bold").append(f"  {role}\n")
        facts = {"SHA-256": digest, "weights": terms.weights, "training data": terms.training_data}
        for name, value in facts.items():
            if value is not None:
                text.append(f"  {name:<15}", "dim").append(f"{value}\n")
    return text


def embedded_json(pack: Pack) -> dict[str, Any]:
    """The same for scripts."""
    digests = {file.name: file.sha256 for file in pack.files}
    return {
        "pack": pack.name,
        "version": pack.version,
        "summary": _SUMMARY,
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

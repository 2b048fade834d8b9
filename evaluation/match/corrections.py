"""Reads the known errors of a data set's labels, with reasons, so that every omission is documented.

::

    [[same_person]]                   # two labels, one person
    identities = ["a:x", "b:y"]
    reason = "..."

    [[unsure]]                        # may be one person or two: not compared with each other
    identities = ["a:1", "a:2"]
    reason = "..."

    [[wrong_label]]                   # this photo shows another person: omitted
    file = "a_1.jpg"
    reason = "..."
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.match.errors import PhotoListError

__all__ = ["Corrections", "read_corrections"]


@dataclass(frozen=True, slots=True)
class Corrections:
    """The known errors of a data set's labels.

    Attributes:
        same_person: From a label to the label that is used instead.
        unsure: Pairs of labels, after ``same_person``, that are not compared with each other.
        wrong_label: Files that are omitted.
    """

    same_person: Mapping[str, str] = field(default_factory=dict)
    unsure: frozenset[frozenset[str]] = frozenset()
    wrong_label: frozenset[str] = frozenset()


def read_corrections(path: Path) -> Corrections:
    """Read a corrections file of the form in the module docstring.

    Raises:
        PhotoListError: The file cannot be read, or breaks the form.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        same = _one_label([_two(entry) for entry in table.get("same_person", [])])
        pairs = [_two(entry) for entry in table.get("unsure", [])]
        unsure = frozenset(frozenset(same.get(label, label) for label in pair) for pair in pairs)
        if any(len(labels) < 2 for labels in unsure):
            raise ValueError("two labels are unsure that same_person makes one")
        wrong = frozenset(str(entry["file"]) for entry in table.get("wrong_label", []))
    except OSError as error:
        raise PhotoListError(f"{path} cannot be read: {error.strerror or error}") from error
    # A file that is not UTF-8 and one that is not TOML both raise ValueError.
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise PhotoListError(f"{path} is not TOML: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PhotoListError(f"{path} breaks the form of a corrections file: {error!r}") from error
    return Corrections(same_person=same, unsure=unsure, wrong_label=wrong)


def _one_label(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Map every replaced label to the common label of the person."""
    used: dict[str, str] = {}
    for first, second in pairs:
        old, new = used.get(first, first), used.get(second, second)
        if old != new:
            used |= {label: new for label, known in used.items() if known == old}
            used[old] = new
    return used


def _two(entry: Mapping[str, Any]) -> tuple[str, str]:
    first, second = entry["identities"]
    if not (isinstance(first, str) and isinstance(second, str)) or first == second:
        raise ValueError("identities must be two different texts")
    return first, second

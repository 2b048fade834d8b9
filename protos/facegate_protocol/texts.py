"""The English texts for the contract's codes, read once from ``texts.json`` beside this module.

The server, the clients and ``facegate`` show them, and ``python -m docs.make_texts`` writes them into the
pages and the browser SDK. Codes and reasons have the contract's names, without the prefix.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from facegate_protocol.errors import TextsUnusable

_DATA_FILE: Final = "texts.json"
_LONGEST: Final = 300


class ScanEffect(StrEnum):
    """The effect on a scan of a stream that ends with a reason."""

    RECONNECT = "reconnect"
    """The device reconnects with ``resume`` by itself; the check is open."""
    OPEN = "open"
    """The device ends; the check is open, and a corrected client may resume until the deadline."""
    DECIDED = "decided"
    """The check is decided against: the transcript is broken."""
    OVER = "over"
    """The check accepts no stream of this device, or no more streams at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalAdvice:
    """What to do about an ``ErrorReason``.

    Attributes:
        seen_by: The callers that get it.
        action: What the caller does.
        command: What a person at ``facegate`` does instead, if a command has options or a way of its own.
        lost: Why a connection of a scan was lost, in words for the person; only for reasons that lose one.
        scan: Set for reasons that end streams of ScanFace.
        device: What the device does, for the same reasons.
        metadata: Keys that its ``ErrorInfo.metadata`` may have; some are present only for one call or cause.
    """

    seen_by: str
    action: str
    command: str
    lost: str
    scan: ScanEffect | None
    device: str
    metadata: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureAdvice:
    """What a ``FailureReason`` means, in one sentence, and what the orchestrator does."""

    means: str
    action: str


@dataclass(frozen=True, slots=True)
class Texts:
    """The tables of the data file, each by the name of the code."""

    hints: Mapping[str, str]
    refusals: Mapping[str, RefusalAdvice]
    failures: Mapping[str, FailureAdvice]
    verdicts: Mapping[str, str]


def read_texts(source: str) -> Texts:
    """Read the data file.

    Raises:
        TextsUnusable: It is not JSON, or a row has another form.
    """
    try:
        data = json.loads(source)
        return Texts(
            hints=_sentences(data["hints"]),
            refusals=MappingProxyType({reason: _refusal(**row) for reason, row in data["refusals"].items()}),
            failures=MappingProxyType({reason: _failure(**row) for reason, row in data["failures"].items()}),
            verdicts=_sentences(data["verdicts"]),
        )
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise TextsUnusable(f"{_DATA_FILE}: {error!r:.200}") from error


def _sentences(rows: Mapping[str, object]) -> Mapping[str, str]:
    return MappingProxyType({code: _text(text) for code, text in rows.items()})


def _refusal(
    *,
    seen_by: str,
    action: str,
    command: str = "",
    lost: str = "",
    scan: str | None = None,
    device: str = "",
    metadata: Sequence[str] = (),
) -> RefusalAdvice:
    return RefusalAdvice(
        seen_by=_text(seen_by),
        action=_text(action),
        command=command and _text(command),
        lost=lost and _text(lost),
        scan=None if scan is None else ScanEffect(scan),
        device="" if scan is None else _text(device),
        metadata=tuple(map(_text, metadata)),
    )


def _failure(*, means: str, action: str) -> FailureAdvice:
    return FailureAdvice(means=_text(means), action=_text(action))


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        raise ValueError(f"no text of 1 to {_LONGEST} characters: {value!r:.80}")
    return value


_TEXTS: Final = read_texts(files("facegate_protocol").joinpath(_DATA_FILE).read_text(encoding="utf-8"))

HINTS: Final = _TEXTS.hints
"""What a ``FeedbackCode`` says to the person; UNSPECIFIED is for codes that a client does not know."""
REFUSALS: Final = _TEXTS.refusals
"""What to do about an ``ErrorReason``."""
FAILURES: Final = _TEXTS.failures
"""What a ``FailureReason`` means, and what to do about it."""
VERDICTS: Final = _TEXTS.verdicts
"""Why a scan or a file was judged as it was, by ``liveness.VerdictReason``."""

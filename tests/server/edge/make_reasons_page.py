"""Writes docs/reasons.md.

Names and descriptions come from the comments of the contract; the remedy for a reason of failure is in this
module. Run it after a change::

    python -m tests.server.edge.make_reasons_page
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_REPOSITORY = Path(__file__).resolve().parents[3]
_CONTRACT = _REPOSITORY / "protos" / "facegate" / "v1"
PAGE = _REPOSITORY / "docs" / "reasons.md"

_VALUE: Final = re.compile(
    r"(?P<comment>(?:^ +//[^\n]*\n)+)^ +(?P<name>[A-Z][A-Z0-9_]+) = (?P<number>\d+);", re.MULTILINE
)

ACTIONS: Mapping[str, str] = {
    "NOT_SAME_PERSON": "Reject. Offer the person another way of identification.",
    "SPOOF": "Reject. Have a person examine the evidence if much depends on it.",
    "LIVENESS_INCONCLUSIVE": "Reject, or create a new check.",
    "CHALLENGE_BITS_TOO_FEW": "Create a new check; ask the person to find shade and to raise the brightness.",
    "DEVICE_NOT_TRUSTED": "Reject, or name a policy that demands less and offer what you can take on it.",
    "TRANSCRIPT_BROKEN": "Reject. With an SDK of your own, look for a defect first.",
    "IDENTITY_CHANGED": "Reject.",
    "EXPIRED": "Create a new check if the person wants to continue.",
    "ABANDONED": "Create a new check if the person wants to continue.",
    "INTERRUPTED": "Create a new check; nothing is held against the person.",
    "CONDITIONS": "Create a new check; show the feedback of its attempts.",
    "MODE_NOT_MET": "Create a new check for a device that can flash, or name a policy without the flash.",
    "CANCELLED": "Create a new check if the person wants to continue.",
    "DEVICE_MANIPULATED": "Reject. `device.checks` names the decisive one.",
    "SERVER_FAULT": "Create a new check; nothing is held against the person.",
}
"""The action of an orchestrator for a reason of failure."""


@dataclass(frozen=True, slots=True)
class DocumentedValue:
    """A value of an enumeration, without its prefix."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class _Section:
    """One enumeration of the page.

    Attributes:
        title: Its heading.
        introduction: The text above its table.
        file: The file of the contract.
        enum: Its name there.
        prefix: How its values begin.
    """

    title: str
    introduction: str
    file: str
    enum: str
    prefix: str


_REASONS: Final = _Section(
    "Failure reasons",
    "`CheckResult.reasons`, most important first. A check that did not succeed has at least one; a check "
    "that succeeded has none. INTERRUPTED and SERVER_FAULT come with the status NOT_DECIDED, all others with "
    "FAILURE.",
    "result.proto",
    "FailureReason",
    "FAILURE_REASON_",
)
_OTHERS: Final = (
    _Section(
        "Status",
        "`CheckResult.status`. Every value but SUCCESS means that the person is not verified.",
        "result.proto",
        "CheckStatus",
        "CHECK_STATUS_",
    ),
    _Section(
        "Liveness verdicts",
        "`CheckResult.liveness.verdict`, and `verdict` of each attempt.",
        "result.proto",
        "LivenessVerdict",
        "LIVENESS_VERDICT_",
    ),
    _Section(
        "Attack types",
        "`CheckResult.liveness.attack_type`: what the scan looks like.",
        "result.proto",
        "AttackType",
        "ATTACK_TYPE_",
    ),
    _Section(
        "Device assurance",
        "`CheckResult.device.assurance`, weakest first.",
        "result.proto",
        "DeviceAssurance",
        "DEVICE_ASSURANCE_",
    ),
    _Section(
        "Outcomes of a device check",
        "`outcome` of each entry of `CheckResult.device.checks`. A missing check is never a pass.",
        "result.proto",
        "DeviceCheck.Outcome",
        "OUTCOME_",
    ),
    _Section(
        "Outcomes of an attempt",
        "`AttemptSummary.outcome`.",
        "result.proto",
        "AttemptSummary.Outcome",
        "OUTCOME_",
    ),
    _Section(
        "Ends of an attempt",
        "`AttemptSummary.ended_by`.",
        "result.proto",
        "AttemptSummary.EndedBy",
        "ENDED_BY_",
    ),
    _Section(
        "Feedback codes",
        "`Feedback.code` in an attempt; `ScanResult.feedback` and `AttemptSummary.feedback` after it. "
        "The texts to show are in [device_protocol.md](device_protocol.md#feedback-codes).",
        "feedback.proto",
        "FeedbackCode",
        "FEEDBACK_CODE_",
    ),
    _Section(
        "Scan status",
        "`ScanResult.status`: what the app learns.",
        "scan.proto",
        "ScanStatus",
        "SCAN_STATUS_",
    ),
)

_INTRODUCTION = """\
# Reasons and codes

The values of a result, of feedback and of a scan's end, without the prefix that each has in the contract:
SPOOF is `FAILURE_REASON_SPOOF`. Treat a value that your stubs do not know as UNSPECIFIED, and a status that
they do not know as "not verified". Reasons of errors are in [errors.md](errors.md); how to read a result is
in [results.md](results.md).

This page is made by `python -m tests.server.edge.make_reasons_page` from the comments of
`protos/facegate/v1`; do not edit it by hand.
"""


def documented_values(file: str, enum: str, prefix: str) -> list[DocumentedValue]:
    """The values of an enumeration of the contract but UNSPECIFIED, in its order.

    Args:
        file: The file of the contract.
        enum: The enumeration, such as ``CheckStatus`` or ``AttemptSummary.Outcome``.
        prefix: How its values begin.

    Raises:
        ValueError: The file has no such enumeration.
    """
    source = (_CONTRACT / file).read_text(encoding="utf-8")
    message, _, name = enum.rpartition(".")
    inside = source[source.find(f"\nmessage {message} {{") :] if message else source
    found = re.search(rf"^ *enum {name} \{{$(.*?)^ *\}}$", inside, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"{file} has no enum {enum}")
    values = []
    for match in _VALUE.finditer(found[1]):
        name = match["name"].removeprefix(prefix)
        if match["number"] != "0":
            text = " ".join(line.strip().removeprefix("//").strip() for line in match["comment"].splitlines())
            values.append(DocumentedValue(name, text))
    return values


def failure_reasons() -> list[DocumentedValue]:
    """The reasons why a check did not succeed."""
    return documented_values(_REASONS.file, _REASONS.enum, _REASONS.prefix)


def reasons_page() -> str:
    """The whole page."""
    lines = [_INTRODUCTION, f"\n## {_REASONS.title}\n\n{_REASONS.introduction}\n\n"]
    lines += ["| Reason | What happened | What to do |\n", "| --- | --- | --- |\n"]
    lines += [
        f"| `{value.name}` | {value.description} | {ACTIONS[value.name]} |\n" for value in failure_reasons()
    ]
    for section in _OTHERS:
        lines += [
            f"\n## {section.title}\n\n{section.introduction}\n\n",
            "| Value | Meaning |\n",
            "| --- | --- |\n",
        ]
        lines += [
            f"| `{value.name}` | {value.description} |\n"
            for value in documented_values(section.file, section.enum, section.prefix)
        ]
    return "".join(lines)


if __name__ == "__main__":
    PAGE.write_text(reasons_page())

"""Writes what shows the texts of ``facegate_protocol.texts`` and the comments of the contract.

These are ``docs/reference/errors.md``, ``reasons.md`` and ``device.md``, the texts of the browser's and the
Kotlin SDK, and the reasons on the pages of the console.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from facegate_protocol.texts import FAILURES, HINTS, REFUSALS, VERDICTS, ScanEffect

_REPOSITORY = Path(__file__).resolve().parents[1]
_CONTRACT = _REPOSITORY / "protos" / "facegate" / "v1"
_DOCS = _REPOSITORY / "docs"
_ERRORS_PAGE, _REASONS_PAGE, _DEVICE_PAGE = (
    _DOCS / "reference" / "errors.md",
    _DOCS / "reference" / "reasons.md",
    _DOCS / "reference" / "device.md",
)
_SDK_TEXTS = _REPOSITORY / "web" / "protocol" / "src" / "generated" / "texts.ts"
_SDK_LANGUAGES = _SDK_TEXTS.with_name("languages.ts")
_KOTLIN_TEXTS = (
    _REPOSITORY / "sdk" / "kotlin" / "core" / "src" / "main" / "resources" / "org" / "facegate" / "core"
)
_SCREEN_TEXTS = _REPOSITORY / "protos" / "screen_texts.json"
_CONSOLE_TEXTS = _REPOSITORY / "web" / "console" / "src" / "generated" / "texts.ts"

_VALUE: Final = re.compile(
    r"(?P<comment>(?:^ +//[^\n]*\n)+)^ +(?P<name>[A-Z][A-Z0-9_]+) = (?P<number>\d+);", re.MULTILINE
)
_STATUS: Final = re.compile(r"\s*\[(?P<code>[A-Z_]+)(?P<retry>, with RetryInfo)?\]$")


@dataclass(frozen=True, slots=True)
class DocumentedValue:
    """A value of an enumeration, without its prefix."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class DocumentedReason:
    """A reason of a refusal as the contract documents it."""

    reason: str
    code: str
    retry: bool
    description: str


_REASONS_ABOUT: Final = (
    "`CheckResult.reasons`, most important first. A check that did not succeed has at least one; a check "
    "that succeeded has none. INTERRUPTED and SERVER_FAULT come with the status NOT_DECIDED, all others with "
    "FAILURE."
)
_OTHERS: Final = (
    (
        "Status",
        "`CheckResult.status`. Every value but SUCCESS means that the person is not verified.",
        "CheckStatus",
    ),
    (
        "Liveness verdicts",
        "`CheckResult.liveness.verdict`, and `verdict` of each attempt.",
        "LivenessVerdict",
    ),
    ("Attack types", "`CheckResult.liveness.attack_type`: what the scan looks like.", "AttackType"),
    ("Device assurance", "`CheckResult.device.assurance`, weakest first.", "DeviceAssurance"),
    (
        "Outcomes of a device check",
        "`outcome` of each entry of `CheckResult.device.checks`. A missing check is never a pass.",
        "DeviceCheck.Outcome",
    ),
    ("Outcomes of an attempt", "`AttemptSummary.outcome`.", "AttemptSummary.Outcome"),
    ("Ends of an attempt", "`AttemptSummary.ended_by`.", "AttemptSummary.EndedBy"),
)
"""The further enumerations of the page of results: heading, text above the table, name in the contract."""

_DEVICE_ERRORS: Final = """
## Errors

The column *Scan* says what becomes of the scan: **reconnect**, with `resume` automatically; **open**, the
device ends, though the check is open; **decided**, the check is decided against; **over**, the check takes no
more streams of this device.

| Reason | Status | Scan | What the device does |
| --- | --- | --- | --- |
"""

_ERRORS_INTRODUCTION: Final = """\
# Errors

A call that cannot be served ends with a gRPC status that carries exactly one `google.rpc.ErrorInfo`, with
domain `facegate.org` and one of the reasons below; every number in the message is in its metadata. Branch on
the reason, never on the message. After a status with "retry", a `google.rpc.RetryInfo` says how long to wait.

"Spoof" and "not the same person" are results with status OK, never errors. A message beyond a listener's own
limit never reaches the server: the transport answers it with RESOURCE_EXHAUSTED and no details.

"Metadata" lists the keys that `ErrorInfo.metadata` may have; those that do not apply are absent. Every error
of `AnalysisService` also has `code` and `requestId` or `inferenceId`. What becomes of a scan after each
error, and what a device does, is in [device.md](device.md#errors).

`make reference` writes this page from `protos/facegate_protocol/texts.json` and the comments of
`protos/facegate/v1/error_reason.proto`; do not edit it by hand.
"""
_SEEN_BY: Final = {
    "device, orchestrator": "Any call",
    "device": "Scans only",
    "orchestrator": "Calls of an orchestrator",
    "compliance": "Calls of a compliance role",
}
"""The sections of the page of errors, by who sees their reasons."""
_REASONS_INTRODUCTION: Final = """\
# Reasons and codes

The values of a result, without the prefix that each has in the contract: SPOOF is `FAILURE_REASON_SPOOF`.
Treat a value that your stubs do not know as UNSPECIFIED, and a status that they do not know as "not
verified". How to read a result is in [orchestrator.md](../orchestrator.md). Reasons of errors are in
[errors.md](errors.md), feedback codes in [device.md](device.md), and what the app learns in
[device_protocol.md](../device_protocol.md#scan-results).

`make reference` writes this page from `protos/facegate_protocol/texts.json` and the comments of
`protos/facegate/v1`; do not edit it by hand.
"""
_DEVICE_INTRODUCTION: Final = """\
# Codes that a device meets

How a device uses them is in [device_protocol.md](../device_protocol.md#feedback-codes).

`make reference` writes this page from `protos/facegate_protocol/texts.json` and the comments of
`protos/facegate/v1/error_reason.proto`; do not edit it by hand.
"""


def documented_values(file: str, enum: str) -> list[DocumentedValue]:
    """The values of an enumeration of the contract but UNSPECIFIED, in its order.

    Args:
        enum: The enumeration, such as ``CheckStatus`` or ``AttemptSummary.Outcome``.

    Raises:
        ValueError: The file has no such enumeration.
    """
    source = (_CONTRACT / file).read_text(encoding="utf-8")
    message, _, name = enum.rpartition(".")
    inside = source[source.find(f"\nmessage {message} {{") :] if message else source
    found = re.search(rf"^ *enum {name} \{{$(.*?)^ *\}}$", inside, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"{file} has no enum {enum}")
    # The values of CheckStatus begin with CHECK_STATUS_.
    prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper() + "_"
    values = []
    for match in _VALUE.finditer(found[1]):
        value = match["name"].removeprefix(prefix)
        if match["number"] != "0":
            text = " ".join(line.strip().removeprefix("//").strip() for line in match["comment"].splitlines())
            values.append(DocumentedValue(value, text))
    return values


def documented_reasons() -> list[DocumentedReason]:
    """The reasons of refusals, in the contract's order.

    Raises:
        ValueError: A comment does not end with a status code in brackets.
    """
    found = []
    for value in documented_values("error_reason.proto", "ErrorReason"):
        code = _STATUS.search(value.description)
        if code is None:
            raise ValueError(f"{value.name} is documented without its status code")
        found.append(
            DocumentedReason(
                value.name, code["code"], bool(code["retry"]), value.description[: code.start()].strip()
            )
        )
    return found


def _errors_page() -> str:
    lines = [_ERRORS_INTRODUCTION]
    for seen_by, title in _SEEN_BY.items():
        # What a device does after the errors of scans is on the page of devices.
        columns = ["Reason", "Status", "What happened", "What to do", "Metadata"]
        if seen_by == "device":
            columns.remove("What to do")
        lines.append(f"\n## {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n")
        for entry in documented_reasons():
            advice = REFUSALS[entry.reason]
            if advice.seen_by == seen_by:
                cells = {
                    "Reason": f"`{entry.reason}`",
                    "Status": f"{entry.code}, retry" if entry.retry else entry.code,
                    "What happened": entry.description,
                    "What to do": advice.action,
                    "Metadata": ", ".join(f"`{key}`" for key in advice.metadata),
                }
                lines.append(f"| {' | '.join(cells[column] for column in columns)} |\n")
    return "".join(lines)


def _reasons_page() -> str:
    lines = [_REASONS_INTRODUCTION, f"\n## Failure reasons\n\n{_REASONS_ABOUT}\n\n"]
    lines += ["| Reason | What happened | What to do |\n", "| --- | --- | --- |\n"]
    lines += [
        f"| `{value.name}` | {value.description} | {FAILURES[value.name].action} |\n"
        for value in documented_values("result.proto", "FailureReason")
    ]
    for title, about, enum in _OTHERS:
        lines += [
            f"\n## {title}\n\n{about}\n\n",
            "| Value | Meaning |\n",
            "| --- | --- |\n",
        ]
        lines += [
            f"| `{value.name}` | {value.description} |\n" for value in documented_values("result.proto", enum)
        ]
    return "".join(lines)


def _device_page() -> str:
    lines = [_DEVICE_INTRODUCTION, "\n## Feedback codes\n\n| Code | Text to show |\n| --- | --- |\n"]
    lines += [f"| `{code}` | {text} |\n" for code, text in HINTS.items() if code != "UNSPECIFIED"]
    lines.append(_DEVICE_ERRORS)
    for entry in documented_reasons():
        advice = REFUSALS[entry.reason]
        if advice.scan is not None:
            device = (advice.device or "").replace("](#", "](../device_protocol.md#")
            lines.append(f"| `{entry.reason}` | `{entry.code}` | {advice.scan} | {device} |\n")
    return "".join(lines)


def _sdk_texts() -> str:
    lines = [
        "// Made by `python -m docs.make_texts`; do not edit it by hand.\n",
        "\n/** The reasons of refusals after which a device reconnects by itself. */\n",
        "export const RECONNECT: ReadonlySet<string> = new Set([\n",
        *(f'  "{name}",\n' for name, advice in REFUSALS.items() if advice.scan is ScanEffect.RECONNECT),
        "]);\n",
    ]
    return "".join(lines)


def _languages() -> dict[str, dict[str, dict[str, str]]]:
    """The texts of capture screens by language.

    These are ``screen``, what a ``page`` and an ``app`` add or say instead, and ``hints``.
    """
    languages: dict[str, dict[str, dict[str, str]]] = json.loads(_SCREEN_TEXTS.read_text(encoding="utf-8"))
    languages["en"]["hints"] = dict(HINTS)
    return languages


def _sdk_languages() -> str:
    languages = {
        language: texts["screen"] | texts["page"] | {"hints": texts["hints"]}
        for language, texts in _languages().items()
    }
    content = json.dumps(languages, ensure_ascii=False, indent=2)
    return (
        "// Made by `python -m docs.make_texts`; do not edit it by hand.\n"
        'import type { Strings } from "../strings.js";\n'
        "\n/** The languages of capture screens, by their BCP 47 language. */\n"
        f"export const LANGUAGES: Record<string, Strings> = {content};\n"
    )


def _kotlin_texts() -> dict[Path, str]:
    made = {}
    for language, texts in _languages().items():
        hints = {f"hint.{code}": text for code, text in texts["hints"].items()}
        made[f"texts_{language}"] = texts["screen"] | texts["app"] | hints
    made["refusals"] = {name: advice.scan for name, advice in REFUSALS.items() if advice.scan is not None}
    return {_KOTLIN_TEXTS / f"{name}.properties": _properties(texts) for name, texts in made.items()}


def _properties(texts: Mapping[str, str]) -> str:
    lines = ["# Made by `python -m docs.make_texts`; do not edit it by hand.\n"]
    for name, text in texts.items():
        escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
        lines.append(f"{name}={escaped}\n")
    return "".join(lines)


def _console_texts() -> str:
    failures = {name: {"means": text.means, "action": text.action} for name, text in FAILURES.items()}
    refusals = {name: advice.action for name, advice in REFUSALS.items() if advice.seen_by == "compliance"}
    lines = ["// Made by `python -m docs.make_texts`; do not edit it by hand.\n"]
    for name, about, texts in (
        ("FAILURES", "What each reason of a check means, and what to do.", failures),
        ("REFUSALS", "What to do about each refusal that only compliance sees.", refusals),
        ("VERDICTS", "The reasons of a verdict on liveness, as results have them.", dict(VERDICTS)),
    ):
        content = json.dumps(texts, ensure_ascii=False, indent=2)
        lines.append(f"\n/** {about} */\nexport const {name} = {content} as const;\n")
    return "".join(lines)


def made_files() -> dict[Path, str]:
    """The files that this module writes, with their contents."""
    return {
        _ERRORS_PAGE: _errors_page(),
        _REASONS_PAGE: _reasons_page(),
        _DEVICE_PAGE: _device_page(),
        _SDK_TEXTS: _sdk_texts(),
        _SDK_LANGUAGES: _sdk_languages(),
        **_kotlin_texts(),
        _CONSOLE_TEXTS: _console_texts(),
    }


if __name__ == "__main__":
    for path, content in made_files().items():
        path.write_text(content, encoding="utf-8")

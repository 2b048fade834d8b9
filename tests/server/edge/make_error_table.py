"""Writes docs/errors.md and the errors of docs/device_protocol.md.

The names, codes and descriptions come from the comments of ``protos/facegate/v1/error_reason.proto``; the
callers that get a reason, its metadata, its effect on the scan and the remedy are in ``error_advice``. Run it
after a change::

    python -m tests.server.edge.make_error_table
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.server.edge.error_advice import ADVICE, METADATA

_REPOSITORY = Path(__file__).resolve().parents[3]
_PROTO = _REPOSITORY / "protos" / "facegate" / "v1" / "error_reason.proto"
TABLE = _REPOSITORY / "docs" / "errors.md"
PROTOCOL = _REPOSITORY / "docs" / "device_protocol.md"

_ENTRY = re.compile(
    r"(?P<comment>(?:^  //[^\n]*\n)+)  ERROR_REASON_(?P<reason>[A-Z0-9_]+) = (?P<number>\d+);", re.MULTILINE
)
_BRACKETS = re.compile(r"\s*\[(?P<code>[A-Z_]+)(?P<retry>, with RetryInfo)?\]$")


@dataclass(frozen=True, slots=True)
class DocumentedReason:
    """A reason as the contract documents it."""

    reason: str
    code: str
    retry: bool
    description: str


_INTRODUCTION = """\
# Errors

A call that cannot be served ends with a gRPC status that carries exactly one `google.rpc.ErrorInfo`, with
domain `facegate.org` and one of the reasons below; every number in the message is in its metadata. Branch on
the reason, never on the message. Where "retry" says yes, a `google.rpc.RetryInfo` says how long to wait.

"Spoof" and "not the same person" are results with status OK, never errors. A message beyond a listener's own
limit never reaches the server: the transport answers it with RESOURCE_EXHAUSTED and no details.

"Scan" says what becomes of a scan whose stream ends with the reason:

- **reconnect**: the check is open and the device reconnects with `resume` automatically.
- **open**: the check is open until its deadline, but the client broke a rule: reconnecting without a change
  only ends the same way.
- **decided**: the check is decided against, with TRANSCRIPT_BROKEN: an honest client never breaks its own
  transcript.
- **over**: the check accepts no further stream of this device, or of any device.

"Metadata" lists the keys that `ErrorInfo.metadata` may have; those that do not apply are absent. Every error
of `AnalysisService` also has `code` and `requestId` or `inferenceId`.

This page is made by `python -m tests.server.edge.make_error_table` from the comments of
`protos/facegate/v1/error_reason.proto`; do not edit it by hand.

| Reason | Status | Retry | Scan | Seen by | What happened | What to do | Metadata |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""
_BEGIN = "<!-- errors: begin (made by tests/server/edge/make_error_table.py) -->\n"
_END = "<!-- errors: end -->\n"


def documented_reasons() -> list[DocumentedReason]:
    """Every reason of the contract but UNSPECIFIED, in its order.

    Raises:
        ValueError: A comment does not end with a status code in brackets.
    """
    found = []
    for match in _ENTRY.finditer(_PROTO.read_text()):
        if match["reason"] == "UNSPECIFIED":
            continue
        text = " ".join(line.strip().removeprefix("//").strip() for line in match["comment"].splitlines())
        code = _BRACKETS.search(text)
        if code is None:
            raise ValueError(f"{match['reason']} is documented without its status code")
        found.append(
            DocumentedReason(match["reason"], code["code"], bool(code["retry"]), text[: code.start()].strip())
        )
    return found


def error_table() -> str:
    """The whole page of errors."""
    lines = []
    for entry in documented_reasons():
        advice = ADVICE[entry.reason]
        retry = "yes" if entry.retry else ""
        scan = "" if advice.scan is None else advice.scan.value
        metadata = ", ".join(f"`{key}`" for key in METADATA.get(entry.reason, ()))
        lines.append(
            f"| `{entry.reason}` | {entry.code} | {retry} | {scan} | {advice.caller} "
            f"| {entry.description} | {advice.action} | {metadata} |\n"
        )
    return _INTRODUCTION + "".join(lines)


def device_errors() -> str:
    """The table of the device protocol."""
    lines = ["| Reason | Status | Scan | What the device does |\n", "|---|---|---|---|\n"]
    for entry in documented_reasons():
        advice = ADVICE[entry.reason]
        if advice.scan is not None:
            lines.append(f"| `{entry.reason}` | `{entry.code}` | {advice.scan.value} | {advice.device} |\n")
    return "".join(lines)


def with_device_errors(document: str) -> str:
    """The device protocol with its table made anew."""
    before, rest = document.split(_BEGIN)
    _, after = rest.split(_END)
    return before + _BEGIN + device_errors() + _END + after


if __name__ == "__main__":
    TABLE.write_text(error_table())
    PROTOCOL.write_text(with_device_errors(PROTOCOL.read_text()))

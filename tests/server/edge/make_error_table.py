"""Writes docs/errors.md: every ErrorReason with its status code, who sees it, and what to do.

The names, codes and descriptions come from the comments of ``protos/facegate/v1/error_reason.proto``;
who sees a reason and what to do about it stands here. Run it after a change::

    python -m tests.server.edge.make_error_table
"""

import re
from dataclasses import dataclass
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[3]
_PROTO = _REPOSITORY / "protos" / "facegate" / "v1" / "error_reason.proto"
TABLE = _REPOSITORY / "docs" / "errors.md"

_ENTRY = re.compile(
    r"(?P<comment>(?:^  //[^\n]*\n)+)  ERROR_REASON_(?P<reason>[A-Z0-9_]+) = (?P<number>\d+);", re.MULTILINE
)
_BRACKETS = re.compile(r"\s*\[(?P<code>[A-Z_]+)(?P<retry>, with RetryInfo)?\]$")

_BOTH, _DEVICE, _ORCHESTRATOR = "both", "device", "orchestrator"


@dataclass(frozen=True, slots=True)
class DocumentedReason:
    """A reason as the contract documents it."""

    reason: str
    code: str
    retry: bool
    description: str


@dataclass(frozen=True, slots=True)
class _Advice:
    """Who sees a reason, and what to do."""

    caller: str
    action: str


_IMAGE = "Ask for another picture; the metadata has the numbers."
_BUG = "A defect of the client: fix it. The check is over, create a new one."
_STREAM_BUG = "A defect of the client: fix it. A scan may be resumed."
_NEW_CHECK = "Create a new check."

ADVICE: dict[str, _Advice] = {
    "INVALID_FIELD": _Advice(_BOTH, "Correct the field that metadata `field` names."),
    "UNAUTHENTICATED": _Advice(_ORCHESTRATOR, "Send a known API key, or a client certificate."),
    "PERMISSION_DENIED": _Advice(_ORCHESTRATOR, "Use credentials whose role allows the call."),
    "WRONG_LISTENER": _Advice(_BOTH, "Connect to the listener that the metadata names."),
    "INTERNAL": _Advice(_BOTH, "Retry once; then report the `incidentId` to the operator."),
    "NOT_SERVING": _Advice(_BOTH, "Retry after the delay of RetryInfo; a device resumes its scan."),
    "OVERLOADED": _Advice(_BOTH, "Retry after the delay of RetryInfo, with jitter."),
    "DEADLINE_EXCEEDED": _Advice(
        _ORCHESTRATOR, "Repeat the call, with the same `request_id` where it has one."
    ),
    "IMAGE_EMPTY": _Advice(_ORCHESTRATOR, "Set `image`."),
    "IMAGE_TOO_LARGE": _Advice(_ORCHESTRATOR, _IMAGE),
    "IMAGE_TOO_MANY_PIXELS": _Advice(_ORCHESTRATOR, _IMAGE),
    "IMAGE_FORMAT_NOT_SUPPORTED": _Advice(_ORCHESTRATOR, "Send one of the formats that the contract lists."),
    "IMAGE_MALFORMED": _Advice(_ORCHESTRATOR, "Read the file again from its source."),
    "FACE_NOT_FOUND": _Advice(_ORCHESTRATOR, _IMAGE),
    "MULTIPLE_FACES": _Advice(_ORCHESTRATOR, "Ask for a picture of one person."),
    "EYE_DISTANCE_TOO_SMALL": _Advice(
        _ORCHESTRATOR, "Ask for a larger picture; the metadata has the numbers."
    ),
    "FACE_CUT_OFF": _Advice(_ORCHESTRATOR, "Ask for a picture that shows the whole face."),
    "IMAGE_NOT_CONFORMANT": _Advice(_ORCHESTRATOR, "Ask for a picture that meets metadata `requirement`."),
    "IMAGE_REFERENCE_INVALID": _Advice(_ORCHESTRATOR, "Correct the reference."),
    "IMAGE_REFERENCE_NOT_FOUND": _Advice(_ORCHESTRATOR, "Correct the reference, or store the image first."),
    "IMAGE_REFERENCE_NOT_CONFIGURED": _Advice(_ORCHESTRATOR, "Send the image itself."),
    "ISO_39794_NOT_SUPPORTED": _Advice(_ORCHESTRATOR, "Send the picture inside the record."),
    "IMAGE_REFERENCE_UNAVAILABLE": _Advice(
        _ORCHESTRATOR, "Repeat the call with the same `request_id` after the delay of RetryInfo, with jitter."
    ),
    "POLICY_NOT_FOUND": _Advice(_ORCHESTRATOR, "Name one of the policies in the metadata."),
    "MODE_BELOW_POLICY": _Advice(_ORCHESTRATOR, "Leave the mode out, or name a policy that allows it."),
    "MODE_NOT_AVAILABLE": _Advice(_ORCHESTRATOR, "Name another policy or mode."),
    "REQUEST_ID_REUSED": _Advice(_ORCHESTRATOR, "Take a new UUID for a new request."),
    "CHECK_NOT_FOUND": _Advice(_ORCHESTRATOR, "Correct the identifier."),
    "NOT_SCANNED_YET": _Advice(_ORCHESTRATOR, "Ask again when the app says that the scan is over."),
    "SCAN_IN_PROGRESS": _Advice(_ORCHESTRATOR, "Ask again after the delay of RetryInfo."),
    "RESULT_EXPIRED": _Advice(_ORCHESTRATOR, _NEW_CHECK),
    "POLICY_NOT_AVAILABLE": _Advice(
        _ORCHESTRATOR, "Name another policy; the operator can install another pack."
    ),
    "TOKEN_INVALID": _Advice(
        _DEVICE, "Get the token from the orchestrator again; do not retry with this one."
    ),
    "TOKEN_EXPIRED": _Advice(_DEVICE, "Tell the app that the time is over. " + _NEW_CHECK),
    "CHECK_CLOSED": _Advice(_DEVICE, "Tell the app that the scan is over; the orchestrator has the verdict."),
    "SESSION_KEY_MISMATCH": _Advice(
        _DEVICE, "Resume with the key that the scan began with, or create a new check."
    ),
    "RESUME_PROOF_INVALID": _Advice(
        _DEVICE, "Sign the new stream's binding hash with the scan's session key."
    ),
    "PROTOCOL_VERSION_NOT_SUPPORTED": _Advice(_DEVICE, "Update the SDK or the server."),
    "UNEXPECTED_MESSAGE": _Advice(_BOTH, _STREAM_BUG),
    "FRAME_OUT_OF_ORDER": _Advice(_DEVICE, _BUG),
    "FRAME_MAC_INVALID": _Advice(_DEVICE, _BUG),
    "FRAME_TIME_INVALID": _Advice(_DEVICE, _BUG),
    "FRAME_TOO_LARGE": _Advice(
        _DEVICE, "Encode within `CaptureBudget.max_frame_bytes`. The scan may be resumed."
    ),
    "FRAME_IMAGE_INVALID": _Advice(_DEVICE, _STREAM_BUG),
    "CREDIT_EXCEEDED": _Advice(_DEVICE, "Wait for Credit, and drop images before they get an index."),
    "SCAN_BUDGET_EXCEEDED": _Advice(_DEVICE, "Stay within the CaptureBudget. " + _NEW_CHECK),
    "ATTEMPT_END_INVALID": _Advice(_DEVICE, _BUG),
    "SUPERSEDED": _Advice(_DEVICE, "Nothing: the newer stream goes on."),
    "STREAM_IDLE": _Advice(_BOTH, "Resume the scan; send the video again, without a pause."),
    "TOO_MANY_RECONNECTS": _Advice(_DEVICE, _NEW_CHECK),
    "PACK_CHANGED": _Advice(_DEVICE, _NEW_CHECK),
    "CAPABILITY_MISSING": _Advice(
        _DEVICE, "Scan with a device that can, or create a check whose policy does not demand it."
    ),
    "VIDEO_EMPTY": _Advice(_ORCHESTRATOR, "Send the file, or the still frames, after the config."),
    "VIDEO_TOO_LARGE": _Advice(_ORCHESTRATOR, "Send a shorter video; the metadata has the limits."),
    "VIDEO_FORMAT_NOT_SUPPORTED": _Advice(
        _ORCHESTRATOR, "Send one of the containers and codecs that the contract lists."
    ),
    "VIDEO_MALFORMED": _Advice(_ORCHESTRATOR, "Read the file again from its source, and send all of it."),
    "VIDEO_TOO_LONG": _Advice(_ORCHESTRATOR, "Send a shorter part; the metadata has the limits."),
    "VIDEO_TOO_MANY_PIXELS": _Advice(_ORCHESTRATOR, "Scale the video down; the metadata has the limit."),
    "VIDEO_WITHOUT_PICTURES": _Advice(_ORCHESTRATOR, "Send a file that holds a video."),
    "TOO_FEW_FRAMES": _Advice(
        _ORCHESTRATOR, "Ask for a video that shows one face, and that face for longer."
    ),
    "VIDEO_NOT_AVAILABLE": _Advice(
        _ORCHESTRATOR, "Send still frames; the operator can set `analysis.video_workers`."
    ),
    "VIDEO_TOO_SLOW_TO_DECODE": _Advice(
        _ORCHESTRATOR,
        "Send a shorter video or smaller pictures, or the same again when the server is less busy; the "
        "operator can raise the limit in the metadata.",
    ),
}

_CALLERS = {_BOTH: "device, orchestrator", _DEVICE: "device", _ORCHESTRATOR: "orchestrator"}

_INTRODUCTION = """\
# Errors

A call that cannot be served ends with a gRPC status that carries exactly one `google.rpc.ErrorInfo`, with
domain `facegate.org` and one of the reasons below; every number in the message is in its metadata. Branch on
the reason, never on the message. Where "retry" says yes, a `google.rpc.RetryInfo` says how long to wait.

"Spoof" and "not the same person" are results with status OK, never errors. A message beyond a listener's own
limit never reaches the server: the transport answers it with RESOURCE_EXHAUSTED and no details.

This page is made by `python -m tests.server.edge.make_error_table` from the comments of
`protos/facegate/v1/error_reason.proto`; do not edit it by hand.

| Reason | Status | Retry | Seen by | What happened | What to do |
| --- | --- | --- | --- | --- | --- |
"""


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
    """The whole page."""
    lines = []
    for entry in documented_reasons():
        advice = ADVICE[entry.reason]
        retry = "yes" if entry.retry else ""
        lines.append(
            f"| `{entry.reason}` | {entry.code} | {retry} | {_CALLERS[advice.caller]} | {entry.description} "
            f"| {advice.action} |\n"
        )
    return _INTRODUCTION + "".join(lines)


if __name__ == "__main__":
    TABLE.write_text(error_table())

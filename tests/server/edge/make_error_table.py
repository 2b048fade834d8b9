"""Writes docs/errors.md and the errors of docs/device_protocol.md.

The names, codes and descriptions come from the comments of ``protos/facegate/v1/error_reason.proto``; the
callers that get a reason, its metadata, its effect on the scan and the remedy are in this module. Run it
after a change::

    python -m tests.server.edge.make_error_table
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[3]
_PROTO = _REPOSITORY / "protos" / "facegate" / "v1" / "error_reason.proto"
TABLE = _REPOSITORY / "docs" / "errors.md"
PROTOCOL = _REPOSITORY / "docs" / "device_protocol.md"

_ENTRY = re.compile(
    r"(?P<comment>(?:^  //[^\n]*\n)+)  ERROR_REASON_(?P<reason>[A-Z0-9_]+) = (?P<number>\d+);", re.MULTILINE
)
_BRACKETS = re.compile(r"\s*\[(?P<code>[A-Z_]+)(?P<retry>, with RetryInfo)?\]$")

_BOTH, _COMPLIANCE, _DEVICE, _ORCHESTRATOR = "both", "compliance", "device", "orchestrator"


@dataclass(frozen=True, slots=True)
class DocumentedReason:
    """A reason as the contract documents it."""

    reason: str
    code: str
    retry: bool
    description: str


class Scan(Enum):
    """The effect on a scan of a stream that ends with a reason."""

    RECONNECT = "reconnect"
    """The device reconnects with ``resume`` by itself; the check is open."""
    OPEN = "open"
    """The device ends; the check is open, and a corrected client may resume until the deadline."""
    DECIDED = "decided"
    """The check is decided against: the transcript is broken."""
    OVER = "over"
    """The check accepts no stream of this device, or no more streams at all."""


@dataclass(frozen=True, slots=True)
class _Advice:
    """The recipients of a reason, and the remedy.

    ``device`` is the device's action if it differs from ``action``; ``scan`` is set for reasons that end
    streams of ScanFace.
    """

    caller: str
    action: str
    scan: Scan | None = None
    device: str = ""


_IMAGE = "Ask for another picture; the metadata has the numbers."
_BUG = "A defect of the client: fix it. The check is over, create a new one."
_STREAM_BUG = "A defect of the client: fix it. A scan may be resumed."
_NEW_CHECK = "Create a new check."

ADVICE: dict[str, _Advice] = {
    "INVALID_FIELD": _Advice(
        _BOTH,
        "Correct the field that metadata `field` names.",
        scan=Scan.OPEN,
        device="Ends: a defect of the SDK; metadata `field` names it.",
    ),
    "UNAUTHENTICATED": _Advice(_ORCHESTRATOR, "Send a known API key, or a client certificate."),
    "PERMISSION_DENIED": _Advice(_ORCHESTRATOR, "Use credentials that have the scope."),
    "WRONG_LISTENER": _Advice(
        _BOTH,
        "Connect to the listener that the metadata names.",
        scan=Scan.OVER,
        device="Ends: the app is configured with the wrong address.",
    ),
    "INTERNAL": _Advice(
        _BOTH,
        "Retry once; then report the `incidentId` to the operator.",
        scan=Scan.OPEN,
        device="Ends; shows `incidentId` for support.",
    ),
    "NOT_SERVING": _Advice(
        _BOTH,
        "Retry after the delay of RetryInfo; a device resumes its scan.",
        scan=Scan.RECONNECT,
        device="Waits as `RetryInfo` says, then reconnects: the server is starting or shutting down, or "
        "cannot reach its storage.",
    ),
    "OVERLOADED": _Advice(
        _BOTH,
        "Retry after the delay of RetryInfo, with jitter.",
        scan=Scan.RECONNECT,
        device="Waits as `RetryInfo` says, then tries again, at most 10 times.",
    ),
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
    "ISO_39794_NOT_SUPPORTED": _Advice(
        _ORCHESTRATOR, "Send the picture inside the record, or a binary record."
    ),
    "IMAGE_REFERENCE_UNAVAILABLE": _Advice(
        _ORCHESTRATOR, "Repeat the call with the same `request_id` after the delay of RetryInfo, with jitter."
    ),
    "POLICY_NOT_FOUND": _Advice(_ORCHESTRATOR, "Name one of the policies in the metadata."),
    "MODE_BELOW_POLICY": _Advice(_ORCHESTRATOR, "Leave the mode out, or name a policy that allows it."),
    "MODE_NOT_AVAILABLE": _Advice(_ORCHESTRATOR, "Name another policy or mode."),
    "REQUEST_ID_REUSED": _Advice(_ORCHESTRATOR, "Take a new UUID for a new request."),
    "CHECK_NOT_FOUND": _Advice(_ORCHESTRATOR, "Correct the identifier."),
    "NOT_SCANNED_YET": _Advice(_ORCHESTRATOR, "Ask again when the app says that the scan is over."),
    "SCAN_IN_PROGRESS": _Advice(
        _ORCHESTRATOR,
        "Ask again after the delay of RetryInfo, or close the check with `close_now`.",
    ),
    "RESULT_EXPIRED": _Advice(_ORCHESTRATOR, _NEW_CHECK),
    "POLICY_NOT_AVAILABLE": _Advice(
        _ORCHESTRATOR, "Name another policy; the operator can install another pack, or set what is missing."
    ),
    "TOKEN_INVALID": _Advice(
        _DEVICE,
        "Get the token from the orchestrator again; do not retry with this one.",
        scan=Scan.OVER,
        device="Ends. The app asks the orchestrator for a new check.",
    ),
    "TOKEN_EXPIRED": _Advice(
        _DEVICE,
        "Tell the app that the time is over. " + _NEW_CHECK,
        scan=Scan.OVER,
        device="Ends: too late. A new check.",
    ),
    "CHECK_CLOSED": _Advice(
        _DEVICE,
        "Tell the app that the scan is over; the orchestrator has the verdict.",
        scan=Scan.OVER,
        device="After an unanswered `attempt_end`: the scan is complete. Otherwise ends; a new check.",
    ),
    "SESSION_KEY_MISMATCH": _Advice(
        _DEVICE,
        "Resume with the key that the scan began with, or create a new check.",
        scan=Scan.OVER,
        device="Ends: another device, or a lost key. A new check.",
    ),
    "RESUME_PROOF_INVALID": _Advice(
        _DEVICE,
        "Sign the new stream's binding hash with the scan's session key.",
        scan=Scan.OPEN,
        device="Ends: a defect of the SDK, or not the key that the scan began with.",
    ),
    "PROTOCOL_VERSION_NOT_SUPPORTED": _Advice(
        _DEVICE, "Update the SDK or the server.", scan=Scan.OVER, device="Ends: the app must be updated."
    ),
    "UNEXPECTED_MESSAGE": _Advice(_BOTH, _STREAM_BUG, scan=Scan.OPEN, device="Ends: a defect of the SDK."),
    "FRAME_OUT_OF_ORDER": _Advice(
        _DEVICE, _BUG, scan=Scan.DECIDED, device="Ends: a defect of the SDK, or an attack. A new check."
    ),
    "FRAME_MAC_INVALID": _Advice(
        _DEVICE, _BUG, scan=Scan.DECIDED, device="Ends: a defect of the SDK, or an attack. A new check."
    ),
    "FRAME_TIME_INVALID": _Advice(
        _DEVICE, _BUG, scan=Scan.DECIDED, device="Ends; see [Clocks](#clocks). A new check."
    ),
    "FRAME_TOO_LARGE": _Advice(
        _DEVICE,
        "Encode within `CaptureBudget.max_frame_bytes`. The scan may be resumed.",
        scan=Scan.OPEN,
        device="Ends: the SDK must keep `max_frame_bytes`.",
    ),
    "FRAME_IMAGE_INVALID": _Advice(
        _DEVICE,
        _STREAM_BUG,
        scan=Scan.OPEN,
        device="Ends: not a JPEG, or not of the declared size, or outside the budget.",
    ),
    "CREDIT_EXCEEDED": _Advice(
        _DEVICE,
        "Wait for Credit, and drop images before they get an index.",
        scan=Scan.OPEN,
        device="Ends: a defect of the SDK.",
    ),
    "SCAN_BUDGET_EXCEEDED": _Advice(
        _DEVICE,
        "Stay within the CaptureBudget. " + _NEW_CHECK,
        scan=Scan.OPEN,
        device="Ends. The SDK must end attempts before the budget is used up.",
    ),
    "ATTEMPT_END_INVALID": _Advice(
        _DEVICE, _BUG, scan=Scan.DECIDED, device="Ends: a defect of the SDK, or an attack. A new check."
    ),
    "SUPERSEDED": _Advice(
        _DEVICE,
        "Nothing: the newer stream goes on.",
        scan=Scan.OVER,
        device="Ends quietly: another stream of the same device goes on.",
    ),
    "STREAM_IDLE": _Advice(
        _BOTH,
        "Resume the scan; send the video again, without a pause.",
        scan=Scan.RECONNECT,
        device="Reconnects with `resume`.",
    ),
    "TOO_MANY_RECONNECTS": _Advice(
        _DEVICE, _NEW_CHECK, scan=Scan.OVER, device="Ends: the network does not hold. A new check elsewhere."
    ),
    "PACK_CHANGED": _Advice(
        _DEVICE,
        _NEW_CHECK,
        scan=Scan.OVER,
        device="Ends: the server's models were changed after the upload. A new check.",
    ),
    "CAPABILITY_MISSING": _Advice(
        _DEVICE,
        "Scan with a device that can, or create a check whose policy does not demand it.",
        scan=Scan.OVER,
        device=(
            "Ends: the check demands the flash and the app did not announce it. Nothing is used up: another "
            "device may scan, or the orchestrator creates a check of another policy."
        ),
    ),
    "TOO_MANY_FAILURES": _Advice(
        _BOTH,
        "Wait as long as it says. Offer the person another way of identification.",
        scan=Scan.OPEN,
        device='Ends: "Please try again later". No reconnect before the time in RetryInfo.',
    ),
    "ORIGIN_NOT_ALLOWED": _Advice(
        _DEVICE,
        "Scan in a page that the policy lists in `device.web_origins`, or add this page's origin there.",
        scan=Scan.OVER,
        device=(
            "Ends: the check's policy allows other pages only. Nothing is used up: a page of an allowed "
            "origin may scan."
        ),
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
    "EVIDENCE_ON_HOLD": _Advice(
        _COMPLIANCE, "Release the holds that GetEvidence lists, if they no longer apply."
    ),
    "EVIDENCE_ERASED": _Advice(
        _COMPLIANCE, "What is erased cannot be read any more; the audit log states when and why."
    ),
    "CHECK_NOT_DECIDED": _Advice(_COMPLIANCE, "Ask again when the check is decided."),
    "EVIDENCE_IMAGE_NOT_FOUND": _Advice(_COMPLIANCE, "Use a SHA-256 that GetEvidence lists."),
    "EVIDENCE_UNREADABLE": _Advice(_COMPLIANCE, "Restore what `problem` names from the backup."),
    "HOLD_NOT_FOUND": _Advice(_COMPLIANCE, "Use a reference that GetEvidence lists."),
    "EVIDENCE_RECORD_MISSING": _Advice(_COMPLIANCE, "Use the result that the orchestrator stored."),
}

_IMAGE_BYTES = ("bytes", "maxBytes")
_RECORD = ("format", "offset", "field")
_FACES = ("faces", "requiredFaces", "largestWidthPx", "secondWidthPx", "secondWidthLimitPx", "faceBoxes")
_VIDEO = ("frames", "usableFrames", "minFrames", "otherSizeFrames", "repeatedFrames")

METADATA: Mapping[str, tuple[str, ...]] = {
    "INVALID_FIELD": ("field", "frameIndex", "bytes", "maxBytes", "size", "most", "value", "maxValue"),
    "PERMISSION_DENIED": ("requiredScope",),
    "WRONG_LISTENER": ("call", "listener"),
    "INTERNAL": ("incidentId",),
    "OVERLOADED": ("limit", "tenantLimit", "retrySeconds"),
    "DEADLINE_EXCEEDED": ("maxSeconds",),
    "IMAGE_EMPTY": ("frameIndex",),
    "IMAGE_TOO_LARGE": (*_IMAGE_BYTES, "frameIndex"),
    "IMAGE_TOO_MANY_PIXELS": ("width", "height", "maxPixels", "maxSide", "frameIndex"),
    "IMAGE_FORMAT_NOT_SUPPORTED": ("format", "accepted", "modality", "version", "frameIndex"),
    "IMAGE_MALFORMED": (*_RECORD, "bytes", "frameIndex"),
    "FACE_NOT_FOUND": ("faces", "requiredFaces", *_VIDEO),
    "MULTIPLE_FACES": (
        *_FACES,
        "representations",
        "requiredRepresentations",
        "records",
        "framesWithSeveralFaces",
    ),
    "EYE_DISTANCE_TOO_SMALL": ("eyeDistancePx", "minEyeDistancePx", "width", "height", "minSide"),
    "FACE_CUT_OFF": ("insideFraction", "minInsideFraction"),
    "IMAGE_NOT_CONFORMANT": ("requirement", "required", "measured", "unassessed"),
    "IMAGE_REFERENCE_INVALID": ("field",),
    "IMAGE_REFERENCE_NOT_FOUND": ("field",),
    "ISO_39794_NOT_SUPPORTED": ("format",),
    "POLICY_NOT_FOUND": ("policies",),
    "MODE_BELOW_POLICY": ("mode", "policyMode"),
    "MODE_NOT_AVAILABLE": ("mode", "availableModes"),
    "POLICY_NOT_AVAILABLE": ("policy", "pack", "mode", "missingSettings"),
    "SCAN_IN_PROGRESS": ("state", "resumeSeconds"),
    "CHECK_CLOSED": ("maxAttempts",),
    "PROTOCOL_VERSION_NOT_SUPPORTED": ("version", "supportedVersion"),
    "FRAME_OUT_OF_ORDER": ("frameIndex", "attempt", "expectedFrameIndex", "expectedAttempt"),
    "FRAME_MAC_INVALID": ("frameIndex",),
    "FRAME_TIME_INVALID": (
        "frameIndex",
        "captureTimeMicros",
        "previousCaptureTimeMicros",
        "aheadSeconds",
        "maxAheadSeconds",
    ),
    "FRAME_TOO_LARGE": ("frameIndex", "frameBytes", "maxFrameBytes"),
    "FRAME_IMAGE_INVALID": ("frameIndex", "fault", "width", "height", "declaredWidth", "declaredHeight"),
    "CREDIT_EXCEEDED": ("frameBytes", "creditFrames", "creditBytes"),
    "SCAN_BUDGET_EXCEEDED": (
        "maxFramesPerAttempt",
        "scanBytes",
        "maxScanBytes",
        "maxAttestations",
        "maxAttestationBytes",
    ),
    "ATTEMPT_END_INVALID": ("attempt", "frameCount", "expectedAttempt", "arrivedFrames"),
    "STREAM_IDLE": ("idleSeconds",),
    "TOO_MANY_RECONNECTS": ("reconnects", "maxReconnects"),
    "PACK_CHANGED": ("packVersion", "currentPackVersion"),
    "CAPABILITY_MISSING": ("capability", "mode"),
    "ORIGIN_NOT_ALLOWED": ("origin",),
    "TOO_MANY_FAILURES": ("limited", "retrySeconds"),
    "VIDEO_TOO_LARGE": ("bytes", "maxBytes", "totalBytes", "frames", "maxFrames"),
    "VIDEO_FORMAT_NOT_SUPPORTED": ("bytes", "format", "container", "announcedContainer"),
    "VIDEO_MALFORMED": ("format", "bytes", "totalBytes"),
    "VIDEO_TOO_LONG": ("maxSeconds", "maxPictures"),
    "VIDEO_TOO_MANY_PIXELS": ("pixels", "maxPixels"),
    "TOO_FEW_FRAMES": _VIDEO,
    "EVIDENCE_ON_HOLD": ("holds",),
    "CHECK_NOT_DECIDED": ("state",),
    "EVIDENCE_UNREADABLE": ("problem",),
}
"""Keys that a reason's metadata may have; some are present only for one call or cause."""

_CALLERS = {
    _BOTH: "device, orchestrator",
    _COMPLIANCE: "compliance",
    _DEVICE: "device",
    _ORCHESTRATOR: "orchestrator",
}

_INTRODUCTION = """\
# Errors

A call that cannot be served ends with a gRPC status that carries exactly one `google.rpc.ErrorInfo`, with
domain `facegate.org` and one of the reasons below; every number in the message is in its metadata. Branch on
the reason, never on the message. Where "retry" says yes, a `google.rpc.RetryInfo` says how long to wait.

"Spoof" and "not the same person" are results with status OK, never errors. A message beyond a listener's own
limit never reaches the server: the transport answers it with RESOURCE_EXHAUSTED and no details.

"Scan" says what becomes of a scan whose stream ends with the reason:

- **reconnect**: the check is open and the device reconnects with `resume` by itself.
- **open**: the check is open until its deadline, but the client broke a rule: reconnecting without a change
  only ends the same way.
- **decided**: the check is decided against, with TRANSCRIPT_BROKEN: an honest client never breaks its own
  transcript.
- **over**: the check takes no stream of this device, or no more at all.

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
            f"| `{entry.reason}` | {entry.code} | {retry} | {scan} | {_CALLERS[advice.caller]} "
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

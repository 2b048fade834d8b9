"""Who gets each reason, its effect on the scan, the remedy, and the keys of its metadata."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

BOTH, COMPLIANCE, DEVICE, ORCHESTRATOR = "device, orchestrator", "compliance", "device", "orchestrator"


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
class Advice:
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

ADVICE: dict[str, Advice] = {
    "INVALID_FIELD": Advice(
        BOTH,
        "Correct the field that metadata `field` names.",
        scan=Scan.OPEN,
        device="Ends: a defect of the SDK; metadata `field` names it.",
    ),
    "UNAUTHENTICATED": Advice(ORCHESTRATOR, "Send a known API key, or a client certificate."),
    "PERMISSION_DENIED": Advice(ORCHESTRATOR, "Use credentials that have the scope."),
    "WRONG_LISTENER": Advice(
        BOTH,
        "Connect to the listener that the metadata names.",
        scan=Scan.OVER,
        device="Ends: the app is configured with the wrong address.",
    ),
    "INTERNAL": Advice(
        BOTH,
        "Retry once; then report the `incidentId` to the operator.",
        scan=Scan.OPEN,
        device="Ends; shows `incidentId` for support.",
    ),
    "NOT_SERVING": Advice(
        BOTH,
        "Retry after the delay of RetryInfo; a device resumes its scan.",
        scan=Scan.RECONNECT,
        device="Waits as `RetryInfo` says, then reconnects: the server is starting or shutting down, or "
        "cannot reach its storage.",
    ),
    "OVERLOADED": Advice(
        BOTH,
        "Retry after the delay of RetryInfo, with jitter.",
        scan=Scan.RECONNECT,
        device="Waits as `RetryInfo` says, then tries again, at most 10 times.",
    ),
    "DEADLINE_EXCEEDED": Advice(
        ORCHESTRATOR, "Repeat the call, with the same `request_id` where it has one."
    ),
    "SERVER_OUTDATED": Advice(
        ORCHESTRATOR,
        "Repeat the call after the delay of RetryInfo, on another server; the operator stops this one.",
    ),
    "IMAGE_EMPTY": Advice(ORCHESTRATOR, "Set `image`."),
    "IMAGE_TOO_LARGE": Advice(ORCHESTRATOR, _IMAGE),
    "IMAGE_TOO_MANY_PIXELS": Advice(ORCHESTRATOR, _IMAGE),
    "IMAGE_FORMAT_NOT_SUPPORTED": Advice(ORCHESTRATOR, "Send one of the formats that the contract lists."),
    "IMAGE_MALFORMED": Advice(ORCHESTRATOR, "Read the file again from its source."),
    "FACE_NOT_FOUND": Advice(ORCHESTRATOR, _IMAGE),
    "MULTIPLE_FACES": Advice(ORCHESTRATOR, "Ask for a picture of one person."),
    "EYE_DISTANCE_TOO_SMALL": Advice(ORCHESTRATOR, "Ask for a larger picture; the metadata has the numbers."),
    "FACE_CUT_OFF": Advice(ORCHESTRATOR, "Ask for a picture that shows the whole face."),
    "IMAGE_NOT_CONFORMANT": Advice(ORCHESTRATOR, "Ask for a picture that meets metadata `requirement`."),
    "IMAGE_REFERENCE_INVALID": Advice(ORCHESTRATOR, "Correct the reference."),
    "IMAGE_REFERENCE_NOT_FOUND": Advice(ORCHESTRATOR, "Correct the reference, or store the image first."),
    "IMAGE_REFERENCE_NOT_CONFIGURED": Advice(ORCHESTRATOR, "Send the image itself."),
    "ISO_39794_NOT_SUPPORTED": Advice(
        ORCHESTRATOR, "Send the picture inside the record, or a binary record."
    ),
    "IMAGE_REFERENCE_UNAVAILABLE": Advice(
        ORCHESTRATOR, "Repeat the call with the same `request_id` after the delay of RetryInfo, with jitter."
    ),
    "POLICY_NOT_FOUND": Advice(ORCHESTRATOR, "Name one of the policies in the metadata."),
    "MODE_BELOW_POLICY": Advice(ORCHESTRATOR, "Leave the mode out, or name a policy that allows it."),
    "MODE_NOT_AVAILABLE": Advice(ORCHESTRATOR, "Name another policy or mode."),
    "REQUEST_ID_REUSED": Advice(ORCHESTRATOR, "Take a new UUID for a new request."),
    "CHECK_NOT_FOUND": Advice(ORCHESTRATOR, "Correct the identifier."),
    "NOT_SCANNED_YET": Advice(ORCHESTRATOR, "Ask again when the app says that the scan is over."),
    "SCAN_IN_PROGRESS": Advice(
        ORCHESTRATOR,
        "Ask again after the delay of RetryInfo, or close the check with `close_now`.",
    ),
    "RESULT_EXPIRED": Advice(ORCHESTRATOR, _NEW_CHECK),
    "POLICY_NOT_AVAILABLE": Advice(
        ORCHESTRATOR, "Name another policy; the operator can install another pack, or set what is missing."
    ),
    "TOKEN_INVALID": Advice(
        DEVICE,
        "Get the token from the orchestrator again; do not retry with this one.",
        scan=Scan.OVER,
        device="Ends. The app asks the orchestrator for a new check.",
    ),
    "TOKEN_EXPIRED": Advice(
        DEVICE,
        "Tell the app that the time is over. " + _NEW_CHECK,
        scan=Scan.OVER,
        device="Ends: too late. A new check.",
    ),
    "CHECK_CLOSED": Advice(
        DEVICE,
        "Tell the app that the scan is over; the orchestrator has the verdict.",
        scan=Scan.OVER,
        device="With `decidedByAttempt`, after an unanswered `attempt_end`: the scan is complete. Otherwise "
        "ends; a new check.",
    ),
    "SESSION_KEY_MISMATCH": Advice(
        DEVICE,
        "Resume with the key that the scan began with, or create a new check.",
        scan=Scan.OVER,
        device="Ends: another device, or a lost key. A new check.",
    ),
    "RESUME_PROOF_INVALID": Advice(
        DEVICE,
        "Sign the new stream's binding hash with the scan's session key.",
        scan=Scan.OPEN,
        device="Ends: a defect of the SDK, or not the key that the scan began with.",
    ),
    "PROTOCOL_VERSION_NOT_SUPPORTED": Advice(
        DEVICE, "Update the SDK or the server.", scan=Scan.OVER, device="Ends: the app must be updated."
    ),
    "UNEXPECTED_MESSAGE": Advice(BOTH, _STREAM_BUG, scan=Scan.OPEN, device="Ends: a defect of the SDK."),
    "FRAME_OUT_OF_ORDER": Advice(
        DEVICE, _BUG, scan=Scan.DECIDED, device="Ends: a defect of the SDK, or an attack. A new check."
    ),
    "FRAME_MAC_INVALID": Advice(
        DEVICE, _BUG, scan=Scan.DECIDED, device="Ends: a defect of the SDK, or an attack. A new check."
    ),
    "FRAME_TIME_INVALID": Advice(
        DEVICE, _BUG, scan=Scan.DECIDED, device="Ends; see [Clocks](#clocks). A new check."
    ),
    "FRAME_TOO_LARGE": Advice(
        DEVICE,
        "Encode within `CaptureBudget.max_frame_bytes`. The scan may be resumed.",
        scan=Scan.OPEN,
        device="Ends: the SDK must keep `max_frame_bytes`.",
    ),
    "FRAME_IMAGE_INVALID": Advice(
        DEVICE,
        _STREAM_BUG,
        scan=Scan.OPEN,
        device="Ends: not a JPEG, or not of the declared size, or outside the budget.",
    ),
    "CREDIT_EXCEEDED": Advice(
        DEVICE,
        "Wait for Credit, and drop images before they get an index.",
        scan=Scan.OPEN,
        device="Ends: a defect of the SDK.",
    ),
    "SCAN_BUDGET_EXCEEDED": Advice(
        DEVICE,
        "Stay within the CaptureBudget. " + _NEW_CHECK,
        scan=Scan.OPEN,
        device="Ends. The SDK must end attempts before the budget is used up.",
    ),
    "ATTEMPT_END_INVALID": Advice(
        DEVICE, _BUG, scan=Scan.DECIDED, device="Ends: a defect of the SDK, or an attack. A new check."
    ),
    "SUPERSEDED": Advice(
        DEVICE,
        "Nothing: the newer stream continues.",
        scan=Scan.OVER,
        device="Ends quietly: another stream of the same device continues.",
    ),
    "STREAM_IDLE": Advice(
        BOTH,
        "Resume the scan; send the video again, without a pause.",
        scan=Scan.RECONNECT,
        device="Reconnects with `resume`.",
    ),
    "TOO_MANY_RECONNECTS": Advice(
        DEVICE, _NEW_CHECK, scan=Scan.OVER, device="Ends: the network does not hold. A new check elsewhere."
    ),
    "PACK_CHANGED": Advice(
        DEVICE,
        _NEW_CHECK,
        scan=Scan.OVER,
        device="Ends: the server's models were changed after the upload. A new check.",
    ),
    "CAPABILITY_MISSING": Advice(
        DEVICE,
        "Scan with a device that can, or create a check whose policy does not demand it.",
        scan=Scan.OVER,
        device=(
            "Ends: the check demands the flash or an open mouth, and the app did not announce it. Nothing is "
            "used up: another device may scan, or the orchestrator creates a check of another policy."
        ),
    ),
    "TOO_MANY_FAILURES": Advice(
        BOTH,
        "Wait as long as it says. Offer the person another way of identification.",
        scan=Scan.OPEN,
        device='Ends: "Please try again later". No reconnect before the time in RetryInfo.',
    ),
    "ORIGIN_NOT_ALLOWED": Advice(
        DEVICE,
        "Scan in a page that the policy lists in `device.web_origins`, or add this page's origin there.",
        scan=Scan.OVER,
        device=(
            "Ends: the check's policy allows other pages only. Nothing is used up: a page of an allowed "
            "origin may scan."
        ),
    ),
    "VIDEO_EMPTY": Advice(ORCHESTRATOR, "Send the file, or the still frames, after the config."),
    "VIDEO_TOO_LARGE": Advice(ORCHESTRATOR, "Send a shorter video; the metadata has the limits."),
    "VIDEO_FORMAT_NOT_SUPPORTED": Advice(
        ORCHESTRATOR, "Send one of the containers and codecs that the contract lists."
    ),
    "VIDEO_MALFORMED": Advice(ORCHESTRATOR, "Read the file again from its source, and send all of it."),
    "VIDEO_TOO_LONG": Advice(ORCHESTRATOR, "Send a shorter part; the metadata has the limits."),
    "VIDEO_TOO_MANY_PIXELS": Advice(ORCHESTRATOR, "Scale the video down; the metadata has the limit."),
    "VIDEO_WITHOUT_PICTURES": Advice(ORCHESTRATOR, "Send a file that holds a video."),
    "TOO_FEW_FRAMES": Advice(ORCHESTRATOR, "Ask for a video that shows one face, and that face for longer."),
    "VIDEO_NOT_AVAILABLE": Advice(
        ORCHESTRATOR, "Send still frames; the operator can set `analysis.video_workers`."
    ),
    "VIDEO_TOO_SLOW_TO_DECODE": Advice(
        ORCHESTRATOR,
        "Send a shorter video or smaller pictures, or the same again when the server is less busy; the "
        "operator can raise the limit in the metadata.",
    ),
    "EVIDENCE_ON_HOLD": Advice(
        COMPLIANCE, "Release the holds that GetEvidence lists, if they no longer apply."
    ),
    "EVIDENCE_ERASED": Advice(
        COMPLIANCE, "Erased evidence cannot be restored. The audit log states when and why."
    ),
    "CHECK_NOT_DECIDED": Advice(COMPLIANCE, "Ask again when the check is decided."),
    "EVIDENCE_IMAGE_NOT_FOUND": Advice(COMPLIANCE, "Use a SHA-256 that GetEvidence lists."),
    "EVIDENCE_UNREADABLE": Advice(COMPLIANCE, "Restore what `problem` names from the backup."),
    "HOLD_NOT_FOUND": Advice(COMPLIANCE, "Use a reference that GetEvidence lists."),
    "EVIDENCE_RECORD_MISSING": Advice(COMPLIANCE, "Use the result that the orchestrator stored."),
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
    "CHECK_CLOSED": ("maxAttempts", "decidedByAttempt"),
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

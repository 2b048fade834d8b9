"""Advice for each reason with which the server refuses a call."""

from types import MappingProxyType
from typing import Final

from facegate_client import ConnectionFailedError, ServerError

__all__ = ["WHAT_TO_DO", "describe_lost_connection", "describe_refusal"]

_NEW_CHECK = "Create a new check: a scan belongs to one check and cannot be repeated."
_CLIENT_BUG = "The client broke the protocol; compare it with docs/device_protocol.md."
_OTHER_PHOTO = "Use another photo of the person."

WHAT_TO_DO: Final = MappingProxyType(
    {
        "INVALID_FIELD": "Correct the field that is named.",
        "UNAUTHENTICATED": "Give valid credentials: --api-key-file, or --cert and --key.",
        "PERMISSION_DENIED": "Use credentials that allow this call.",
        "WRONG_LISTENER": "Each call is served by one listener only: give the address of the other one.",
        "INTERNAL": "Look for the incident's identifier in the server's log.",
        "NOT_SERVING": "Wait until the server has loaded its models, then try again.",
        "OVERLOADED": "Try again in a moment.",
        "DEADLINE_EXCEEDED": "Try again. If it happens often, the server is too busy or too far away.",
        "SERVER_OUTDATED": "Stop this server and start the version that upgraded its database.",
        "IMAGE_EMPTY": "Give a file with an image in it.",
        "IMAGE_TOO_LARGE": "Give a smaller file: at most 2,000,000 bytes.",
        "IMAGE_TOO_MANY_PIXELS": "Scale the image down.",
        "IMAGE_FORMAT_NOT_SUPPORTED": "Give a PNG, JPEG or JPEG 2000 file, a facial record, or a DG2.",
        "IMAGE_MALFORMED": "The file is damaged: export or photograph it again.",
        "FACE_NOT_FOUND": _OTHER_PHOTO,
        "MULTIPLE_FACES": "Crop the photo so that it shows the person alone; give a record with one face.",
        "EYE_DISTANCE_TOO_SMALL": "Use a larger photo, or crop and shrink the photo less.",
        "FACE_CUT_OFF": "Use a photo that shows the whole face.",
        "IMAGE_NOT_CONFORMANT": "Use a photo that meets the requirement that is named.",
        "IMAGE_REFERENCE_INVALID": "Correct the reference; docs/trusted_images.md states the rules.",
        "IMAGE_REFERENCE_NOT_FOUND": "Correct the reference, or upload the image itself.",
        "IMAGE_REFERENCE_NOT_CONFIGURED": "Upload the image itself, or configure a store of trusted images.",
        "ISO_39794_NOT_SUPPORTED": "Give the image of the record, or a binary record.",
        "IMAGE_REFERENCE_UNAVAILABLE": "Try again; the cause is in the server's log.",
        "POLICY_NOT_FOUND": "Use a policy that the server has: `facegate policy list` shows them.",
        "MODE_BELOW_POLICY": "Ask for no mode, or choose another policy.",
        "MODE_NOT_AVAILABLE": "Choose a policy with another mode.",
        "POLICY_NOT_AVAILABLE": "Choose a policy that this server can meet: the error states the shortfall.",
        "REQUEST_ID_REUSED": "Use a fresh request_id for another payload.",
        "CHECK_NOT_FOUND": "Ask for the check with the credentials that created it.",
        "NOT_SCANNED_YET": "Let the person scan first.",
        "SCAN_IN_PROGRESS": "Ask again when the scan has ended, or can no longer be resumed.",
        "RESULT_EXPIRED": _NEW_CHECK,
        "TOKEN_INVALID": "Use the token as UploadTrustedImage gave it, at the server that gave it.",
        "TOKEN_EXPIRED": _NEW_CHECK,
        "CHECK_CLOSED": _NEW_CHECK,
        "SESSION_KEY_MISMATCH": "Scan on the device that began the scan, or create a new check.",
        "RESUME_PROOF_INVALID": _CLIENT_BUG,
        "PROTOCOL_VERSION_NOT_SUPPORTED": "Update the client or the server.",
        "UNEXPECTED_MESSAGE": _CLIENT_BUG,
        "FRAME_OUT_OF_ORDER": _CLIENT_BUG,
        "FRAME_MAC_INVALID": _CLIENT_BUG,
        "FRAME_TIME_INVALID": "Send frames in real time: the server refuses frames from the future.",
        "FRAME_TOO_LARGE": "Send smaller frames.",
        "FRAME_IMAGE_INVALID": "Send baseline or progressive JPEG frames of the declared size.",
        "CREDIT_EXCEEDED": _CLIENT_BUG,
        "SCAN_BUDGET_EXCEEDED": "Send fewer or smaller frames.",
        "ATTEMPT_END_INVALID": _CLIENT_BUG,
        "SUPERSEDED": "Another stream of the same scan took over. Do nothing.",
        "STREAM_IDLE": "Make sure that the network works and that the source gives frames.",
        "PACK_CHANGED": _NEW_CHECK,
        "ORIGIN_NOT_ALLOWED": "Scan in a page of an origin that the check's policy lists.",
        "CAPABILITY_MISSING": (
            "Scan with a device that has the capability (--flash with --simulate), or choose another policy "
            "or mode."
        ),
        "VIDEO_EMPTY": "Give a video file with content, or still frames.",
        "VIDEO_TOO_LARGE": "Give a shorter or smaller video: at most 50,000,000 bytes.",
        "VIDEO_FORMAT_NOT_SUPPORTED": "Give MP4, MOV, AVI, WebM or MKV with a common codec, such as H.264.",
        "VIDEO_MALFORMED": "The file is damaged or incomplete: export or copy it again.",
        "VIDEO_TOO_LONG": "Cut out a shorter part of the video.",
        "VIDEO_TOO_MANY_PIXELS": "Scale the video down.",
        "VIDEO_WITHOUT_PICTURES": "Give a file that holds a video, not sound alone.",
        "TOO_FEW_FRAMES": "Give a video that shows one face, and that face in 8 frames or more.",
        "VIDEO_NOT_AVAILABLE": "Give still frames, or set analysis.video_workers on the server.",
        "VIDEO_TOO_SLOW_TO_DECODE": "Give a shorter video or one with smaller pictures, or try again later.",
        "EVIDENCE_ON_HOLD": "Release the holds that `facegate checks show` lists, if they no longer apply.",
        "EVIDENCE_ERASED": "Erased evidence cannot be restored. The audit log states when and why.",
        "CHECK_NOT_DECIDED": "Wait until the check is decided.",
        "EVIDENCE_IMAGE_NOT_FOUND": "`facegate checks show` lists the images that are kept.",
        "EVIDENCE_UNREADABLE": "Restore from the backup the object that `problem` names.",
        "HOLD_NOT_FOUND": "`facegate checks show` lists the holds.",
        "EVIDENCE_RECORD_MISSING": "Read the result that the orchestrator stored.",
        "TOO_MANY_FAILURES": "Wait. To test, make sandbox checks: their limits are wider (docs/sandbox.md).",
        "TOO_MANY_RECONNECTS": "Find a better network and create a new check.",
    }
)
"""The advice by the reason's name without its prefix."""


def describe_refusal(refusal: ServerError) -> str:
    """Returns the problem, the expectation and the remedy, in a few lines for a terminal."""
    lines = [f"{refusal.reason or refusal.code}: {' '.join(refusal.message.split())}"]
    lines.extend(f"  {name}: {value}" for name, value in sorted(refusal.metadata.items()))
    advice = WHAT_TO_DO.get(refusal.reason)
    if advice:
        lines.append(advice)
    if refusal.retry_after_s is not None:
        lines.append(f"The server asks to wait {refusal.retry_after_s:g} s before the next call.")
    return "\n".join(lines)


def describe_lost_connection(error: ConnectionFailedError) -> str:
    """Returns the error of a connection that failed, and what to do about it."""
    text = " ".join(str(error).split())
    refused = isinstance(error.__cause__, ConnectionRefusedError) or "Connection refused" in text
    return f"{text}\n{_connection_advice(text, refused=refused)}"


def _connection_advice(message: str, *, refused: bool) -> str:
    if "client certificate" in message:
        return (
            "Give --cert and --key with a valid certificate for client authentication, of an "
            "authority of the server's client_ca. The server's log has the reason."
        )
    if refused:
        return "No server listens there. Start one with `facegate serve`, or correct the address."
    if "trusted TLS" in message or "SSL" in message.upper():
        return (
            "The TLS handshake failed. Give --ca with the authority that signed the server's certificate; "
            "omit --ca for a server on this machine without TLS."
        )
    return "Correct the address. If the server has TLS, give --ca with the authority of its certificate."

"""The rules against which a client is tested, and the exception for a broken one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Final

from server.base.errors import Reason, Refusal


class Rule(Enum):
    """A rule of docs/device_protocol.md, and the error with which a server answers if a client breaks it."""

    START_IN_TIME = Reason.STREAM_IDLE, "`start` comes within 1 second of the opening of the stream."
    START_FIRST = Reason.UNEXPECTED_MESSAGE, "`start` is the first message, and comes once in a stream."
    START_FIELDS = Reason.INVALID_FIELD, "The fields of ScanStart have the lengths and values that it states."
    TOKEN = Reason.TOKEN_INVALID, "ScanStart has the scan token that the app received."
    SESSION_KEY = (
        Reason.SESSION_KEY_MISMATCH,
        "The session key is a P-256 key in SubjectPublicKeyInfo, new in each scan, and kept in it.",
    )
    KEY_SHARE = Reason.INVALID_FIELD, "The X25519 key share has 32 bytes and is new in each stream."
    SERVER_KEY = (
        Reason.INVALID_FIELD,
        "`server_spki_sha256` is the hash of the certificate's key; empty without TLS and on pages.",
    )
    RESUME_FLAG = (
        Reason.INVALID_FIELD,
        "`resume` is true in each stream after the first one that received a Challenge.",
    )
    RESUME_PROOF = (
        Reason.RESUME_PROOF_INVALID,
        "The resume proof comes next after a Challenge that demands it, and signs H of its stream.",
    )
    RECONNECT = Reason.STREAM_IDLE, "After a lost connection the client reconnects."
    BACK_OFF = Reason.OVERLOADED, "A reconnect waits 0.25 s, doubling to 8 s, and as long as the server asks."
    NO_RECONNECT = Reason.CHECK_CLOSED, "The client does not reconnect when that is useless."
    BAD_CHALLENGE = (
        Reason.UNEXPECTED_MESSAGE,
        "A Challenge that cannot be trusted is answered with nothing: the client ends the stream.",
    )
    MESSAGE = Reason.INVALID_FIELD, "Every message is a ScanFaceRequest of a known kind, of at most 768 KiB."
    MESSAGE_ORDER = Reason.UNEXPECTED_MESSAGE, "A message comes only when it is expected."
    ATTESTATION = (
        Reason.INVALID_FIELD,
        "Evidence is made for H or E, comes at most 4 times in a scan, or is reported as unavailable.",
    )
    FRAMES = Reason.STREAM_IDLE, "The client sends frames against credit, at least 8 in a second."
    FRAME_ORDER = (
        Reason.FRAME_OUT_OF_ORDER,
        "Frames have the attempt's number and indices from 0 without a gap.",
    )
    FRAME_MAC = Reason.FRAME_MAC_INVALID, "The MAC chain covers each header, each image and all before them."
    FRAME_TIME = (
        Reason.FRAME_TIME_INVALID,
        "Capture times rise strictly, with real time, and a frame is sent at once.",
    )
    FRAME_IMAGE = (
        Reason.FRAME_IMAGE_INVALID,
        "A frame is a JPEG of three 8-bit channels, as large as its header states and the budget allows.",
    )
    FRAME_SIZE = Reason.FRAME_TOO_LARGE, "A frame has at most `max_frame_bytes`."
    CREDIT = Reason.CREDIT_EXCEEDED, "A frame costs a frame of credit, and its bytes."
    BUDGET = Reason.SCAN_BUDGET_EXCEEDED, "An attempt keeps to the frames of the budget, a scan to its bytes."
    RATE = Reason.SCAN_BUDGET_EXCEEDED, "Frames are thinned out to the highest rate."
    DROPPED = Reason.INVALID_FIELD, "Images that are dropped before they get an index are counted."
    PAUSE = Reason.UNEXPECTED_MESSAGE, "In a pause no frame is sent, and none that was captured in it later."
    ADJUSTMENT = (
        Reason.FRAME_TOO_LARGE,
        "Frames keep to each CaptureAdjustment; within an attempt it only falls.",
    )
    ATTEMPT_END = (
        Reason.ATTEMPT_END_INVALID,
        "AttemptEnd states number, frames, last MAC and cause, and is signed.",
    )
    ATTEMPT_END_IN_TIME = (
        Reason.STREAM_IDLE,
        "AttemptEnd comes within 5 seconds of CaptureComplete, and before the attempt's own limits.",
    )
    READY = (
        Reason.UNEXPECTED_MESSAGE,
        "`attempt_ready` comes once after a result that waits for it, with its number.",
    )
    HALF_CLOSE = Reason.STREAM_IDLE, "The client half-closes after the last ScanResult, and not before."
    LATER_VERSION = Reason.UNEXPECTED_MESSAGE, "Unknown messages, fields and values are ignored."
    FLASH = Reason.INVALID_FIELD, "Frames name the step on the screen, and since when, on the capture clock."
    FLASH_HOLD = Reason.INVALID_FIELD, "Each step is shown, for its hold and for at least 350 ms."
    OUTCOME = Reason.INTERNAL, "The client reports the end of the scan: a result, or why there is none."

    @property
    def reason(self) -> Reason:
        """The reason of the refusal that a client receives."""
        reason: Reason = self.value[0]
        return reason

    @property
    def requirement(self) -> str:
        """The demand of the rule, in words."""
        requirement: str = self.value[1]
        return requirement


class Violation(Exception):
    """The client broke a rule, which ends the scenario.

    Attributes:
        detail: The client's behaviour, and the expected one. It contains no token and no key.
    """

    def __init__(self, rule: Rule, detail: str) -> None:
        super().__init__(f"{rule.name}: {detail}")
        self.rule = rule
        self.detail = detail


class HalfClosed(Violation):
    """The client half-closed, which is a violation unless the last result came before."""

    def __init__(self) -> None:
        super().__init__(Rule.HALF_CLOSE, "the client half-closed before the last ScanResult")


_FIELDS: Final = {
    "start.token": Rule.TOKEN,
    "start.key_share": Rule.KEY_SHARE,
    "start.session_public_key": Rule.SESSION_KEY,
    "start.server_spki_sha256": Rule.SERVER_KEY,
    "start": Rule.START_FIELDS,
    "attestation": Rule.ATTESTATION,
}
"""By field, or by its first part."""
_REASONS: Final = {
    Reason.PROTOCOL_VERSION_NOT_SUPPORTED: Rule.START_FIELDS,
    Reason.RESUME_PROOF_INVALID: Rule.RESUME_PROOF,
    Reason.FRAME_OUT_OF_ORDER: Rule.FRAME_ORDER,
    Reason.FRAME_MAC_INVALID: Rule.FRAME_MAC,
    Reason.FRAME_TIME_INVALID: Rule.FRAME_TIME,
    Reason.FRAME_TOO_LARGE: Rule.FRAME_SIZE,
    Reason.CREDIT_EXCEEDED: Rule.CREDIT,
    Reason.SCAN_BUDGET_EXCEEDED: Rule.BUDGET,
    Reason.ATTEMPT_END_INVALID: Rule.ATTEMPT_END,
}


@contextmanager
def refusals_broken(mistake: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Make a refusal of a part of the server's session the violation of the rule that was broken.

    Args:
        mistake: Says more about it.
    """
    try:
        yield
    except Refusal as refusal:
        field = str(refusal.details.get("field", ""))
        if "maxAttestations" in refusal.details:
            field = "attestation"
        rule = _FIELDS.get(field) or _FIELDS.get(field.partition(".")[0]) or _REASONS.get(refusal.reason)
        raise Violation(rule or Rule.MESSAGE, f"{refusal}{mistake()}") from refusal

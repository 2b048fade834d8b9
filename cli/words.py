"""English texts for the server's codes and findings: hints to the person, and advice to the caller."""

import ssl
from collections.abc import Iterable
from typing import Final

import grpc
from facegate.v1 import feedback_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from cli.shown import counted
from cli.verdict import code_word
from facegate_client import ConnectionFailedError, ServerError
from facegate_protocol.texts import HINTS, REFUSALS
from matcher.conformance import remedy_for


def feedback_text(code: int) -> str:
    """Return the text for a code; a general one for a code that this version does not know."""
    name = code_word(feedback_pb2.FeedbackCode.DESCRIPTOR, code)
    return HINTS.get(name, HINTS["UNSPECIFIED"])


def feedback_texts(codes: Iterable[int], *, frames: int) -> list[str]:
    """Return the texts for the codes of a result.

    Args:
        frames: How many frames were sent: without one, the camera's picture is not at fault.
    """
    if frames:
        return [feedback_text(code) for code in codes]
    others = (code for code in codes if code != feedback_pb2.FEEDBACK_CODE_LOW_VIDEO_QUALITY)
    return ["No frame reached the server.", *(feedback_text(code) for code in others)]


def refusal_advice(reason: str) -> str:
    """Return what to do about a refusal; empty for a reason that this version does not know."""
    return REFUSALS[reason].command or REFUSALS[reason].action if reason in REFUSALS else ""


_STALLED: Final = (
    "The server accepts connections but does not answer: it is stopped, stuck or overloaded. Read its log "
    "and /readyz of its admin listener, then run the command again."
)


_SCOPE_HERE: Final = (
    "On this machine, use the console by the link for one log-in that `facegate serve` prints, or give "
    "--api-key-file with a key of a role that has the scope."
)


def describe_refusal(refusal: ServerError, *, on_loopback: bool = False) -> str:
    """Return the problem, the expectation and the remedy, in a few lines for a terminal.

    Args:
        on_loopback: Whether the server is on this machine, so that its operator is probably the reader.
    """
    lines = [f"{refusal.reason or refusal.code}: {' '.join(refusal.message.split())}"]
    lines.extend(f"  {name}: {value}" for name, value in sorted(refusal.metadata.items()))
    stalled = not refusal.reason and refusal.code == "DEADLINE_EXCEEDED"
    advice = _STALLED if stalled else refusal_advice(refusal.reason)
    if on_loopback and refusal.reason == "PERMISSION_DENIED":
        advice = _SCOPE_HERE
    if advice:
        lines.append(advice)
    if refusal.retry_after_s is not None:
        lines.append(f"The server asks to wait {refusal.retry_after_s:g} s before the next call.")
    return "\n".join(lines)


def describe_lost_connection(error: ConnectionFailedError, *, on_loopback: bool = False) -> str:
    """Return the error of a connection that failed, and what to do about it.

    Args:
        on_loopback: Whether the server is on this machine, which is reached without a proxy.
    """
    text = " ".join(str(error).split())
    cause = error.__cause__
    refused = isinstance(cause, ConnectionRefusedError) or "Connection refused" in text
    other_names = "Hostname Verification Check failed" in text or (
        isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in _OTHER_NAMES
    )
    if _PROXIED in text and not on_loopback:
        return f"{text}\n{_PROXY_ADVICE}"
    return f"{text}\n{_connection_advice(text, refused=refused, other_names=other_names)}"


_PROXIED: Final = "are reached through the proxy"
"""What ``facegate_client`` says where the environment names a proxy."""
_PROXY_ADVICE: Final = (
    "If the proxy failed: ask whoever runs it, correct the variable, or name the server in no_proxy. If not: "
    "correct the address, and give --ca with the authority of the server's certificate if it has TLS."
)
_OTHER_NAMES: Final = frozenset({62, 64})
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""


def _connection_advice(message: str, *, refused: bool, other_names: bool) -> str:
    if "client certificate" in message:
        return (
            "Give --cert and --key with a valid certificate for client authentication, of an "
            "authority of the server's client_ca. The server's log has the reason."
        )
    if refused and "::1" in message:
        # Of localhost, gRPC may report ::1, where nothing listens, and not what it met at 127.0.0.1.
        return (
            "No server listens there, or it has TLS. Start one with `facegate serve`, correct the address, "
            "or give --ca with the authority of the server's certificate."
        )
    if refused:
        return "No server listens there. Start one with `facegate serve`, or correct the address."
    if "before receiving SETTINGS" in message:
        return _STALLED
    if other_names:
        return (
            "The server's certificate is for other names: connect by one of them, which `openssl x509 -noout "
            "-ext subjectAltName -in FILE` lists."
        )
    if "trusted TLS" in message or "SSL" in message.upper():
        return (
            "The TLS handshake failed. Give --ca with the authority that signed the server's certificate; "
            "omit --ca for a server on this machine without TLS."
        )
    return "Correct the address. If the server has TLS, give --ca with the authority of its certificate."


def lost_words(cause: str) -> str:
    """Return why a connection of a scan was lost, for the person before the camera.

    gRPC's own texts have addresses and internal names, and those of the server are for developers.
    """
    code, _, _ = cause.partition(":")
    if code in REFUSALS and REFUSALS[code].lost:
        return REFUSALS[code].lost
    if any(text in cause for text in _NO_ANSWER):
        return "the server accepts connections but does not answer"
    if code not in grpc.StatusCode.__members__:
        return cause
    if "Connection refused" in cause:
        return "no server listens there"
    if "failed to connect" in cause:
        return "the server cannot be reached"
    return "the connection broke"


_NO_ANSWER: Final = (
    "before receiving SETTINGS",
    "no Challenge within",
    "no attempt began",
    "no result within",
)
_KINDS = {
    service_pb2.EvidenceProblem.KIND_LOST: "is lost: the object store does not have it",
    service_pb2.EvidenceProblem.KIND_ALTERED: "was altered in the object store",
    service_pb2.EvidenceProblem.KIND_UNAVAILABLE: "cannot be reached now; ask again later",
}
_SHORTFALLS = {
    service_pb2.AUDIT_IMAGE_SHORTFALL_POLICY: "the policy keeps no more",
    service_pb2.AUDIT_IMAGE_SHORTFALL_FEWER_CAPTURED: "the scan has no more frames that can serve",
    service_pb2.AUDIT_IMAGE_SHORTFALL_PROBLEMS: "some cannot be returned",
}


def portrait_words(report: service_pb2.PortraitReport) -> str:
    """State that the image was accepted, how to improve it, and where its record disagrees with it."""
    came = f" from {report.container}" if report.container else ""
    lines = [f"Portrait accepted{came}: eyes {report.eye_distance_px:.0f} pixels apart."]
    for one in report.requirements:
        if one.HasField("passed") and not one.passed:
            remedy = remedy_for(one.code, one.measured) or "A better image would meet this:"
            lines.append(f"  {remedy} ({one.code}: {measured_words(one)}, required: {one.required})")
    lines.extend(f"  Note: {note}." for note in report.notes)
    return "\n".join(lines)


def measured_words(requirement: service_pb2.PortraitRequirement) -> str:
    """Return the measurement of a requirement with its unit, and its score if it has one."""
    score = f", score {requirement.score} of 100" if requirement.HasField("score") else ""
    return f"{requirement.measured}{score}"


def evidence_words(response: service_pb2.FinishCheckResponse) -> tuple[str, ...]:
    """Return a line for each image that cannot be returned, and one if there are too few audit images."""
    lines = []
    for problem in response.evidence_problems:
        picture = problem.picture
        name = "evidence frame" if picture == response.result.evidence_frame else "audit image"
        what = _KINDS.get(problem.kind, "cannot be returned")
        lines.append(f"The {name} (frame {picture.frame_index} of attempt {picture.attempt}) {what}.")
    if response.audit_image_shortfall:
        why = _SHORTFALLS.get(response.audit_image_shortfall, "the reason is unknown to this version")
        lines.append(f"{counted(len(response.audit_images), 'audit image')}: {why}.")
    return tuple(lines)

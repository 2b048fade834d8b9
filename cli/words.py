"""English texts for the server's codes: hints to the scanned person, and advice to the caller."""

from facegate.v1 import feedback_pb2

from cli.verdict import enum_word
from facegate_client import ConnectionFailedError, ServerError
from facegate_protocol.texts import HINTS, REFUSALS

__all__ = ["describe_lost_connection", "describe_refusal", "feedback_text", "refusal_advice"]


def feedback_text(code: int) -> str:
    """Returns the text for a code; a general one for a code that this version does not know."""
    name = enum_word(feedback_pb2.FeedbackCode.Name, code, "FEEDBACK_CODE_")
    return HINTS.get(name, HINTS["UNSPECIFIED"])


def refusal_advice(reason: str) -> str:
    """Returns what to do about a refusal; empty for a reason that this version does not know."""
    return REFUSALS[reason].action if reason in REFUSALS else ""


def describe_refusal(refusal: ServerError) -> str:
    """Returns the problem, the expectation and the remedy, in a few lines for a terminal."""
    lines = [f"{refusal.reason or refusal.code}: {' '.join(refusal.message.split())}"]
    lines.extend(f"  {name}: {value}" for name, value in sorted(refusal.metadata.items()))
    advice = refusal_advice(refusal.reason)
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

"""Admission of a stream: tests of the token, the check, the session key, the attempts and the deadline."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from device_integrity.camera import Platform
from facegate_protocol import SHARE_BYTES, KeyMaterialError, load_public_key
from server.checks.progress import attempts_remaining, most_attempts
from server.domain.state import OPEN_STATES
from server.domain.terms import AttemptOutcome, Mode
from server.errors import Reason, Refusal
from server.policies import Policy
from server.scan.messages import Capability, StartMessage
from server.scan.plans import ScanPlans
from server.storage.records import AttemptRecord, CheckRecord

PROTOCOL_VERSION = 1
MAX_START_BYTES = 16 * 1024
_MAX_TOKEN_BYTES = 256
_SPKI_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Admission:
    """A stream that may begin.

    Attributes:
        session_key: The device's session key.
        proof_required: Whether the scan is already bound to that key, so that the device must prove that it
            holds the key.
        attempts_remaining: Attempts that may still be made.
    """

    session_key: EllipticCurvePublicKey
    proof_required: bool
    attempts_remaining: int


def validate_start(start: StartMessage) -> EllipticCurvePublicKey:
    """Tests the fields of a start that need no database, and returns its session key.

    Raises:
        Refusal: The server does not support the protocol version, or a field is malformed.
    """
    if start.protocol_version != PROTOCOL_VERSION:
        raise Refusal(
            Reason.PROTOCOL_VERSION_NOT_SUPPORTED,
            f"the device speaks protocol version {start.protocol_version}, this server {PROTOCOL_VERSION}",
            details={"version": start.protocol_version, "supportedVersion": PROTOCOL_VERSION},
        )
    if len(start.token) > _MAX_TOKEN_BYTES:
        raise _invalid("token", f"is longer than {_MAX_TOKEN_BYTES} bytes")
    if len(start.key_share) != SHARE_BYTES:
        raise _invalid("key_share", f"must have {SHARE_BYTES} bytes and has {len(start.key_share)}")
    if len(start.server_spki_sha256) not in (0, _SPKI_HASH_BYTES):
        raise _invalid(
            "server_spki_sha256",
            f"has {len(start.server_spki_sha256)} bytes; expected {_SPKI_HASH_BYTES}, or none without TLS",
        )
    try:
        return load_public_key(start.session_public_key)
    except KeyMaterialError as error:
        raise _invalid("session_public_key", str(error)) from error


def admit(
    *,
    start: StartMessage,
    session_key: EllipticCurvePublicKey,
    record: CheckRecord,
    attempts: tuple[AttemptRecord, ...],
    policy: Policy,
    pack_version: str,
    header_origin: str | None,
    now: datetime,
) -> Admission:
    """Decides whether a stream of this check may begin.

    Raises:
        Refusal: TOKEN_EXPIRED, CHECK_CLOSED, PACK_CHANGED, ORIGIN_NOT_ALLOWED, CAPABILITY_MISSING,
            SESSION_KEY_MISMATCH or TOO_MANY_RECONNECTS.
    """
    # 1. Has the deadline passed? This comes first, so that the error does not depend on whether the expired
    #    check is closed already.
    if now >= record.scan_deadline:
        raise Refusal(
            Reason.TOKEN_EXPIRED, "the scan's deadline has passed; ask the orchestrator for a new check"
        )
    # 2. Is the check still open?
    if record.state not in OPEN_STATES or record.closing is not None or _deciding(attempts) is not None:
        # If a server died between judging and deciding, a judged spoof must not get another attempt.
        raise check_closed(attempts)
    # 3. Do the models match those of the portrait?
    if record.pack_version != pack_version:
        # Templates of two packs are not comparable; their similarity would be random.
        raise Refusal(
            Reason.PACK_CHANGED,
            f"the portrait was processed with version {record.pack_version} of the models and this server "
            f"runs {pack_version}; ask the orchestrator for a new check",
            details={"packVersion": record.pack_version, "currentPackVersion": pack_version},
        )
    # 4. May this page scan for the check? A page without the header is of no origin.
    allowed = policy.device.web_origins
    is_page = header_origin is not None or start.device.platform is Platform.WEB
    if allowed and is_page and header_origin not in allowed:
        raise Refusal(
            Reason.ORIGIN_NOT_ALLOWED,
            "the check's policy does not list the page's origin in device.web_origins",
            details={"origin": header_origin or ""},
        )
    # 5. Can the device do what the check demands?
    for capability, demand in _demanded(policy, record.requested_mode):
        if capability not in start.capabilities:
            # This test precedes the binding to this device's key, so that another device may still scan.
            raise Refusal(
                Reason.CAPABILITY_MISSING,
                f"the check demands {demand} and the device does not announce CAPABILITY_{capability}; scan "
                "with a device that does, or create a check of another policy or mode",
                details={"capability": capability.value, "mode": record.requested_mode.value},
            )
    # 6. Is it the device that the scan began with?
    if record.session_key is not None and record.session_key != start.session_public_key:
        raise Refusal(
            Reason.SESSION_KEY_MISMATCH,
            "the token is bound to the session key that the scan began with; reconnect with that key",
        )
    # 7. Are reconnects and attempts left?
    if record.streams > policy.attempts.reconnects:
        raise Refusal(
            Reason.TOO_MANY_RECONNECTS,
            f"the scan was reconnected {record.streams - 1} times; {policy.attempts.reconnects} are allowed",
            details={"reconnects": record.streams - 1, "maxReconnects": policy.attempts.reconnects},
        )
    remaining, most = attempts_remaining(attempts, policy), most_attempts(attempts, policy)
    if remaining < 1:
        raise Refusal(
            Reason.CHECK_CLOSED,
            f"all {most} attempts are used up, or more than {policy.attempts.uncounted} that were too short "
            "to count",
            details={"maxAttempts": most},
        )
    return Admission(
        session_key=session_key,
        proof_required=record.session_key is not None,
        attempts_remaining=remaining,
    )


def require_challenge(plans: ScanPlans) -> None:
    """Refuses a device that cannot resolve the doubts which earlier attempts of its check raised.

    Raises:
        Refusal: CAPABILITY_MISSING.
    """
    if plans.open:
        return
    raise Refusal(
        Reason.CAPABILITY_MISSING,
        "an earlier attempt left doubt, and the device announces no challenge of the policy that resolves "
        "it; scan with a device that announces CAPABILITY_FLASH, which resolves every doubt, if the policy "
        "has it, or create a new check",
        details={"capability": Capability.FLASH.value},
    )


def check_closed(attempts: tuple[AttemptRecord, ...]) -> Refusal:
    """Returns the refusal of a stream whose check is decided or closes.

    It states which attempt decided the check, if one did. A device that lost the result of its attempt may
    then report that the scan is complete. Without it, the check was closed in another way.
    """
    deciding = _deciding(attempts)
    return Refusal(
        Reason.CHECK_CLOSED,
        "the check accepts no more scans; ask for a new one",
        details={} if deciding is None else {"decidedByAttempt": deciding},
    )


def _demanded(policy: Policy, requested: Mode) -> Iterator[tuple[Capability, str]]:
    """Yields the capabilities without which a check cannot succeed, each with the demand, in words."""
    if requested is Mode.DYNAMIC:
        yield Capability.FLASH, requested.value
    challenge = policy.challenge_for(requested)
    if challenge.open_mouth:
        yield Capability.OPEN_MOUTH, "that the mouth is opened"
    if challenge.turn_head:
        yield Capability.TURN_HEAD, "that the head is turned to a side"


def _deciding(attempts: tuple[AttemptRecord, ...]) -> int | None:
    """Returns the number of the attempt that was judged for good; ``None`` if none was."""
    return next((each.number for each in attempts if each.outcome is AttemptOutcome.DECIDED), None)


def _invalid(field: str, problem: str) -> Refusal:
    return Refusal(Reason.INVALID_FIELD, f"ScanStart.{field} {problem}", details={"field": f"start.{field}"})

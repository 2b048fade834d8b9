"""Maps refusals of the matcher and of the limits over several checks to refusals of a call."""

from collections.abc import Mapping
from datetime import datetime
from math import ceil
from types import MappingProxyType
from typing import Final

from formats.errors import ImageFault
from matcher import RefusalReason, TrustedImageRefused
from server.base.errors import Reason, Refusal, camel
from server.storage.errors import TriesExceeded
from vision.errors import DecoderUnavailable

REASONS: Final[Mapping[RefusalReason | ImageFault, Reason]] = MappingProxyType(
    {
        ImageFault.EMPTY: Reason.IMAGE_EMPTY,
        ImageFault.TOO_MANY_BYTES: Reason.IMAGE_TOO_LARGE,
        ImageFault.TOO_MANY_PIXELS: Reason.IMAGE_TOO_MANY_PIXELS,
        # Too small for a face of the demanded eye distance. The remedy is the same: a larger image.
        ImageFault.TOO_SMALL: Reason.EYE_DISTANCE_TOO_SMALL,
        ImageFault.UNSUPPORTED_FORMAT: Reason.IMAGE_FORMAT_NOT_SUPPORTED,
        ImageFault.ANIMATED: Reason.IMAGE_FORMAT_NOT_SUPPORTED,
        ImageFault.MALFORMED: Reason.IMAGE_MALFORMED,
        RefusalReason.RECORD_MALFORMED: Reason.IMAGE_MALFORMED,
        RefusalReason.RECORD_NOT_ONE_FACE: Reason.MULTIPLE_FACES,
        RefusalReason.RECORD_WRONG_MODALITY: Reason.IMAGE_FORMAT_NOT_SUPPORTED,
        RefusalReason.ISO_39794_NOT_SUPPORTED: Reason.ISO_39794_NOT_SUPPORTED,
        RefusalReason.FACE_NOT_FOUND: Reason.FACE_NOT_FOUND,
        RefusalReason.FACE_NOT_UNIQUE: Reason.MULTIPLE_FACES,
        RefusalReason.FACE_CUT_OFF: Reason.FACE_CUT_OFF,
        RefusalReason.EYE_DISTANCE_TOO_SMALL: Reason.EYE_DISTANCE_TOO_SMALL,
        RefusalReason.NOT_CONFORMANT: Reason.IMAGE_NOT_CONFORMANT,
    }
)
"""The reason on the wire for every rule that an image breaks."""


def no_decoder_free(error: DecoderUnavailable, decoder: str) -> Refusal:
    """Return the refusal of a call whose image or video no ``decoder`` can take now."""
    return Refusal(Reason.OVERLOADED, f"no {decoder} is free; try again later", retry_after=error.retry_after)


def refusal_of(error: TrustedImageRefused) -> Refusal:
    """Return the refusal of an upload; its details have the matcher's names in lowerCamelCase (AIP-193)."""
    # RECORD_NOT_ONE_FACE also covers a record that states that it contains no face.
    no_face = error.reason is RefusalReason.RECORD_NOT_ONE_FACE and error.details.get("representations") == 0
    return Refusal(
        Reason.FACE_NOT_FOUND if no_face else REASONS[error.reason],
        str(error),
        details=camel(error.details),
    )


def check_not_found() -> Refusal:
    """Return the refusal of an identifier that no check of the tenant has."""
    return Refusal(Reason.CHECK_NOT_FOUND, "no check has this identifier")


def result_erased() -> Refusal:
    """Return the refusal of a check that was erased."""
    return Refusal(Reason.RESULT_EXPIRED, "the result of this check was erased")


def other_session_key() -> Refusal:
    """Return the refusal of a scan that was continued with another session key."""
    return Refusal(
        Reason.SESSION_KEY_MISMATCH,
        "the token is bound to the session key that the scan began with; reconnect with that key",
    )


def too_many_failures(error: TriesExceeded, *, now: datetime, to_device: bool = False) -> Refusal:
    """Return the refusal of a further check or scan.

    Args:
        error: The limit that was reached.
        to_device: Whether a device gets the refusal, which then states only when to try again.
    """
    seconds = max(1, ceil((error.until - now).total_seconds()))
    if to_device:
        return Refusal(
            Reason.TOO_MANY_FAILURES,
            f"no scan is possible now; try again in {seconds} seconds",
            details={"retrySeconds": seconds},
            retry_after=seconds,
        )
    return Refusal(
        Reason.TOO_MANY_FAILURES,
        f"too many checks of this {error.kind.value} failed lately, or are being scanned now; try again in "
        f"{seconds} seconds",
        details={"limited": error.kind.value, "retrySeconds": seconds},
        retry_after=seconds,
    )

"""The stored form of an outcome while its check is open: facts and decision, independent of the wire."""

from pydantic import BaseModel, ConfigDict, ValidationError

from server.verdict.outcome import CheckOutcome

__all__ = ["OutcomeUnreadable", "outcome_from_bytes", "outcome_to_bytes"]


class OutcomeUnreadable(Exception):
    """The bytes are not an outcome that this version of the server writes."""


class _Stored(BaseModel):
    model_config = ConfigDict(
        ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants", frozen=True
    )

    outcome: CheckOutcome


def outcome_to_bytes(outcome: CheckOutcome) -> bytes:
    """Returns the outcome as JSON in UTF-8."""
    return _Stored(outcome=outcome).model_dump_json().encode()


def outcome_from_bytes(data: bytes) -> CheckOutcome:
    """Parses the bytes that ``outcome_to_bytes`` returns.

    Raises:
        OutcomeUnreadable: Another version of the server wrote the bytes, or they were altered.
    """
    try:
        return _Stored.model_validate_json(data).outcome
    except ValidationError as error:
        raise OutcomeUnreadable(f"{error.error_count()} parts of a stored outcome cannot be read") from None
